"""What the bot says, and does not say, when Vault or the way to it is broken."""

from __future__ import annotations

import datetime
import ipaddress
import json
import subprocess
import sys
import threading
import time
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
from bot.core.secret import Secret
from bot.tools.vault_told import Doing, Reply, refusal
from playground import broken
from playground.server import run_in_thread
from playground.vault import VaultStandIn
from playground.vault_answers import Answer
from playground.vault_faults import Fault

FOREIGN = "gobbledygook"  # in every answer of a broken server; must be in no sentence of ours
PATH = "sd-uhc/sandbox"


def told_by(vault: Any, kind: type[Told]) -> str:
    """The sentence of a read that fails; no foreign error may hang on it."""
    with pytest.raises(kind) as caught:
        vault.read(PATH, "config")
    error = caught.value
    assert type(error) is kind
    assert error.__cause__ is None
    assert error.__context__ is None
    assert FOREIGN not in repr(error)
    assert error.what.endswith(".")
    assert error.now.endswith(".")
    return str(error)


ANSWERS = [
    (400, Refused, "Vault did not understand the request to"),
    (405, Refused, "is not a KV secrets engine"),
    (412, Transient, "is behind the others"),
    (418, Refused, "Vault did not understand the request to"),
    (429, Transient, "Vault is asked too often"),
    (472, Transient, "is a standby"),
    (473, Transient, "is a standby"),
    (500, Transient, "Vault failed inside"),
    (501, Refused, "Vault is not initialised"),
    (502, Transient, "behind its load balancer"),
    (503, Transient, "behind its load balancer"),
    (504, Transient, "behind its load balancer"),
]


@pytest.mark.parametrize(("status", "kind", "words"), ANSWERS)
def test_each_status_has_its_sentence(
    status: int, kind: type[Told], words: str, stand_in: VaultStandIn, open_it: Any
) -> None:
    """A status of Vault is told in our words with its number and the path, never in Vault's; health comes back."""
    stand_in.put(PATH, {"config": "x"})
    vault = open_it()
    vault.read(PATH, "config")
    stand_in.faults.add(Fault(path=PATH, answer=Answer(status, {"errors": [FOREIGN], "warnings": [FOREIGN]})))
    said = told_by(vault, kind)
    assert words in said
    assert f"({status})" in said
    stand_in.heal()
    assert vault.read(PATH, "config").reveal() == "x"


@pytest.mark.parametrize("status", [400, 429, 500, 502, 503])
def test_trouble_at_the_login_is_told_too(status: int, stand_in: VaultStandIn, open_it: Any) -> None:
    """The first call meets the trouble at the look-up of its token; nothing is half logged in afterwards."""
    stand_in.put(PATH, {"config": "x"})
    stand_in.faults.add(Fault(path="auth", answer=Answer(status, {"errors": [FOREIGN]})))
    vault = open_it()
    told_by(vault, Refused if status == 400 else Transient)
    stand_in.heal()
    assert vault.read(PATH, "config").reveal() == "x"


def test_sealed_and_lost(stand_in: VaultStandIn, open_it: Any) -> None:
    """Both may pass by themselves and are waited for; of a sealed one it is also said who can end it."""
    stand_in.put(PATH, {"config": "x"})
    vault = open_it()
    stand_in.sealed = True
    said = told_by(vault, Transient)
    assert "Vault is sealed (503)" in said
    assert "unseal" in said
    stand_in.heal()
    stand_in.standby = "lost"
    assert "Vault has no active node just now (500)" in told_by(vault, Transient)
    stand_in.heal()
    assert vault.read(PATH, "config").reveal() == "x"


def test_waiting_time_is_passed_on(stand_in: VaultStandIn, open_it: Any) -> None:
    """429 with Retry-After: the error carries the seconds."""
    stand_in.faults.add(Fault(answer=Answer(429, {"errors": []}, headers={"Retry-After": "7"})))
    with pytest.raises(Transient) as told:
        open_it().read(PATH, "config")
    assert told.value.after == 7


GARBAGE = [
    b"",
    b"<html>" + FOREIGN.encode(),
    b"[]",
    b'"' + FOREIGN.encode() + b'"',
    b"null",
    b"{",
    b"\xff\xfe",
    b'{"data": "' + FOREIGN.encode() + b'"}',
    b'{"data": null}',
    b"[" * 100_000,
]
NOT_V2 = [
    b'{"data": {"data": 7, "metadata": {"version": 1}}}',
    b'{"data": {"data": {}, "metadata": {"version": "gobbledygook"}}}',
    b'{"data": {"data": {}, "metadata": {"version": true}}}',
    b'{"data": {"data": {}, "metadata": []}}',
    b'{"data": {"data": {}}}',
]


@pytest.mark.parametrize("body", GARBAGE)
@pytest.mark.parametrize("path", ["", "sys", "sd-uhc", "kv", "auth"])
def test_garbage_is_not_believed(path: str, body: bytes, stand_in: VaultStandIn, open_it: Any) -> None:
    """200 with something else than Vault's JSON, anywhere on the way: one sentence that names the address."""
    mine = "kv/sandbox" if path == "kv" else PATH
    stand_in.put(mine, {"config": "x"})
    stand_in.faults.add(Fault(path=path, answer=Answer(200, raw=body)))
    with pytest.raises(Transient, match="does not speak like Vault") as told:
        open_it().read(mine, "config")
    assert FOREIGN not in str(told.value)
    assert "vault.address" in told.value.now


@pytest.mark.parametrize("body", NOT_V2)
def test_wrong_shapes_of_version_2_are_not_believed(body: bytes, stand_in: VaultStandIn, open_it: Any) -> None:
    """A document without a version number must not be written over as if it were new."""
    stand_in.put("kv/x", {"a": "old"})
    stand_in.faults.add(Fault(path="kv", answer=Answer(200, raw=body)))
    with pytest.raises(Transient, match="does not speak like Vault"):
        open_it().write("kv/x", {"a": Secret("new")}, run="r-1")
    assert stand_in.get("kv/x") == {"a": "old"}


BREAKS = [
    ("reset", broken.reset, "The connection to Vault at 127.0.0.1 failed"),
    ("closed", broken.cut(b""), "The connection to Vault at 127.0.0.1 failed"),
    ("cut in the head", broken.cut(b"HTTP/1.1 200 O"), "does not speak like Vault"),
    ("cut in the body", broken.cut(broken.answer(200, b'{"data": {"ttl": 0}}')[:-3]), "The connection to"),
    ("not HTTP", broken.cut(b"SSH-2.0-" + FOREIGN.encode() + b"\r\n"), "The connection to Vault at 127.0.0.1 failed"),
    ("silent", broken.silent, "Vault at 127.0.0.1 did not answer within 0.5 s"),
    ("silent after the head", broken.drip(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n12", 0.001), "The connection"),
]


@pytest.mark.parametrize(("breaks", "words"), [b[1:] for b in BREAKS], ids=[b[0] for b in BREAKS])
def test_broken_connections_are_told(breaks: Any, words: str, open_it: Any) -> None:
    """Whatever breaks on the network is Transient, says where, and is asked once only: the engine repeats."""
    with broken.broken(breaks) as server:
        patience = 0.5 if "within" in words else 60
        assert words in told_by(open_it(address=server.url, timeout=patience), Transient)
        assert server.came(1) == 1


def test_nobody_listens_and_no_such_name(open_it: Any) -> None:
    """A closed port and an unknown host are Transient, with the host's name."""
    closed = told_by(open_it(address=f"http://127.0.0.1:{broken.unused_port()}"), Transient)
    unknown = told_by(open_it(address="https://vault.invalid:8200"), Transient)
    assert "The connection to Vault at 127.0.0.1 failed" in closed
    assert "The connection to Vault at vault.invalid failed" in unknown


@pytest.mark.parametrize("address", ["vault.example.com", "ftp://127.0.0.1", "http://", "http://[::", "https://a b"])
def test_an_address_that_is_none_is_refused(address: str, open_it: Any) -> None:
    """A wrong address is told by the setting's name."""
    assert "vault.address" in told_by(open_it(address=address), Refused)


def test_a_slow_vault_is_waited_for_within_the_timeout(stand_in: VaultStandIn, open_it: Any) -> None:
    """Slower than usual is fine; slower than the timeout is Transient with the number of seconds."""
    stand_in.put(PATH, {"config": "x"})
    stand_in.faults.add(Fault(delay=0.1))
    assert open_it().read(PATH, "config").reveal() == "x"
    stand_in.faults.add(Fault(path=PATH, delay=60))
    hasty = open_it(timeout=0.5)
    assert "did not answer within 0.5 s when asked to read sd-uhc/sandbox" in told_by(hasty, Transient)


def test_an_answer_cut_after_a_write_is_not_taken_for_success(stand_in: VaultStandIn, open_it: Any) -> None:
    """The write was stored but its answer never came: Transient, and the same run's second try finds it done."""
    stand_in.put("kv/x", {"a": "old"})
    vault = open_it()
    stand_in.faults.add(Fault(path="kv/x", capabilities=("update",), cut=10, times=1))
    with pytest.raises(Transient):
        vault.write("kv/x", {"a": Secret("new")}, run="r-1")
    assert stand_in.get("kv/x") == {"a": "new"}
    stand_in.log.clear()
    vault.write("kv/x", {"a": Secret("new")}, run="r-1")
    assert {entry.method for entry in stand_in.log} == {"GET"}


def test_redirects_stay_at_home(stand_in: VaultStandIn, open_it: Any, vault_server: Any) -> None:
    """A standby's redirect on the same host is followed; to another host the token does not go."""
    stand_in.put(PATH, {"config": "x"})
    standby = VaultStandIn()
    standby.standby = vault_server.url
    server = run_in_thread(standby.app())
    try:
        assert open_it(address=server.url).read(PATH, "config").reveal() == "x"
        for elsewhere in ("http://localhost:1", "https://127.0.0.1:1", "//localhost/x"):
            standby.standby = elsewhere
            assert "sent the bot to another address" in told_by(open_it(address=server.url), Refused)
        standby.standby = server.url
        assert "round in circles" in told_by(open_it(address=server.url), Transient)
    finally:
        server.stop()


def test_a_token_with_a_line_break_is_not_shown(open_it: Any, canary: Any) -> None:
    """requests quotes a bad header in its error; ours does not."""
    for bad in ("\n", "\r\nx: y", "\udc80", "ü€"):
        secret = canary("bad") + bad
        said = told_by(open_it(resolve=lambda _, s=secret: Secret(s)), Refused)
        assert "characters that no token has" in said


def certificate(folder: Path, name: str) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key())
        .serial_number(x509.random_serial_number()).not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    (folder / f"{name}.crt").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    (folder / f"{name}.key").write_bytes(key.private_bytes(encoding, form, serialization.NoEncryption()))
    return folder / f"{name}.crt", folder / f"{name}.key"


def test_certificates_are_checked_against_the_settings(
    stand_in: VaultStandIn, open_it: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """TLS: the CA of the settings is trusted, no other is, whatever the environment says; plain HTTP is told."""
    stand_in.put(PATH, {"config": "x"})
    good, key = certificate(tmp_path, "good")
    other, _ = certificate(tmp_path, "other")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(good))
    monkeypatch.setenv("SSL_CERT_FILE", str(good))
    with tls(stand_in, good, key) as address:
        for ca_file in (other, None):
            assert "a certificate that the bot does not trust" in told_by(open_it(address=address, ca_file=ca_file), Refused)  # fmt: skip
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(other))
        assert open_it(address=address, ca_file=good).read(PATH, "config").reveal() == "x"
        assert "vault.ca_file" in told_by(open_it(address=address, ca_file=tmp_path / "none"), Refused)
        told_by(open_it(address=address.replace("https", "http"), ca_file=good), Transient)


class tls:
    """The stand-in over TLS."""

    def __init__(self, stand_in: VaultStandIn, crt: Path, key: Path) -> None:

        self._port = broken.unused_port()
        config = uvicorn.Config(stand_in.app(), port=self._port, ssl_certfile=crt, ssl_keyfile=key, log_config=None)
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, daemon=True)

    def __enter__(self) -> str:

        self._thread.start()
        deadline = time.monotonic() + 60
        while not self._server.started and time.monotonic() < deadline:
            time.sleep(0.01)
        return f"https://127.0.0.1:{self._port}"

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = self._server.force_exit = True
        self._thread.join(10)


JSONISH = st.recursive(
    st.none() | st.booleans() | st.integers() | st.just(FOREIGN),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["errors", "warnings", "x"]), inner),
    max_leaves=8,
)


@given(st.integers(201, 999), st.dictionaries(st.sampled_from(["errors", "warnings", "data"]), JSONISH), st.booleans())
def test_any_answer_has_a_sentence_of_ours(status: int, document: dict[str, Any], unknown: bool) -> None:
    """For every status and body there is one of our errors, with two sentences and nothing of the body."""
    error = refusal(Reply(status, document), Doing("read", "a/b"), token_unknown=unknown)
    assert isinstance(error, Refused | Transient)
    assert FOREIGN not in str(error)
    assert "{" not in str(error)
    assert error.now
    assert FOREIGN not in repr(Reply(status, document))


def test_the_client_loads_at_the_first_call(tmp_path: Path) -> None:
    """Importing and opening the tools loads neither hvac nor kubernetes nor requests: the bot starts fast."""

    code = (
        "import sys; from bot import settings as s; from bot.tools import vault, cluster, references; "
        "vault.open_vault(s.Vault(address='https://x', auth=s.TokenAuth(token=s.FromEnv(env='X'))), None, None).reader; "
        "cluster.Clusters({}); import json; print(json.dumps(sorted(sys.modules)))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert not {"hvac", "requests", "kubernetes", "urllib3"} & set(json.loads(found.stdout))
