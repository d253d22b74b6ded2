"""Whatever comes in over the trusted channel, it is answered, and only what has our shape gets through."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from slack_bolt.async_app import AsyncBoltRequest
from slack_sdk.web.async_client import AsyncWebClient

from bot.edges.metrics import Metrics
from bot.edges.parts import Parts
from bot.edges.payloads import AskPlace, Click, Command, Foreign, HomeOpened, Submission, Target, team_of
from bot.edges.slack import bolt
from bot.edges.threads import Threads
from bot.edges.whisper import Whisper

WORDS = st.sampled_from(
    ["U0APPROVER", "T0PLAYGRND", "C0ONCALL", "/rotate-demo", "/hivekeeper", "approve r-1", "approve", "deny", "ask",
     "block_actions", "view_submission", "view_closed", "event_callback", "app_home_opened", "shortcut", "home", "r-1", ""]
)  # fmt: skip
KEYS = st.sampled_from(
    ["type", "user", "id", "actions", "action_id", "value", "view", "callback_id", "hash", "state", "values", "event",
     "command", "text", "user_id", "channel_id", "trigger_id", "team", "team_id", "channel", "private_metadata", "tab"]
)  # fmt: skip
LEAVES = st.one_of(WORDS, st.text(max_size=20), st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False))
JSON = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=6), max_leaves=25
)
SHAPES = (Command, Click, Submission, HomeOpened)


@settings(deadline=None)
@given(JSON)
@pytest.mark.parametrize("shape", SHAPES)
def test_reading_raises_nothing_but_foreign(shape: Any, document: Any) -> None:
    """Any JSON either has the shape or raises Foreign."""
    try:
        shape.of(document)
    except Foreign as error:
        assert error.__cause__ is None


@settings(deadline=None)
@given(st.one_of(st.text(max_size=3000), JSON.map(json.dumps)))
@pytest.mark.parametrize("shape", [Target, AskPlace])
def test_values_raise_nothing_but_foreign(shape: Any, value: str) -> None:
    """Any text as button value or private metadata either is ours or raises Foreign; ours is only what we name."""
    try:
        read = shape.of(value)
    except Foreign:
        return
    assert set(json.loads(value)) <= set(type(read).model_fields)


@settings(deadline=None)
@given(JSON.filter(lambda d: isinstance(d, dict)))
def test_the_team_is_text_or_nothing(document: Any) -> None:
    """The workspace of a payload is never anything else."""
    assert isinstance(team_of(document), str | None)


def read_by_bolt(body: Any) -> AsyncBoltRequest | None:
    """The payload as Bolt takes it apart; some odd ones it cannot, before any of our code runs."""
    try:
        return AsyncBoltRequest(mode="socket_mode", body=body)
    except (AttributeError, TypeError, KeyError, IndexError):
        return None


@settings(
    max_examples=settings.default.max_examples * 3 // 10,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(bodies=st.lists(st.dictionaries(KEYS, JSON, max_size=8), min_size=5, max_size=5))
def test_any_payload_is_answered_200_and_decides_nothing(paper_desk: Any, bodies: list[Any]) -> None:
    """Bolt and our listeners together: no payload that Bolt can read fails, hangs or becomes a decision."""

    async def dispatch() -> list[int]:
        threads = Threads(2)
        client = AsyncWebClient("xoxb-made-up", base_url="http://127.0.0.1:9/api/", timeout=1, retry_handlers=[])
        app = bolt(client, Parts(paper_desk, threads, Whisper(client), Metrics(), lambda: "T0OURS"))
        answers = [await app.async_dispatch(request) for request in map(read_by_bolt, bodies) if request]
        await threads.close()
        return [answer.status for answer in answers]

    assert set(asyncio.run(dispatch())) <= {200}
    assert not paper_desk.decided
