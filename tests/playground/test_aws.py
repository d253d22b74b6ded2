"""What scenarios and the registry ask of the stand-in for Amazon."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from playground.aws import AwsStandIn, Keys
from playground.server import run_in_thread


@pytest.fixture
def aws() -> AwsStandIn:
    return AwsStandIn()


@pytest.fixture
def url(aws: AwsStandIn) -> Iterator[str]:
    server = run_in_thread(aws.app(), date_header=False)
    yield server.url
    server.stop()


def ask(url: str, keys: Keys, *, region: str = "us-east-1", change: dict[str, str] | None = None) -> httpx.Response:
    """GetAuthorizationToken, signed; `change` comes after the signature."""
    headers = {
        "X-Amz-Target": "AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken",
        "Content-Type": "application/x-amz-json-1.1",
    }
    request = AWSRequest("POST", f"{url}/", headers=headers, data="{}")
    SigV4Auth(Credentials(keys.key_id, keys.secret, keys.token or None), "ecr", region).add_auth(request)
    return httpx.post(f"{url}/", headers=dict(request.headers) | (change or {}), content=b"{}")


def password(answer: httpx.Response) -> str:
    data: dict[str, Any] = json.loads(answer.content)["authorizationData"][0]
    return base64.b64decode(data["authorizationToken"]).decode().removeprefix("AWS:")


def test_passwords_are_known_to_the_registry(aws: AwsStandIn, url: str) -> None:
    """A password is its principal's until everything is made to end; what was never given out is unknown."""
    keys = aws.user("bee")
    first, second = (password(ask(url, keys)) for _ in range(2))
    assert first != second
    assert [aws.password_good(each) for each in (first, second, "x")] == [keys.arn, keys.arn, None]
    aws.expire_all()
    third = password(ask(url, keys))
    assert [aws.password_good(each) for each in (first, second, third)] == ["expired", "expired", keys.arn]


def test_a_password_ends_by_itself(aws: AwsStandIn, url: str) -> None:
    """After its lifetime, by the stand-in's clock."""
    mine = password(ask(url, aws.user("bee")))
    aws.skew = 13 * 3600
    assert aws.password_good(mine) == "expired"


def test_time_is_told_once(aws: AwsStandIn, url: str) -> None:
    """The Date header is AWS's own, also when its clock is another than ours."""
    aws.skew = 600
    assert len(ask(url, aws.user("bee")).headers.get_list("date")) == 1


@pytest.mark.parametrize(
    ("change", "code"),
    [({"X-Amz-Date": "20200101T000000Z"}, "InvalidSignatureException"), ({"X-Amz-Date": "x"}, "MissingAuthenticationTokenException"),
     ({"Authorization": "Basic x"}, "MissingAuthenticationTokenException"),
     ({"X-Amz-Security-Token": "x"}, "UnrecognizedClientException")],
)  # fmt: skip
def test_a_request_that_was_changed_is_refused(aws: AwsStandIn, url: str, change: dict[str, str], code: str) -> None:
    """Its time, its form and its session token matter."""
    answer = ask(url, aws.user("bee"), change=change)
    assert (answer.status_code, answer.json()["__type"]) == (400, code)


def test_a_signature_covers_what_is_asked(aws: AwsStandIn, url: str) -> None:
    """Another operation than the one that was signed for is refused."""
    answer = ask(url, aws.user("bee"), change={"X-Amz-Target": "AmazonEC2ContainerRegistry_V20150921.PutImage"})
    assert b"SignatureDoesNotMatch" in answer.content
