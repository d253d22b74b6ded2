"""Commands, forms and the Home tab, against the strict Slack of the playground, in both modes."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from bot.edges import parts
from playground.slack import Times
from tests.bot.edges.edge_world import AWAY, CHANNEL, last_payload, press, proposed
from tests.bot.edges.paper_desk import APPROVER, ASKER, STRANGER

Start = Callable[..., Any]
both = pytest.mark.parametrize("mode", ["socket", "http"])


def shown(world: Any, user: str) -> list[dict[str, Any]]:
    """The blocks of this person's Home tab."""
    return list((world.workspace.homes.get(user) or {"blocks": []})["blocks"])


@both
def test_a_command_is_stored_and_answered(start: Start, mode: str) -> None:
    """What was typed is in the store with who, where and which parameters, and the person reads the run's id."""
    world = start(mode)
    assert world.command("/rotate-demo alpha") == {"ok": True}
    assert "r-0000000" in world.told("Looking into it")
    (request,) = world.desk.requests.values()
    assert (request.command, request.ask, request.asker) == ("rotate-demo", {"only": "alpha"}, ASKER)
    assert (request.channel, request.text, request.source) == (CHANNEL, "alpha", "slack")


@both
def test_a_command_delivered_twice_is_one_request(start: Start, mode: str) -> None:
    """A replay of the very same payload stores nothing new and names the same run."""
    world = start(mode)
    world.command("/rotate-demo alpha")
    world.told("Looking into it")
    again = last_payload(world, "command")
    assert world.forge("slash_commands", again)["ok"]
    assert len(world.desk.requests) == 1


@both
def test_bad_input_is_told_with_the_usage(start: Start, mode: str) -> None:
    """Words that do not fit store nothing; the person reads how to type it."""
    world = start(mode)
    assert world.command("/rotate-demo alhpa") == {"ok": True}
    assert world.told("/rotate-demo")
    assert not world.desk.requests


@both
def test_hostile_text_is_an_error_and_harmless(start: Start, until: Start, mode: str) -> None:
    """Mentions of everybody, markup, direction marks and 100,000 characters come back inert or not at all."""
    world = start(mode)
    for text in ("<!channel> *x*", "\u202egnp.exe", "a" * 90_000, "'unclosed", "\x00"):
        assert world.command(f"/rotate-demo {text}") == {"ok": True}
    assert not world.desk.requests
    said = until(lambda: world.whispers() if len(world.whispers()) == 5 else None)
    assert not any(
        "<!channel>" in each or "\u202e" in each or "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" in each for each in said
    )


@both
def test_an_asker_without_the_right_is_told(start: Start, mode: str) -> None:
    """The desk's refusal reaches the person in its own sentences."""
    world = start(mode)
    world.command("/rotate-demo alpha", user=STRANGER)
    assert "Ask someone in oncall" in world.told("You may not ask", STRANGER)


@both
def test_a_store_that_is_down_is_told(start: Start, mode: str) -> None:
    """The person reads that nothing was started and what to do."""
    world = start(mode)
    world.desk.down = True
    assert world.command("/rotate-demo alpha") == {"ok": True}
    assert "nothing was started" in world.told("I could not store your request")
    assert world.command("/hivekeeper runs") == {"ok": True}
    assert world.told("The store did not answer")


@both
def test_a_fault_of_ours_is_admitted(start: Start, mode: str) -> None:
    """An error that nobody foresaw is told by its class, without its text, to who typed and to who pressed."""
    world = start(mode)
    _, ts = proposed(world)
    world.desk.broken = True
    assert world.command("/rotate-demo beta") == {"ok": True}
    assert "secret" not in world.told("nobody foresaw (RuntimeError)")
    press(world, ts, "approve")
    assert world.told("nobody foresaw (RuntimeError)", APPROVER)


@pytest.mark.slow  # two of Slack's three seconds are waited for
def test_a_slow_store_still_gets_an_answer_in_time(start: Start) -> None:
    """Slack is answered before the store has answered, and what came of the request is told afterwards."""
    assert parts.IN_TIME < 2.5 < Times().ack
    world = start("socket")
    world.desk.hold = threading.Event()
    assert world.command("/rotate-demo alpha") == {"ok": True}
    assert not world.desk.requests
    assert world.told("takes longer than usual")
    world.desk.hold.set()
    assert world.told("Looking into it")


@both
def test_missing_parameters_open_a_form(start: Start, mode: str) -> None:
    """A command without what it requires opens a form; submitting it stores the request once."""
    world = start(mode)
    world.command("/grant-demo")
    view = world.modal(ASKER)
    block = next(b for b in view["blocks"] if b["type"] == "input")
    values = {block["block_id"]: {block["element"]["action_id"]: {"value": "somebody"}}}
    assert world.person("submit", user=ASKER, view_id=view["id"], state={"values": values}) == {"ok": True}
    assert world.told("Looking into it")
    (request,) = world.desk.requests.values()
    assert (request.command, request.ask, request.channel) == ("grant-demo", {"who": "somebody"}, CHANNEL)
    assert world.forge("interactive", last_payload(world, "view_submission"))["ok"]
    assert len(world.desk.requests) == 1


@both
def test_a_form_stays_open_when_the_store_is_down(start: Start, mode: str) -> None:
    """Submitting is answered with the error under the field, and works once the store is back."""
    world = start(mode)
    world.command("/grant-demo ?")
    view = world.modal(ASKER)
    block = next(b for b in view["blocks"] if b["type"] == "input")
    body = {
        "user": ASKER,
        "view_id": view["id"],
        "state": {"values": {block["block_id"]: {block["element"]["action_id"]: {"value": "x"}}}},
    }
    world.desk.down = True
    assert "nothing was started" in world.person("submit", **body)["errors"][block["block_id"]]
    world.desk.down = False
    assert world.person("submit", **body) == {"ok": True}
    assert len(world.desk.requests) == 1


@both
def test_a_command_of_another_version_gets_a_kind_answer(start: Start, mode: str) -> None:
    """A command that the workspace offers and this bot does not have is answered, not left to time out."""
    world = start(mode)
    assert world.command("/not-mine now") == {"ok": True}
    assert "/hivekeeper help" in world.told("not switched on here")


@both
def test_the_home_tab_is_drawn(start: Start, until: Callable[..., Any], mode: str) -> None:
    """Opening the Home tab shows what waits for this person, and a decision from there redraws it."""
    world = start(mode)
    proposed(world)
    world.person("home", user=APPROVER)
    block = until(lambda: next((b for b in shown(world, APPROVER) if b["type"] == "actions"), None))
    home = world.workspace.homes[APPROVER]
    world.person("action", user=APPROVER, view_id=home["id"], block_id=block["block_id"], action_id="approve")
    until(lambda: world.desk.decided)
    until(lambda: "actions" not in [b["type"] for b in shown(world, APPROVER)])
    direct = "D" + APPROVER[1:]
    until(lambda: any("approve counted" in str(m) for m in world.workspace.messages.get(direct, [])))


@both
def test_hivekeeper_answers(start: Start, mode: str) -> None:
    """Every subcommand answers the person; decisions by hand reach the desk without a digest."""
    world = start(mode)
    world.command("/rotate-demo alpha")
    for text, words in (
        ("help", "grant-demo"),
        ("", "rotate-demo"),
        ("runs", "r-0000000"),
        ("show r-0000000", "Rotate two demo tokens"),
        ("show", "Which run?"),
        ("show r-nothere", "There is no run r-nothere"),
        ("show <!channel>", "is not the id of a run"),
        ("audit", "asked"),
        ("audit r-0000000", "asked"),
        ("aprove r-0000000", "Did you mean"),
        ("approve r-0000000", "You may not decide"),
    ):
        assert world.command(f"/hivekeeper {text}") == {"ok": True}
        assert world.told(words)
    world.command('/hivekeeper deny r-0000000 "not now, please"', user=APPROVER)
    assert world.told("deny counted", APPROVER)
    (decision,) = world.desk.decided
    assert (decision.verdict, decision.reason, decision.digest) == ("deny", "not now, please", None)
    world.command("/hivekeeper cancel r-0000000", user=APPROVER)
    assert world.told("It is decided already", APPROVER)


@both
def test_an_uninvited_bot_says_so(start: Start, mode: str) -> None:
    """Asked where it may not post, the bot stores the request and tells how to invite it."""
    world = start(mode)
    world.command("/rotate-demo alpha", channel=AWAY)
    assert "/invite" in world.told("I am not in this channel", ASKER, AWAY)
    assert len(world.desk.requests) == 1
