"""Messages in a channel that is listened to reach the desk, once, in both modes; others do not."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

Start = Callable[..., Any]
CHANNEL, AWAY = "C0ONCALL", "C0AWAY"
TITLE = "[FIRING:1] redhat-auth us-south (critical)"
both = pytest.mark.parametrize("mode", ["socket", "http"])


def event(title: str = TITLE, *, name: str = "Ev1", channel: str = CHANNEL, **more: Any) -> dict[str, Any]:
    message = {
        "type": "message", "subtype": "bot_message", "bot_id": "B0ALERTS", "username": "Alertmanager", "text": "",
        "ts": "1767323045.000100", "channel": channel, "attachments": [{"id": 1, "title": title, "fallback": title}],
    }  # fmt: skip
    return {"type": "event_callback", "team_id": "T0PLAYGRND", "event_id": name, "event": {**message, **more}}


def deliver(world: Any, payload: Any) -> dict[str, Any]:
    return dict(world.forge("events_api", payload))


@both
def test_an_alert_in_the_channel_reaches_the_desk_once(start: Start, mode: str) -> None:
    """With the place of its message; delivered again it is the same notice."""
    world = start(mode)
    for _ in range(3):
        assert deliver(world, event())["ok"]
    (notice,) = world.desk.notices.values()
    assert (notice.origin, notice.channel, notice.ts) == ("channel", CHANNEL, "1767323045.000100")
    assert notice.alerts[0].name == "redhat-auth"


@both
def test_an_edited_alert_reaches_the_desk(start: Start, mode: str) -> None:
    """An edit to resolved is a second notice about the same message."""
    world = start(mode)
    deliver(world, event())
    before = event()["event"]
    after = event("[RESOLVED] redhat-auth us-south")["event"]
    edit = {"type": "message", "subtype": "message_changed", "channel": CHANNEL, "event_ts": "1767323345.000200"}
    changed = {**event(name="Ev2"), "event": {**edit, "message": after, "previous_message": before}}
    assert deliver(world, changed)["ok"]
    firing, over = world.desk.notices.values()
    assert (firing.alerts[0].identity, firing.ts) == (over.alerts[0].identity, over.ts)
    assert over.alerts[0].status == "resolved"


@both
def test_what_is_not_for_us_is_left_alone(start: Start, mode: str) -> None:
    """Other channels, our own messages, chatter, other workspaces and odd shapes are acknowledged and not stored."""
    world = start(mode)
    others = [
        event(channel=AWAY),
        event(bot_id="B0HIVEKEEP"),
        event("Deploy done"),
        event(user="U0ASKER", bot_id=None, subtype=None),
        event(channel=[CHANNEL]),
        event(attachments={"title": TITLE}),
        event(ts=7),
        {**event(), "team_id": "T0OTHERS"},
        {**event(), "event": {"type": "message"}},
    ]
    for payload in others:
        assert deliver(world, payload)["ok"], payload
    assert not world.desk.notices


@pytest.mark.parametrize("mode", ["http", pytest.param("socket", marks=pytest.mark.slow)])  # Slack waits for 3 s
def test_a_message_while_the_store_is_down_is_delivered_again(start: Start, mode: str) -> None:
    """It is not acknowledged, so Slack repeats it; then it is stored."""
    world = start(mode)
    patient = world.workspace.times
    world.desk.down, world.workspace.times = True, replace(patient, ack=3)
    assert not deliver(world, event()).get("ok")
    world.desk.down, world.workspace.times = False, patient
    assert deliver(world, event())["ok"]
    assert len(world.desk.notices) == 1


def test_our_own_posts_are_not_answered(start: Start, until: Start) -> None:
    """What the bot posts comes back as an event; though it quotes an alert and a log, nothing comes of it."""
    from slack_sdk import WebClient

    world = start("socket")
    client = WebClient(world.tokens[0], base_url=world.api_url, retry_handlers=[])
    posted = client.chat_postMessage(channel=CHANNEL, text="invalid_grant", attachments=[{"title": TITLE}])
    client.chat_update(channel=CHANNEL, ts=posted["ts"], text="invalid_grant again")
    until(lambda: len([e for e in seen(world) if e.get("message", e).get("ts") == posted["ts"]]) == 2)
    assert not world.desk.notices


@both
def test_a_persons_posted_log_is_a_notice(start: Start, until: Start, mode: str) -> None:
    """What a handler recognises, said by a person in the channel; other sentences are chatter."""
    world = start(mode)
    world.person("message", user="U0ASKER", channel=CHANNEL, text="good morning")
    world.person(
        "message", user="U0ASKER", channel=CHANNEL, text="error: invalid_grant: Offline user session not found"
    )
    until(lambda: world.desk.notices)
    (notice,) = world.desk.notices.values()
    assert "Offline user session" in notice.text
    assert notice.ts == world.workspace.messages[CHANNEL][-1]["ts"]


def seen(world: Any) -> list[dict[str, Any]]:
    """The message events that were delivered."""
    entries = [e["request"] for e in world.workspace.traffic.after(0) if e["direction"] == "to_bot"]
    return [e["event"] for e in json.loads(json.dumps(entries)) if e.get("event", {}).get("type") == "message"]
