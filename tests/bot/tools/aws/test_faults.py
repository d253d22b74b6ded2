"""What the bot says, and does not say, when Amazon or the way to it is broken."""

from __future__ import annotations

import base64
import datetime
import ipaddress
import json
import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from bot.core.errors import Refused, Told, Transient
from bot.tools.aws_told import CASES, LOCALLY, Doing, Failure, refusal
from playground import broken

FOREIGN = "gobbledygook"  # in every answer of a broken server; must be in no sentence of ours
REGION = "us-east-1"
WHO = (
    '<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>{}'
    "</GetCallerIdentityResult></GetCallerIdentityResponse>"
)
DENIED = "arn:aws:iam::123456789012:user/bee may not"


def told(kind: type[Told], ask: Any) -> str:
    with pytest.raises(kind) as caught:
        ask()
    error = caught.value
    assert type(error) is kind
    assert (error.__cause__, error.__context__) == (None, None)
    assert FOREIGN not in repr(error)
    assert error.what.endswith(".")
    assert error.now.endswith(".")
    return str(error)


FAULTS: list[tuple[str | int, str, type[Told], str]] = [
    ("unknown key", "who", Refused, "does not know the key of access dev (403)"),
    ("unknown key", "token", Refused, "does not know the key of access dev (400)"),
    ("unknown key", "role", Refused, "does not know the key of access dev (403)"),
    ("expired", "who", Refused, "AWS session behind access dev has expired (403). Log in anew"),
    ("expired", "token", Refused, "AWS session behind access dev has expired (400). Log in anew"),
    ("expired", "role", Refused, "AWS session behind access dev has expired (403). Log in anew"),
    ("denied", "who", Refused, f"{DENIED} use sts:GetCallerIdentity on * in us-east-1 (403): no identity-based policy"),
    ("denied", "token", Refused, f"{DENIED} use ecr:GetAuthorizationToken on * in us-east-1 (400): no identity-based"),
    ("denied", "role", Refused, f"{DENIED} take on arn:aws:iam::123456789012:role/reader (403)"),
    ("denied by the organisation", "token", Refused, "(400): the service control policy denies it. Let an AWS admin"),
    ("bad signature", "who", Refused, "does not accept the secret key of access dev (403)"),
    ("bad signature", "token", Refused, "does not accept the secret key of access dev (400)"),
    ("bad signature", "role", Refused, "does not accept the secret key of access dev (403)"),
    ("wrong region", "who", Refused, "belongs to another region"),
    ("wrong region", "token", Refused, "belongs to another region"),
    ("unsigned", "token", Refused, "without a login from access dev"),
    ("skewed", "who", Refused, "does not accept the time of the bot's clock. Set the clock"),
    ("skewed", "token", Refused, "does not accept the time of the bot's clock. Set the clock"),
    ("throttled", "who", Transient, "is asked too often (400)"),
    ("throttled", "token", Transient, "is asked too often (400)"),
    ("throttled", "role", Transient, "is asked too often (400)"),
    ("too many requests", "token", Transient, "is asked too often (429)"),
    ("broken", "who", Transient, "could not say who the bot is (500)"),
    ("broken", "token", Transient, "could not give a token for ECR (500)"),
    ("broken", "role", Transient, "could not let the bot take on arn:aws:iam::123456789012:role/reader (500)"),
    ("away", "token", Transient, "could not give a token for ECR (503)"),
    ("region disabled", "who", Refused, "Region us-east-1 is not enabled for the AWS account of access dev"),
    ("region disabled", "role", Refused, "Region us-east-1 is not enabled for the AWS account of access prod"),
    ("bad parameter", "token", Refused, "did not give a token for ECR (400)"),
    ("bad parameter", "role", Refused, "does not understand the role settings of access prod (400)"),
    ("chain too long", "role", Refused, "cannot be taken on for so long (400). Lower aws.prod.auth.minutes"),
    ("provider away", "role", Transient, "could not reach the OpenID provider"),
    ("rejected web token", "role", Refused, "does not accept the web identity token"),
    ("something new", "who", Refused, "did not say who the bot is (400)"),
    ("something new", "token", Refused, "did not give a token for ECR (400)"),
    (403, "token", Transient, "does not speak like AWS"),
    (302, "who", Transient, "does not speak like AWS"),
    (200, "who", Transient, "does not speak like AWS"),
    (200, "token", Transient, "does not speak like AWS"),
    (200, "role", Transient, "does not speak like AWS"),
    (407, "token", Refused, "The proxy of access dev does not let the bot through"),
    (502, "token", Transient, "could not give a token for ECR (502)"),
]


@pytest.mark.parametrize(("fault", "wants", "kind", "words"), FAULTS, ids=[f"{f[0]}-{f[1]}" for f in FAULTS])
def test_each_failure_has_its_sentence(scene: Any, fault: str | int, wants: str, kind: type[Told], words: str) -> None:
    """In our words, with a cure, asked once only, and over when AWS is well again."""
    role = scene.aws.role("reader", trusts=(scene.dev.arn,))
    aws = scene.open(more={"prod": {"method": "assume_role", "source": "dev", "role_arn": role}})
    asks = {"who": lambda: aws.who("dev", REGION), "token": lambda: aws.token("dev", REGION),
            "role": lambda: aws.who("prod", REGION)}  # fmt: skip
    scene.aws.fault = fault
    assert words in told(kind, asks[wants])
    assert len(scene.aws.asked) <= 1
    scene.aws.fault = ""
    asks[wants]()


def test_a_wrong_secret_is_a_wrong_signature(scene: Any, canary: Any) -> None:
    """The stand-in checks signatures: the sentence comes of a real one that does not fit."""
    scene.file("wrong", canary("wrong secret"))
    auth = scene.static(scene.dev) | {"secret_access_key": {"file": scene.file("wrong", canary("wrong secret"))}}
    assert "does not accept the secret key" in told(Refused, lambda: scene.open(auth).who("dev", REGION))


def test_a_denial_names_no_more_than_an_arn(scene: Any) -> None:
    """A right that is lacking: who, what, on what."""
    scene.aws.forbid(scene.dev, "ecr:GetAuthorizationToken")
    aws = scene.open()
    assert aws.who("dev", REGION).arn == scene.dev.arn
    assert "may not use ecr:GetAuthorizationToken on *" in told(Refused, lambda: aws.token("dev", REGION))


def test_waiting_time_is_passed_on(scene: Any) -> None:
    """Throttled with Retry-After: the error carries the seconds, and its copy for others who wait does too."""
    scene.aws.fault, scene.aws.retry_after = "throttled", 7
    with pytest.raises(Transient) as caught:
        scene.open().token("dev", REGION)
    assert caught.value.after == 7


@pytest.mark.parametrize(("skew", "words"), [(3600, "60 minutes behind"), (-3600, "60 minutes ahead of")])
@pytest.mark.parametrize("wants", ["who", "token"])
def test_a_wrong_clock_is_told_in_minutes(scene: Any, skew: float, words: str, wants: str) -> None:
    """AWS refuses the signature's time; its Date header tells by how much, and in which direction."""
    scene.aws.skew = skew
    aws = scene.open()
    assert f"The bot's clock is {words} that of AWS" in told(Refused, lambda: getattr(aws, wants)("dev", REGION))


def test_a_token_that_has_ended_already(scene: Any) -> None:
    """By a clock that is hours off that is told; by a right one the answer is none of AWS's."""
    aws = scene.open()
    scene.clock = 13 * 3600
    assert "clock is 780 minutes ahead of" in told(Refused, lambda: aws.token("dev", REGION))
    scene.clock, scene.aws.lifetime = 0, -1
    assert "does not speak like AWS" in told(Transient, lambda: aws.token("dev", REGION))


# --- the way there --------------------------------------------------------------------------------------------------

BREAKS = [
    ("reset", broken.reset, "broke off"),
    ("closed", broken.cut(b""), "broke off"),
    ("not HTTP", broken.cut(b"SSH-2.0-" + FOREIGN.encode() + b"\r\n"), "broke off"),
    (
        "cut in the body",
        broken.cut(broken.answer(200, b'{"authorizationData": [{"x": 1}]}')[:-9]),
        "does not speak like AWS|broke off",
    ),
    ("silent", broken.silent, "did not answer within 0.4 s"),
    ("drips", broken.drip(b"HTTP/1.1 200 OK\r\nContent-Length: 90\r\n\r\n" + b" " * 90, 1), "did not answer within"),
]


@pytest.mark.parametrize(("breaks", "words"), [b[1:] for b in BREAKS], ids=[b[0] for b in BREAKS])
def test_broken_connections_are_told(scene: Any, breaks: Any, words: str) -> None:
    """Whatever breaks on the way is Transient, in time, and is asked once only: the engine repeats."""
    with broken.broken(breaks) as server:
        aws = scene.open(endpoint_url=server.url, timeout=0.4 if "within" in words else 60)
        began = time.monotonic()
        assert re.search(words, told(Transient, lambda: aws.token("dev", REGION)))
        assert time.monotonic() - began < 20
        assert server.came(1) == 1


def test_nobody_listens_and_no_such_name(scene: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A closed port and a name that cannot be resolved may pass; a region that nobody has heard of does not."""
    closed = scene.open(endpoint_url=f"http://127.0.0.1:{broken.unused_port()}")
    assert "does not accept connections" in told(Transient, lambda: closed.who("dev", REGION))

    def nowhere(host: str, *_: Any, **__: Any) -> Any:
        raise socket.gaierror(-2, FOREIGN)

    monkeypatch.setattr(socket, "getaddrinfo", nowhere)  # of a machine without a name service
    real = scene.open(endpoint_url=None)
    assert "cannot be resolved" in told(Transient, lambda: real.token("dev", REGION))
    assert "no AWS region us-nowhere-1" in told(Refused, lambda: real.token("dev", "us-nowhere-1"))


def test_a_slow_aws_is_waited_for_within_the_timeout(scene: Any) -> None:
    """Slower than usual is fine; slower than the timeout is Transient with the number of seconds."""
    scene.open().who("dev", REGION)
    scene.aws.delay = 0.1
    assert scene.open().who("dev", REGION)
    scene.aws.delay = 60
    aws = scene.open(timeout=0.3)
    assert "did not answer within 0.3 s" in told(Transient, lambda: aws.who("dev", REGION))


def test_proxies(scene: Any) -> None:
    """One that is away may come back; one that says no is told as such; one that works is used."""
    away = scene.open(proxy=f"http://127.0.0.1:{broken.unused_port()}")
    assert "The proxy of access dev does not answer" in told(Transient, lambda: away.who("dev", REGION))
    with broken.broken(broken.cut(broken.answer(403, FOREIGN.encode()))) as server:
        aws = scene.open(endpoint_url="https://127.0.0.1:1", proxy=server.url)
        assert "does not let the bot through" in told(Refused, lambda: aws.who("dev", REGION))
    who = WHO.format(f"<Arn>{scene.dev.arn}</Arn><Account>{scene.aws.account}</Account>").encode()
    with broken.broken(broken.cut(broken.answer(200, who, "Content-Type: text/xml"))) as server:
        assert scene.open(endpoint_url="http://127.0.0.1:1", proxy=server.url).who("dev", REGION).arn == scene.dev.arn


def certificate(folder: Path) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "AWS of a test")])
    now, day = datetime.datetime.now(datetime.UTC), datetime.timedelta(days=1)
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(x509.random_serial_number()).not_valid_before(now - day).not_valid_after(now + day)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    crt, pem = folder / "aws.crt", folder / "aws.key"
    crt.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    form = serialization.PrivateFormat.PKCS8
    pem.write_bytes(key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()))
    return crt, pem


@contextmanager
def over_tls(app: Any, crt: Path, key: Path) -> Iterator[str]:
    port = broken.unused_port()
    config = uvicorn.Config(app, port=port, ssl_certfile=crt, ssl_keyfile=key, log_config=None, date_header=False)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + 60
    while not server.started and time.monotonic() < deadline:
        time.sleep(0.005)
    yield f"https://127.0.0.1:{port}"
    server.should_exit = server.force_exit = True
    thread.join(10)


def test_certificates_are_checked_against_the_settings(scene: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    """The CA of the settings is trusted and no other is, whatever the environment says."""
    crt, key = certificate(tmp_path)
    for name in ("REQUESTS_CA_BUNDLE", "AWS_CA_BUNDLE", "SSL_CERT_FILE"):
        monkeypatch.setenv(name, str(crt))
    with over_tls(scene.aws.app(), crt, key) as url:
        distrusted = scene.open(endpoint_url=url)
        said = told(Refused, lambda: distrusted.who("dev", REGION))
        assert "a certificate that the bot does not trust. Check aws.dev.ca_file" in said
        assert scene.open(endpoint_url=url, ca_file=str(crt)).who("dev", REGION).arn == scene.dev.arn
        missing = scene.open(endpoint_url=url, ca_file=str(tmp_path / "none"))
        assert "The CA file for AWS in us-east-1 is not there" in told(Refused, lambda: missing.who("dev", REGION))


def token(**changed: Any) -> bytes:
    good = {"authorizationToken": base64.b64encode(b"AWS:x").decode(), "expiresAt": time.time() + 9999,
            "proxyEndpoint": "https://123456789012.dkr.ecr.us-east-1.amazonaws.com"}  # fmt: skip
    return json.dumps({"authorizationData": [good | changed]}).encode()


GARBAGE = [
    b"", b"[]", b"null", b"{", b"\xff\xfe", b'"' + FOREIGN.encode() + b'"', b'{"authorizationData": []}',
    b'{"authorizationData": {}}', b'{"authorizationData": ["x"]}', b'{"authorizationData": [null]}',
    token(authorizationToken="???"), token(authorizationToken=""), token(authorizationToken=None),
    token(authorizationToken=base64.b64encode(b"eve:x").decode()), token(authorizationToken=base64.b64encode(b"AWS:").decode()),
    token(expiresAt=None), token(expiresAt="x"), token(expiresAt=1e300), token(proxyEndpoint=None),
    token(proxyEndpoint="https://<!channel>"), token(proxyEndpoint="https://[::"),
]  # fmt: skip


@pytest.mark.parametrize("body", GARBAGE)
def test_garbage_is_not_believed(scene: Any, body: bytes) -> None:
    """200 with something else than a token is Transient, in one sentence that names where to look."""
    head = "Content-Type: application/x-amz-json-1.1"
    with broken.broken(broken.cut(broken.answer(200, body, head))) as server:
        aws = scene.open(endpoint_url=server.url)
        assert "does not speak like AWS" in told(Transient, lambda: aws.token("dev", REGION))


@pytest.mark.parametrize(
    "result",
    ["", "<Arn>gobbledygook</Arn><Account>123456789012</Account>", "<Arn>arn:aws:iam::123456789012:user/x</Arn>",
     "<Arn>arn:aws:iam::123456789012:user/x &lt;!channel&gt;</Arn><Account>123456789012</Account>"],
)  # fmt: skip
def test_an_identity_that_is_none_is_not_believed(scene: Any, result: str) -> None:
    """Only what has the shape of an ARN and of an account comes through to people."""
    with broken.broken(broken.cut(broken.answer(200, WHO.format(result).encode(), "Content-Type: text/xml"))) as server:
        aws = scene.open(endpoint_url=server.url)
        assert "does not speak like AWS" in told(Transient, lambda: aws.who("dev", REGION))


CODES = st.sampled_from(sorted({code for case in CASES for code in case.codes} | {"AccessDenied", "", "Strange"}))
TEXTS = st.sampled_from([FOREIGN, "", f"User: {FOREIGN} is not authorized to perform: {FOREIGN}", "Signature expired",
                         "scoped to a valid region", "DurationSeconds exceeds", "{where} {0}"])  # fmt: skip
HOWS = st.sampled_from(["answered", "dns", "timeout", "cut", "certificate", "tls", "refused", *LOCALLY])


@given(HOWS, CODES, st.integers(0, 999), TEXTS, st.sampled_from(["who", "role", "web role", "token"]), st.floats())
def test_any_failure_has_a_sentence_of_ours(
    how: Any, code: str, status: int, text: str, wants: Any, skew: float
) -> None:
    """For every code, status and text there is one of our errors, with two sentences and nothing of the text."""
    error = refusal(Failure(how, code, status, text, skew), Doing(wants, "dev", REGION, role="arn:aws:iam::123456789012:role/x"))  # fmt: skip
    assert isinstance(error, Refused | Transient)
    assert FOREIGN not in str(error)
    assert "{" not in str(error)
    assert error.what.endswith(".")
    assert error.now.endswith(".")
    assert FOREIGN not in repr(Failure(how, code, status, text))
