"""Rate limits and faults, as a client meets them."""

from __future__ import annotations

import time

import pytest
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError
from slack_sdk.http_retry.builtin_handlers import RateLimitErrorRetryHandler

from playground.slack.errors import Limited
from playground.slack.limits import POST_BURST, Limits

ONCALL, OTHER = "C0ONCALL", "C0OTHER"


def test_one_post_a_second_in_each_channel():
    """After the burst one post a second is taken in a channel; other channels have their own measure."""
    now = [100.0]
    limits = Limits(lambda: now[0])
    for _ in range(POST_BURST):
        limits.count("chat.postMessage", 0, ONCALL)
    with pytest.raises(Limited) as refusal:
        limits.count("chat.postMessage", 0, ONCALL)
    assert refusal.value.after == 1
    limits.count("chat.postMessage", 0, OTHER)
    now[0] += 1
    limits.count("chat.postMessage", 0, ONCALL)
    with pytest.raises(Limited):
        limits.count("chat.postMessage", 0, ONCALL)


@pytest.mark.parametrize(("tier", "most", "wait"), [(2, 20, 3), (3, 50, 2), (4, 100, 1)])
def test_tiers(tier, most, wait):
    """A method may be called as often a minute as its tier says; Retry-After says when again."""
    now = [100.0]
    limits = Limits(lambda: now[0])
    for _ in range(most):
        limits.count("x", tier, "")
    with pytest.raises(Limited) as refusal:
        limits.count("x", tier, "")
    assert refusal.value.after == wait
    now[0] += wait
    limits.count("x", tier, "")


def test_too_many_posts_over_the_wire(place):
    """A burst too long is answered 429 with Retry-After and nothing posted; waiting that long is enough."""
    there = place()
    now = there.workspace.clock()
    there.workspace.clock = lambda: now
    for n in range(POST_BURST):
        there.client.chat_postMessage(channel=ONCALL, text=str(n))
    with pytest.raises(SlackApiError) as error:
        there.client.chat_postMessage(channel=ONCALL, text="x")
    assert error.value.response.status_code == 429
    assert error.value.response["error"] == "ratelimited"
    assert error.value.response.headers["Retry-After"] == "1"
    there.workspace.clock = lambda: now + 1
    there.client.chat_postMessage(channel=ONCALL, text="last")
    assert len(there.said()) == POST_BURST + 1


def test_down(place):
    """A Slack that is down breaks the connection and does nothing; up again, it works."""
    there = place()
    there.do("fault", method="*", kind="down", seconds=60)
    with pytest.raises(OSError):
        there.client.chat_postMessage(channel=ONCALL, text="x")
    assert there.workspace.messages == {}
    there.do("fault", kind="none")
    assert there.client.chat_postMessage(channel=ONCALL, text="x")["ok"]


def test_cut_after_posting(place):
    """A cut answer leaves the message posted: the client cannot know."""
    there = place()
    there.workspace.faults.add("chat.postMessage", "cut")
    with pytest.raises(OSError):
        there.client.chat_postMessage(channel=ONCALL, text="once")
    assert [m["text"] for m in there.said()] == ["once"]


def test_error_and_rate_limit_faults(place):
    """A 500 hits as often as asked, one method only; a 429 carries the asked Retry-After."""
    there = place()
    there.do("fault", method="chat.postMessage", kind="error500", count=2)
    for _ in range(2):
        with pytest.raises(SlackApiError) as error:
            there.client.chat_postMessage(channel=ONCALL, text="x")
        assert error.value.response.status_code == 500
    assert there.client.auth_test()["ok"]
    there.do("fault", method="auth.test", kind="ratelimited", seconds=7)
    with pytest.raises(SlackApiError) as error:
        there.client.auth_test()
    assert error.value.response.headers["Retry-After"] == "7"
    assert there.client.auth_test()["ok"]


def test_retry_handler_of_the_sdk(place):
    """The SDK's own rate limit handler gets through a 429 of this Slack."""
    there = place()
    client = WebClient(there.bot_token, base_url=f"{there.url}/api/")
    client.retry_handlers = [RateLimitErrorRetryHandler(max_retry_count=1)]
    there.workspace.faults.add("auth.test", "ratelimited", seconds=1)
    assert client.auth_test()["ok"]


def test_slow(place):
    """A slow method keeps its client waiting."""
    there = place()
    there.workspace.faults.add("auth.test", "slow", seconds=0.3)
    began = time.monotonic()
    there.client.auth_test()
    assert time.monotonic() - began >= 0.3


def test_end_of_a_fault(place):
    """A fault for some seconds is over when they are; an unknown kind is no fault."""
    there = place()
    space = there.workspace
    space.faults.add("*", "error500", seconds=5)
    now = space.clock
    space.clock = lambda: now() + 6
    assert there.client.auth_test()["ok"]
    assert "error" in there.do("fault", kind="sideways")
