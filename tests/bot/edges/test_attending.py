"""The buttons of an incident: what they ask the desk for, and what they refuse to carry."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from slack_sdk import WebClient

from bot.core.diagnosis import Diagnosis, Mood, Offer, RunbookStep
from bot.core.incident import IncidentState, IncidentView
from bot.core.ports import Place
from bot.edges import offers
from bot.edges.messenger import SlackMessenger

ASKER, STRANGER, CHANNEL = "U0ASKER", "U0STRANGER", "C0ONCALL"
Start = Callable[..., Any]
ALPHA = Offer(label="Rotate alpha", command="rotate-demo", ask={"only": "alpha"})
GONE = Offer(label="Page the squad", command="no-such-command")
STALE = Offer(label="Grant", command="grant-demo", ask={"whom": "renamed since"})


def story(**more: Any) -> IncidentView:
    found = Diagnosis(
        verdict="down",
        mood=Mood.BAD,
        title="Nothing logs in",
        steps=(RunbookStep(name="call", text="Call them."), RunbookStep(name="rotate", text="Rotate.", offer=ALPHA)),
        offers=(GONE, STALE),
    )
    basic = {"id": "i-abc2345", "revision": 1, "handler": "demo", "key": "eu", "opened_at": time.time()}
    return IncidentView.model_validate({**basic, "state": IncidentState.OPEN, "diagnosis": found, **more})


def posted(world: Any, thread: str | None = None, **more: Any) -> str:
    """The incident's message in the channel or a thread; its ts."""
    view = story(**more)
    world.desk.stories[view.id] = view
    client = WebClient(world.tokens[0], base_url=world.api_url, retry_handlers=[])
    return SlackMessenger(client).post(Place(channel=CHANNEL, thread=thread), view, "i-abc2345/head")


def press(world: Any, ts: str, label: str, user: str = ASKER) -> dict[str, Any]:
    """Press the button with this label, wherever in the message it is."""
    for block in world.workspace.message(CHANNEL, ts)["blocks"]:
        for element in [*block.get("elements", []), block.get("accessory")]:
            if element and element.get("type") == "button" and element["text"]["text"] == label:
                return dict(
                    world.person(
                        "action", user=user, channel=CHANNEL, message_ts=ts, block_id=block["block_id"],
                        action_id=element["action_id"],
                    )
                )  # fmt: skip
    raise AssertionError(f"no button {label!r}")


@pytest.mark.parametrize("mode", ["socket", "http"])
def test_an_offer_becomes_a_request_of_who_pressed(start: Start, mode: str) -> None:
    """Command and parameters come from the stored diagnosis, asker and incident from the click; twice is once."""
    world = start(mode)
    ts = posted(world)
    assert press(world, ts, "Rotate alpha") == {"ok": True}
    (request,) = world.desk.requests.values()
    assert (request.command, request.ask, request.text) == ("rotate-demo", {"only": "alpha"}, "only=alpha")
    assert (request.asker, request.channel, request.incident) == (ASKER, CHANNEL, "i-abc2345")
    assert "r-0000000" in world.told("Looking into it")
    entries = [e["request"] for e in world.workspace.traffic.after(0) if e["direction"] == "to_bot"]
    again = next(json.loads(json.dumps(e)) for e in reversed(entries) if e.get("type") == "block_actions")
    world.forge("interactive", again)
    assert len(world.desk.requests) == 1


def test_who_pressed_is_told_where_the_button_is(start: Start) -> None:
    """In the thread, for who looks at a thread does not see the channel; in the channel where the thread begins."""
    world = start("http")
    alert = world.person("message", user=ASKER, channel=CHANNEL, text="It fires")["ts"]
    below = posted(world, alert)
    press(world, below, "I am on it")
    world.told("Noted: take")
    head = posted(world)
    posted(world, head)
    press(world, head, "Look again")
    world.told("Noted: look")
    whispers = world.workspace.ephemerals[ASKER, CHANNEL]
    assert [message.get("thread_ts") for message in whispers] == [alert, None]


@pytest.mark.parametrize(
    ("label", "action", "step"),
    [("I am on it", "take", ""), ("Look again", "look", ""), ("Close", "close", ""), ("Done", "tick", "call")],
)
def test_what_people_do_reaches_the_desk(start: Start, label: str, action: str, step: str) -> None:
    """Each button asks for its action on this incident by this person, who reads what came of it."""
    world = start("http")
    press(world, posted(world), label)
    assert list(world.desk.acted.values()) == [("i-abc2345", ASKER, action, step)]
    assert world.told(f"Noted: {action}.")


def test_the_rule_of_the_command_counts(start: Start) -> None:
    """Who may not ask for the command may not ask by a button either."""
    world = start("http")
    press(world, posted(world), "Rotate alpha", STRANGER)
    assert world.told("You may not ask for this command.", STRANGER)
    assert not world.desk.requests


def test_an_offer_that_the_last_look_does_not_make_is_refused(start: Start) -> None:
    """The button is of an older message: nothing is asked for, the person reads why."""
    world = start("http")
    ts = posted(world)
    moved = ALPHA.model_copy(update={"ask": {"only": "beta"}})
    found = story().diagnosis
    assert found
    world.desk.stories["i-abc2345"] = story(diagnosis=found.model_copy(update={"steps": (), "offers": (moved,)}))
    press(world, ts, "Rotate alpha")
    assert world.told("That offer is out of date")
    assert not world.desk.requests


@pytest.mark.parametrize(
    ("label", "words"),
    [("Page the squad", "The command /no-such-command is not switched on"), ("Grant", "The offer does not fit")],
)
def test_an_offer_that_cannot_be_asked_for_is_told(start: Start, label: str, words: str) -> None:
    """A command that is off, parameters of another version: a sentence, and nothing is asked for."""
    world = start("http")
    press(world, posted(world), label)
    assert world.told(words)
    assert not world.desk.requests


def test_a_closed_incident_offers_nothing(start: Start) -> None:
    """Its message was drawn before it was closed; the store counts."""
    world = start("http")
    ts = posted(world)
    world.desk.stories["i-abc2345"] = story(state=IncidentState.CLOSED)
    press(world, ts, "Rotate alpha")
    assert world.told("That incident is closed.")
    assert not world.desk.requests


def test_a_store_that_is_down_and_a_fault_of_ours_are_told(start: Start) -> None:
    """Nothing was changed, press again; and a fault by its class, without its text."""
    world = start("http")
    ts = posted(world)
    world.desk.down = True
    press(world, ts, "I am on it")
    assert world.told("I could not store that; nothing was changed.")
    world.desk.down, world.desk.broken = False, True
    press(world, ts, "Rotate alpha")
    assert "secret" not in world.told("nobody foresaw (RuntimeError)")


FORGED = [
    ("take", "{}"),
    ("take", json.dumps({"incident": "i-abc2345", "step": "call"})),
    ("tick", json.dumps({"incident": "i-abc2345"})),
    ("tick", json.dumps({"incident": "i-abc2345", "step": "../../x"})),
    ("offer", json.dumps({"incident": "i-abc2345"})),
    ("offer", json.dumps({"incident": "i-abc2345", "offer": "0"})),
    ("offer", json.dumps({"incident": "i-abc2345", "offer": offers.digest(ALPHA), "ask": {"only": "beta"}})),
    ("offer-1", json.dumps({"run": "r-1"})),
    ("offer-1000", json.dumps({"incident": "i-abc2345", "offer": offers.digest(ALPHA)})),
]


@pytest.mark.parametrize(("action", "value"), FORGED)
def test_a_forged_button_does_nothing(start: Start, until: Any, action: str, value: str) -> None:
    """A value of another shape is refused, audited and told; parameters in it are not even read."""
    world = start("http")
    world.desk.stories["i-abc2345"] = story()
    payload = {
        "type": "block_actions",
        "user": {"id": ASKER},
        "channel": {"id": CHANNEL},
        "trigger_id": f"forged-{time.monotonic_ns()}",
        "actions": [{"type": "button", "action_id": action, "block_id": "x", "value": value}],
    }
    world.forge("interactive", payload)
    until(lambda: any(what == "foreign_click" for _, what, _ in world.desk.refusals))
    assert not world.desk.requests
    assert not world.desk.acted


def test_incidents_are_listed_and_shown(start: Start) -> None:
    """/hivekeeper incidents lists them, show gives one with its buttons, the Home tab has the open ones."""
    world = start("http")
    world.desk.stories["i-abc2345"] = story()
    world.command("/hivekeeper incidents")
    assert "i-abc2345" in world.told("Nothing logs in")
    world.command("/hivekeeper show i-abc2345")
    assert world.told("What to do now")
    world.command("/hivekeeper show i-zzz2345")
    assert world.told("There is no incident i-zzz2345.")
    world.person("home", user=ASKER)
    assert "Nothing logs in" in str(world.workspace.homes[ASKER]["blocks"])
