"""What the bot relies on in AWS: STS and ECR's login. Asked of the stand-in; of moto's server, with its IAM switched on
(slow); and of the real one when HIVEKEEPER_LIVE_AWS_KEY_ID and HIVEKEEPER_LIVE_AWS_SECRET are set (_TOKEN for session
keys, _REGION, and _ROLE for a role that they may take on). It changes nothing there."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import re
import secrets
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from bot.cloud import AwsAccess
from bot.core.errors import Refused, Transient
from bot.core.secret import Secret
from bot.settings import parse
from bot.tools.aws import AwsAccounts
from playground.aws import AwsStandIn
from playground.broken import unused_port
from playground.child import clean_environment, leashed
from playground.server import run_in_thread

LIVE = {
    part: os.environ.get(f"HIVEKEEPER_LIVE_AWS_{part}", "") for part in ("KEY_ID", "SECRET", "TOKEN", "REGION", "ROLE")
}
REGION = LIVE["REGION"] or "us-east-1"
EXAMPLE = "arn:aws:iam::123456789012:role/of-nobody"


@dataclass
class Place:
    """`allowed` and `denied`: key id, secret and session token; `denied` may do nothing. `role`: what `allowed` may take
    on. Empty: this place has none."""

    url: str | None
    allowed: tuple[str, str, str]
    denied: tuple[str, str, str] | None = None
    role: str = ""
    ends_right: bool = True  # is the end of a token in the future?
    known: dict[str, str] = field(default_factory=dict)

    def open(self, keys: tuple[str, str, str] | None = None, role: str = "") -> AwsAccounts:
        key_id, secret, token = keys or self.allowed
        self.known = {"KEY_ID": key_id, "SECRET": secret, "TOKEN": token}
        auth = {"method": "static", "access_key_id": {"env": "KEY_ID"}, "secret_access_key": {"env": "SECRET"}}
        if token:
            auth |= {"session_token": {"env": "TOKEN"}}
        assume = {"method": "assume_role", "source": "dev", "role_arn": role or EXAMPLE}
        document = {"aws": {name: {"auth": it, "endpoint_url": self.url, "timeout": 20}
                            for name, it in (("dev", auth), ("prod", assume))}}  # fmt: skip
        return AwsAccounts(parse(document, "settings of the test").aws, lambda source: Secret(self.known[source.env]))


def stand_in() -> Iterator[Place]:
    aws = AwsStandIn()
    allowed, denied = aws.user("allowed"), aws.user("denied", may=frozenset())
    role = aws.role("reader", trusts=(allowed.arn,))
    server = run_in_thread(aws.app(), date_header=False)
    yield Place(server.url, (allowed.key_id, allowed.secret, ""), (denied.key_id, denied.secret, ""), role)
    server.stop()


def moto() -> Iterator[Place]:
    """With the rights of IAM enforced after what is made here."""
    port = unused_port()
    url = f"http://127.0.0.1:{port}"
    command = leashed([sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)])
    environment = clean_environment() | {"INITIAL_NO_AUTH_ACTION_COUNT": "5"}
    server = subprocess.Popen(
        command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        _listens(server, f"{url}/moto-api/")
        yield _with_users(url)
    finally:
        server.terminate()
        server.wait(20)


def _listens(server: subprocess.Popen[bytes], address: str) -> None:
    deadline = time.monotonic() + 60
    while server.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(OSError):
            urllib.request.build_opener(urllib.request.ProxyHandler({})).open(address, timeout=5).close()
            return
        time.sleep(0.05)
    raise AssertionError("moto did not start")


def _with_users(url: str) -> Place:
    import botocore.session

    iam = botocore.session.Session().create_client(
        "iam", region_name=REGION, endpoint_url=url, aws_access_key_id="x", aws_secret_access_key="x", verify=False
    )
    actions = ["ecr:GetAuthorizationToken", "sts:AssumeRole", "sts:GetCallerIdentity"]
    policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": actions, "Resource": "*"}]}
    made = []
    for name in ("allowed", "denied"):
        iam.create_user(UserName=name)
        key = iam.create_access_key(UserName=name)["AccessKey"]
        made.append((key["AccessKeyId"], key["SecretAccessKey"], ""))
    iam.put_user_policy(UserName="allowed", PolicyName="p", PolicyDocument=json.dumps(policy))
    return Place(url, made[0], made[1], EXAMPLE, ends_right=False)


def live() -> Iterator[Place]:
    yield Place(None, (LIVE["KEY_ID"], LIVE["SECRET"], LIVE["TOKEN"]), role=LIVE["ROLE"])


PLACES = {"stand-in": stand_in, "moto": moto, "live": live}


@pytest.fixture(
    scope="module",
    params=["stand-in", pytest.param("moto", marks=pytest.mark.slow), *(["live"] if LIVE["KEY_ID"] else [])],
)
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    yield from PLACES[request.param]()


def told(ask: Any) -> str:
    with pytest.raises(Refused) as caught:
        ask()
    return str(caught.value)


def test_who_we_are(place: Place) -> None:
    """An account of twelve digits, and an ARN of that account."""
    caller = place.open().who("dev", REGION)
    assert re.fullmatch("[0-9]{12}", caller.account)
    assert caller.arn.split(":")[4] == caller.account


def test_a_token_is_a_login_for_a_registry(place: Place) -> None:
    """One entry: base64 of AWS and a password, an end, and the address of the account's own registry."""
    from bot.tools import aws_wire
    from bot.tools.aws_told import Doing

    key_id, secret, session = place.allowed
    keys = aws_wire.keys(key_id, secret, session or None)
    access = AwsAccess(endpoint_url=place.url, timeout=60)
    answer = aws_wire.call(access, Doing("token", "dev", REGION), "GetAuthorizationToken", keys, time.time)
    (data,) = answer["authorizationData"]
    user, _, password = base64.b64decode(data["authorizationToken"]).decode().partition(":")
    assert user == "AWS"
    assert password
    assert data["expiresAt"].timestamp() > (time.time() + 11 * 3600 if place.ends_right else 0)
    assert re.fullmatch(rf"https://[0-9]{{12}}\.dkr\.ecr\.{REGION}\.amazonaws\.com", data["proxyEndpoint"])


def test_the_bot_takes_that_token(place: Place) -> None:
    """As its tool gives it to steps; one that has ended already (moto's ends in 2015) is taken for none of AWS's."""
    if not place.ends_right:
        with pytest.raises(Transient, match="does not speak like AWS"):
            place.open().token("dev", REGION)
        return
    token = place.open().token("dev", REGION)
    assert token.login.user == "AWS"
    assert token.expires_at > time.time() + 11 * 3600


def test_a_key_that_is_not_there(place: Place) -> None:
    """STS says so with a code of its own, to who asks for its identity and to who asks for a role."""
    aws = place.open(("AKIA" + secrets.token_hex(8).upper(), "x" * 40, ""))
    for access in ("dev", "prod"):
        assert "does not know the key of access dev (403)" in told(lambda a=access: aws.who(a, REGION))  # type: ignore[misc]


def test_a_secret_that_is_another(place: Place) -> None:
    """Told apart from a key that is not there."""
    key_id, _, session = place.allowed
    assert "does not accept the secret key" in told(lambda: place.open((key_id, "x" * 40, session)).who("dev", REGION))


def test_a_role_is_taken_on(place: Place) -> None:
    """Its session is another identity, of the role's account."""
    if place.role:
        caller = place.open(role=place.role).who("prod", REGION)
        assert ":assumed-role/" in caller.arn
        assert caller.account == place.role.split(":")[4]


def test_a_right_that_is_lacking(place: Place) -> None:
    """The denial names the principal and the action."""
    if place.denied:
        aws = place.open(place.denied)
        assert aws_user(told(lambda: aws.token("dev", REGION))) == "may not use ecr:GetAuthorizationToken"
        assert aws_user(told(lambda: aws.who("prod", REGION))) == f"may not take on {EXAMPLE}"


def aws_user(sentence: str) -> str:
    """What is denied to the user `denied`."""
    found = re.match(r"arn:aws:iam::[0-9]{12}:user/denied (may not (?:use|take on) \S+)", sentence)
    assert found, sentence
    return found[1]
