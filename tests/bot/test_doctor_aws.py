"""`hivekeeper check` about the ways into Amazon."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bot import doctor
from bot.app import Parts
from bot.settings import parse
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


def checked(auths: dict[str, Any], url: str) -> dict[str, doctor.Finding]:
    aws = {name: {"auth": auth, "endpoint_url": url, "region": "eu-west-1"} for name, auth in auths.items()}
    return {found.subject: found for found in doctor.aws(Parts(parse({"aws": aws}, "settings of the test")))}


def static(keys: Keys, folder: Path, canary: Any) -> dict[str, Any]:
    named: dict[str, Any] = {}
    for part, text in (("access_key_id", keys.key_id), ("secret_access_key", keys.secret)):
        path = folder / f"{keys.key_id}-{part}"
        path.touch(mode=0o600)
        path.write_text(text)
        canary.may_hold(path)
        named[part] = {"file": str(path)}
    return {"method": "static", **named}


def test_all_is_well(aws: AwsStandIn, url: str, tmp_path: Path, canary: Any) -> None:
    """Who we are, and how long a token lasts; a way in that only leads to a role is not asked for a token."""
    keys = aws.user("bee", secret=canary("secret"), may=frozenset({"sts:AssumeRole"}))
    role = aws.role("reader", trusts=(keys.arn,))
    auths = {
        "dev": static(keys, tmp_path, canary),
        "prod": {"method": "assume_role", "source": "dev", "role_arn": role},
    }
    found = checked(auths, url)
    assert {subject: finding.good for subject, finding in found.items()} == dict.fromkeys(
        ("aws dev", "aws prod", "aws prod ecr"), True
    )
    assert found["aws dev"].told == f"is {keys.arn}."
    assert found["aws prod ecr"].told == (f"a token for {aws.account}.dkr.ecr.eu-west-1.amazonaws.com lasts 12.0 h.")


def test_what_is_wrong_is_told(aws: AwsStandIn, url: str, tmp_path: Path, canary: Any) -> None:
    """No right to a token; a key that is gone, of which no token is asked for."""
    poor, gone = aws.user("poor", secret=canary("one"), may=frozenset()), aws.user("gone", secret=canary("two"))
    aws.revoke(gone)
    found = checked({"poor": static(poor, tmp_path, canary), "gone": static(gone, tmp_path, canary)}, url)
    assert {subject: finding.good for subject, finding in found.items()} == {
        "aws poor": True, "aws poor ecr": False, "aws gone": False,
    }  # fmt: skip
    assert "ecr:GetAuthorizationToken" in found["aws poor ecr"].told
    assert "aws.gone.auth" in found["aws gone"].now


def test_nothing_is_set() -> None:
    """Without a way into Amazon there is nothing to say."""
    assert checked({}, "http://127.0.0.1:1") == {}
