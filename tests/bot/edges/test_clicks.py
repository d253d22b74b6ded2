"""Clicks on a plan, those of the wrong people and forged ones, in both modes."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.bot.edges.edge_world import last_payload, press, proposed
from tests.bot.edges.paper_desk import APPROVER, STRANGER

Start = Callable[..., Any]
both = pytest.mark.parametrize("mode", ["socket", "http"])


@both
def test_approving_counts_once(start: Start, mode: str) -> None:
    """A click reaches the desk with the digest that was seen; the clicker is told; a replay counts nothing."""
    world = start(mode)
    view, ts = proposed(world)
    press(world, ts, "approve")
    assert world.told("Thank you: approve counted", APPROVER)
    assert world.forge("interactive", last_payload(world, "block_actions"))["ok"]
    press(world, ts, "approve")
    assert world.told("It is decided already", APPROVER)
    (decision,) = world.desk.decided
    assert (decision.run, decision.digest, decision.user) == (view.id, view.digest, APPROVER)


@both
def test_a_click_by_the_wrong_person_is_told_to_them_alone(start: Start, mode: str) -> None:
    """The refusal is whispered to who pressed, in the same channel, and nothing is decided."""
    world = start(mode)
    _, ts = proposed(world)
    press(world, ts, "approve", STRANGER)
    assert world.told("You may not decide", STRANGER)
    assert not any("You may not decide" in w for w in world.whispers(APPROVER))
    assert not world.desk.decided


def test_a_refusal_stands_where_the_button_is(start: Start) -> None:
    """A plan in a thread is decided there, and so is said there why somebody may not."""
    world = start("http")
    alert = world.person("message", user=APPROVER, channel="C0ONCALL", text="It fires")["ts"]
    _, ts = proposed(world, alert)
    press(world, ts, "approve", STRANGER)
    world.told("You may not decide", STRANGER)
    assert [message["thread_ts"] for message in world.workspace.ephemerals[STRANGER, "C0ONCALL"]] == [alert]


@both
def test_denying_asks_why(start: Start, mode: str) -> None:
    """Deny opens a form; its reason arrives with the decision."""
    world = start(mode)
    view, ts = proposed(world)
    press(world, ts, "deny")
    modal = world.modal(APPROVER)
    block = next(b for b in modal["blocks"] if b["type"] == "input")
    values = {block["block_id"]: {block["element"]["action_id"]: {"value": "not during the freeze"}}}
    assert world.person("submit", user=APPROVER, view_id=modal["id"], state={"values": values}) == {"ok": True}
    assert world.told("deny counted", APPROVER)
    (decision,) = world.desk.decided
    assert (decision.verdict, decision.reason, decision.digest) == ("deny", "not during the freeze", view.digest)


@both
def test_details_show_the_plan(start: Start, mode: str) -> None:
    """Details opens a modal with the digest; for a plan that has changed since, a sentence comes instead."""
    world = start(mode)
    view, ts = proposed(world)
    press(world, ts, "details")
    assert view.digest in str(world.modal(APPROVER)["blocks"])
    world.desk.views[view.id] = view.model_copy(update={"digest": "0" * 64})
    press(world, ts, "details")
    assert world.told("an older plan", APPROVER)


FORGED = [
    "",
    "null",
    "[]",
    '"r-1"',
    "{",
    '{"run": 1, "digest": 2}',
    '{"run": "../../etc/passwd", "digest": null}',
    '{"run": "r-0000000", "digest": "x"}',
    '{"run": "r-0000000", "digest": null, "user": "U0APPROVER"}',
    "\x00" * 100,
    "{" * 1900,
]


@both
def test_forged_button_values_change_nothing(start: Start, until: Start, mode: str) -> None:
    """A value that we did not make is refused, audited and told, whatever is in it."""
    world = start(mode)
    _, ts = proposed(world)
    press(world, ts, "approve", STRANGER)
    payload = last_payload(world, "block_actions")
    payload["user"]["id"] = APPROVER
    for number, value in enumerate(FORGED):
        payload["trigger_id"] = f"forged.{number}"
        payload["actions"] = [{**payload["actions"][0], "value": value}]
        assert world.forge("interactive", payload)["ok"]
    assert world.told("not one of mine", APPROVER)
    until(lambda: len(world.desk.refusals) == len(FORGED))
    assert not world.desk.decided
    assert [what for _, what, _ in world.desk.refusals] == ["foreign_click"] * len(FORGED)


@both
def test_a_wrong_digest_reaches_the_desk_and_is_refused(start: Start, mode: str) -> None:
    """A well-formed value with another digest is the desk's to refuse; its sentence is told."""
    world = start(mode)
    view, ts = proposed(world)
    press(world, ts, "approve", STRANGER)
    payload = last_payload(world, "block_actions")
    payload["user"]["id"], payload["trigger_id"] = APPROVER, "forged.1"
    payload["actions"] = [{**payload["actions"][0], "value": json.dumps({"run": view.id, "digest": "a" * 64})}]
    world.forge("interactive", payload)
    assert world.told("The plan has changed since", APPROVER)
    assert not world.desk.decided


@both
def test_foreign_payloads_are_answered_and_audited(start: Start, until: Start, mode: str) -> None:
    """Other workspaces, unknown buttons, forms, shortcuts and shapes get a 200, change nothing, and are audited."""
    world = start(mode)
    _, ts = proposed(world)
    press(world, ts, "approve", STRANGER)
    click = last_payload(world, "block_actions")
    odd = [
        {**click, "team": {"id": "T0OTHER"}, "trigger_id": "a.1", "user": {**click["user"], "id": APPROVER}},
        {**click, "actions": [{**click["actions"][0], "action_id": "destroy"}]},
        {**click, "user": {"id": "not an id"}},
        {**click, "actions": [{"type": "button", "block_id": "b", "action_id": "approve", "value": 7}]},
        {
            "type": "view_submission",
            "user": click["user"],
            "team": click["team"],
            "view": {"id": "V1", "hash": "h", "callback_id": "other", "type": "modal"},
        },
        {"type": "shortcut", "callback_id": "x", "user": click["user"], "team": click["team"], "trigger_id": "t"},
        {"type": "message_action", "callback_id": "x", "user": click["user"], "team": click["team"]},
        {
            "type": "block_suggestion",
            "action_id": "x",
            "block_id": "y",
            "user": click["user"],
            "team": click["team"],
            "value": "",
        },
        {"type": "no_such_thing", "user": click["user"]},
        {**click, "actions": []},
    ]
    for payload in odd:
        assert world.forge("interactive", payload)["ok"], payload["type"]
    until(lambda: len(world.desk.refusals) == len(odd))
    assert not world.desk.decided


@both
def test_slack_out_of_order_does_not_stop_decisions(start: Start, until: Callable[..., Any], mode: str) -> None:
    """While Slack's Web API fails, a click is still decided and acknowledged."""
    world = start(mode)
    _, ts = proposed(world)
    for kind in ("error500", "ratelimited", "cut", "down"):
        world.workspace.faults.add("chat.postEphemeral", kind, count=1)
    press(world, ts, "approve")
    until(lambda: world.desk.decided)
