"""Slack's clients are built with the right token, and without the retry that posts twice."""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Callable
from typing import Any

import pytest

from bot.core.errors import Refused
from bot.core.secret import Secret
from bot.settings import Slack
from bot.tools import slack_clients

SLACK = Slack(api_url="http://127.0.0.1:9/api/", timeout=3)


@pytest.mark.parametrize(
    "build",
    [
        lambda token: slack_clients.web_client(SLACK, token),
        lambda token: slack_clients.async_web_client(SLACK, token),
        slack_clients.socket,
    ],
    ids=["blocking", "async", "socket"],
)
@pytest.mark.parametrize("plain", ["", "hunter2-not-a-token", "xoxp-another-kind"])
def test_another_token_in_its_place_is_refused(build: Callable[[Secret], Any], plain: str) -> None:
    """A token of another kind is noticed before it is sent anywhere; the sentence does not show it."""
    with pytest.raises(Refused) as caught:
        build(Secret(plain))
    assert not plain or plain not in str(caught.value)


def test_clients_do_not_retry() -> None:
    """Neither client has a handler that sends a request a second time; both take the timeout of the settings."""
    for client in (
        slack_clients.web_client(SLACK, Secret("xoxb-made-up\n")),
        slack_clients.async_web_client(SLACK, Secret("xoxb-made-up\n")),
    ):
        assert client.retry_handlers == []
        assert client.timeout == 3
        assert client.token == "xoxb-made-up"


def test_a_signature_is_checked(canary: Any) -> None:
    """Right secret, body and time pass; each of them wrong fails."""
    secret, now = canary("signing"), str(int(time.time()))
    verify = slack_clients.signature_check(Secret(secret))

    def signature(body: bytes, stamp: str) -> str:
        return "v0=" + hmac.new(secret.encode(), f"v0:{stamp}:".encode() + body, hashlib.sha256).hexdigest()

    old = str(int(now) - 301)
    assert verify(b"a=1", now, signature(b"a=1", now))
    assert not verify(b"a=2", now, signature(b"a=1", now))
    assert not verify(b"a=1", old, signature(b"a=1", old))
    with pytest.raises(Refused):
        slack_clients.signature_check(Secret(" "))
