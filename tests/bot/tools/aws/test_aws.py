"""Who the bot is in Amazon, and the tokens it gets there."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from bot.core.errors import Refused, Transient

REGION = "us-east-1"


def at_once(count: int, what: Any) -> list[Any]:
    """What each of so many threads got or met, all started at the same instant."""
    ready, came = threading.Barrier(count), []

    def run() -> None:
        ready.wait()
        try:
            came.append(what())
        except Exception as problem:
            came.append(problem)

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return came


def test_the_bot_knows_who_it_is(scene: Any) -> None:
    """STS says account and ARN, in the region that was asked for."""
    caller = scene.open().who("dev", "eu-central-1")
    assert (caller.account, caller.arn) == (scene.aws.account, scene.dev.arn)
    assert scene.aws.asked == [("GetCallerIdentity", scene.dev.key_id, "eu-central-1")]


def test_a_token_opens_the_registry(scene: Any, canary: Any) -> None:
    """Its password is one that the registry takes, for twelve hours, and it says which registry is our own."""
    token = scene.open().token("dev", REGION)
    password = canary.add("password", token.login.password.reveal())
    assert token.login.user == "AWS"
    assert scene.aws.password_good(password) == scene.dev.arn
    assert token.expires_at == pytest.approx(time.time() + 12 * 3600, abs=60)
    assert token.registry == f"{scene.aws.account}.dkr.ecr.{REGION}.amazonaws.com"
    assert password not in repr(token)


def test_a_token_is_used_again_while_it_lasts(scene: Any) -> None:
    """One for each region; a new one when the old one would end before it is needed, or has ended."""
    aws = scene.open()
    first = aws.token("dev", REGION)
    assert aws.token("dev", REGION, until=first.expires_at) is first
    assert aws.token("dev", "eu-west-1") is not first
    assert scene.aws.mints == 2
    scene.aws.lifetime = 13 * 3600
    assert aws.token("dev", REGION, until=first.expires_at + 1800) is not first
    scene.aws.lifetime = 30
    aws.token("dev", "us-west-2"), aws.token("dev", "us-west-2")
    assert scene.aws.mints == 5


def test_no_token_lasts_longer_than_aws_makes_it(scene: Any) -> None:
    """A validity that is not to be had is refused with the one that is."""
    with pytest.raises(Refused, match=r"ends in 12\.0 h"):
        scene.open().token("dev", REGION, until=time.time() + 13 * 3600)


def test_two_at_once_mint_one(scene: Any) -> None:
    """Eight steps that need the token in the same instant share one."""
    scene.aws.delay = 0.05
    aws = scene.open()
    tokens = at_once(8, lambda: aws.token("dev", REGION))
    assert len({id(token) for token in tokens}) == 1
    assert scene.aws.mints == 1


def test_a_failure_is_shared_and_not_kept(scene: Any) -> None:
    """Those who wait for a token that fails all hear of it after one call; later it is tried again."""
    scene.aws.delay, scene.aws.fault = 0.2, "away"
    aws = scene.open()
    came = at_once(8, lambda: aws.token("dev", REGION))
    assert {type(problem) for problem in came} == {Transient}
    assert len(scene.aws.asked) < 3
    scene.aws.fault, scene.aws.delay = "", 0
    assert aws.token("dev", REGION)


def test_an_access_that_is_not_there_is_named(scene: Any) -> None:
    """With those that are."""
    aws = scene.open()
    assert aws.names() == ("dev",)
    with pytest.raises(Refused, match=r"no AWS access 'prod'.*there are: dev"):
        aws.who("prod", REGION)


@pytest.mark.parametrize("region", ["", "us-east", "us-east-1.example.com", "../us-east-1", "US-EAST-1", "us-east-1\n"])
def test_a_region_that_is_none_goes_nowhere(scene: Any, region: str) -> None:
    """It would become part of a host name."""
    with pytest.raises(Refused, match="not the name of an AWS region"):
        scene.open().token("dev", region)
    assert scene.aws.asked == []


def test_the_environment_has_no_say(scene: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Neither keys nor profile, endpoint, proxy, authorities or files of it matter to a way in that names its keys."""
    wrong = tmp_path / "wrong"
    wrong.write_text("[[[")
    for name, value in {
        "AWS_ACCESS_KEY_ID": "AKIAWRONG", "AWS_SECRET_ACCESS_KEY": "wrong", "AWS_SESSION_TOKEN": "wrong",
        "AWS_PROFILE": "nobody", "AWS_ENDPOINT_URL": "http://127.0.0.1:1", "AWS_ENDPOINT_URL_STS": "http://127.0.0.1:1",
        "HTTP_PROXY": "http://127.0.0.1:1", "http_proxy": "http://127.0.0.1:1", "AWS_CA_BUNDLE": str(wrong),
        "REQUESTS_CA_BUNDLE": str(wrong), "AWS_CONFIG_FILE": str(wrong), "AWS_SHARED_CREDENTIALS_FILE": str(wrong),
        "AWS_MAX_ATTEMPTS": "9", "AWS_USE_FIPS_ENDPOINT": "true", "AWS_DEFAULTS_MODE": "strange",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    assert scene.open().who("dev", REGION).arn == scene.dev.arn


def test_nothing_is_told_to_logs_or_disk(
    scene: Any, canary: Any, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    """At the most talkative level there are no keys and no password in the log, and botocore leaves no file."""
    caplog.set_level(logging.DEBUG)
    role = scene.aws.role("reader", trusts=(scene.dev.arn,))
    aws = scene.open(more={"prod": {"method": "assume_role", "source": "dev", "role_arn": role}})
    canary.add("password", aws.token("prod", REGION).login.password.reveal())
    scene.aws.fault = "bad signature"
    with pytest.raises(Refused):
        aws.who("dev", REGION)
    assert "botocore" not in caplog.text
    assert not (tmp_path / "home").exists()
    assert scene.dev.key_id not in repr(vars(aws))


def test_botocore_loads_at_the_first_call() -> None:
    """The bot starts without it: importing and opening the tool loads neither it nor urllib3."""
    code = (
        "import sys, json; from bot.cloud import AwsAccess; from bot.tools.aws import AwsAccounts; "
        "AwsAccounts({'a': AwsAccess()}, None).names(); print(json.dumps(sorted(sys.modules)))"
    )
    environment = {"PATH": os.environ["PATH"]}
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True, env=environment
    )
    assert not {"botocore", "boto3", "urllib3", "requests"} & set(json.loads(found.stdout))
