"""What was seen after a run stands in its message, and what it offers is asked for by the stored words."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from slack_sdk import WebClient

from bot.core.checklist import Offer
from bot.core.plan import Note, Report, Table
from bot.core.ports import Place
from bot.core.view import RunView, State, StepState, StepView
from bot.edges import modal, render
from bot.edges.messenger import SlackMessenger
from tests.bot.edges.shown import buttons, plan, run, shown

ASKER, CHANNEL = "U0ASKER", "C0ONCALL"
HEAD = ("environment", "secret", "expires")
REPORT = Report(
    table=Table(head=HEAD, rows=(("dev", "ecr", "soon"), ("test", "ecr", "later"))),
    notes=(Note(label="Next refresh needed", text="", at=1795419900), Note(label="Registry", text="the one *in* dev")),
    warnings=("One service account names another secret.",),
    offers=(
        Offer(label="Rotate alpha", command="rotate-demo", ask={"only": "alpha"}),
        Offer(label="Grant", command="grant-demo"),
        Offer(label="Gone", command="gone", danger=True),
    ),
)


def applied(state: State = State.DONE, report: Report | None = REPORT, **more: Any) -> RunView:
    steps = (StepView(stage=0, place=0, says="Write it", reversible=True, state=StepState.DONE),)
    return run(state, plan=plan("Write it"), digest="d" * 64, steps=steps, report=report, **more)


@pytest.mark.parametrize("state", [State.DONE, State.PARTLY, State.STOPPED])
def test_the_report_stands_above_the_steps(state: State) -> None:
    """Warnings, notes, the table cell by cell and a button for each offer, where something was changed."""
    message = render.run_message(applied(state))
    told = shown(message)
    assert told.index("One service account") < told.index("Next refresh") < told.index("1. Write it")
    (table,) = (block for block in message.blocks if block["type"] == "table")
    assert [[cell["text"] for cell in row] for row in table["rows"]] == [list(HEAD), *map(list, REPORT.table.rows)]  # type: ignore[union-attr] # it has one
    offered = [b["text"]["text"] for b in buttons(message) if b["action_id"].startswith("report-offer")]
    assert offered == ["Rotate alpha", "Grant", "Gone"]


def test_one_button_for_what_is_missing() -> None:
    """What the button that asks again asks for is not offered a second time; where there is no such button it is."""
    retry = Offer(label="Retry alpha", command=applied().command, ask={"only": "alpha"})
    missing = Report(offers=(retry, REPORT.offers[1]), again=retry.ask)
    for state, offered in ((State.PARTLY, ["Grant"]), (State.DONE, ["Retry alpha", "Grant"])):
        found = list(buttons(render.run_message(applied(state, missing))))
        assert [b["text"]["text"] for b in found if b["action_id"].startswith("report-offer")] == offered
        assert any(b["action_id"] == "again" for b in found) == (state == State.PARTLY)


def test_what_was_typed_is_not_the_way_to_what_is_missing() -> None:
    """Where the button asks for less than what was typed, nobody is told to type that once more."""
    told = [shown(render.run_message(applied(State.PARTLY, Report(again=again)))) for again in (None, {"only": "a"})]
    assert ["or type" in text for text in told] == [True, False]
    assert all("press the button below" in text for text in told)


@pytest.mark.parametrize("state", [State.PROPOSED, State.APPLYING, State.UNDONE, State.DENIED])
def test_no_report_where_nothing_stays_changed(state: State) -> None:
    """A stored report of a run in another state is not shown as the truth of now."""
    assert "Next refresh needed" not in shown(render.run_message(applied(state)))


def test_a_time_is_told_in_utc_and_in_the_reader_s_own() -> None:
    """UTC as text, and Slack's date token whose fallback is UTC too; in the details as well."""
    token = "<!date^1795419900^{date_short_pretty} {time}|2026-11-23 07:45 UTC>"
    line = f"• *Next refresh needed*: 2026-11-23 07:45 UTC ({token})"
    assert line in shown(render.run_message(applied()))
    assert line in shown(modal.details(applied()))


def test_a_table_that_is_no_table_is_told_in_words() -> None:
    """Cells or columns that Slack's table does not hold become lines that name their column."""
    long = Report(table=Table(head=("where", "why"), rows=(("dev", "because " * 30), ("test", ""))))
    message = render.run_message(applied(report=long))
    assert not [block for block in message.blocks if block["type"] == "table"]
    assert "*dev* · why: because because" in shown(message)
    assert "*test*\n" in shown(message)
    wide = Report(table=Table(head=tuple(f"h{n}" for n in range(25)), rows=(tuple(f"c{n}" for n in range(25)),)))
    assert "h24: c24" in shown(render.run_message(applied(report=wide)))


def test_two_hundred_rows_say_where_the_rest_is() -> None:
    """What the table leaves out is counted; the person is told where all of it is, and there it is."""
    rows = tuple((f"namespace-{n:03}", "ecr-pull-secret", "2026-11-23 07:45 UTC") for n in range(200))
    view = applied(report=Report(table=Table(head=HEAD, rows=rows), notes=REPORT.notes))
    for message, at_least in ((render.run_message(view), 10), (render.full_message(view), 60)):
        (table,) = (block for block in message.blocks if block["type"] == "table")
        assert f"… and {201 - len(table['rows'])} more rows" in shown(message)
        assert len(table["rows"]) > at_least
    assert "more rows: type /hivekeeper show r-abc2345" in shown(render.run_message(view))
    assert "namespace-199" in shown(modal.details(view))


Start = Callable[..., Any]


def posted(world: Any, view: RunView) -> str:
    """The message in the channel; its ts."""
    world.desk.views[view.id] = view
    client = WebClient(world.tokens[0], base_url=world.api_url, retry_handlers=[])
    return SlackMessenger(client).post(Place(channel=CHANNEL), view, f"{view.id}/head")


def press(world: Any, ts: str, label: str) -> None:
    (block, action), *_ = [
        (block["block_id"], element["action_id"])
        for block in world.workspace.message(CHANNEL, ts)["blocks"]
        for element in block.get("elements", [])
        if element.get("type") == "button" and element["text"]["text"] == label
    ]
    pressed = world.person("action", user=ASKER, channel=CHANNEL, message_ts=ts, block_id=block, action_id=action)
    assert pressed == {"ok": True}


def test_an_offer_is_asked_for_with_the_stored_parameters(start: Start) -> None:
    """By the person who pressed; what needs more opens the form, what is off here is told."""
    world = start("http")
    ts = posted(world, applied())
    press(world, ts, "Rotate alpha")
    (request,) = world.desk.requests.values()
    assert (request.command, request.ask, request.asker) == ("rotate-demo", {"only": "alpha"}, ASKER)
    assert world.told("Looking into it")
    press(world, ts, "Grant")
    assert world.modal(ASKER)["title"]["text"] == "/grant-demo"
    press(world, ts, "Gone")
    assert world.told("not switched on here")


def test_an_offer_that_the_report_does_not_make_is_refused(start: Start) -> None:
    """The store counts, not the button."""
    world = start("http")
    ts = posted(world, applied())
    world.desk.views["r-abc2345"] = applied(report=Report())
    press(world, ts, "Rotate alpha")
    assert world.told("That offer is out of date")
    assert not world.desk.requests


GENUINE = {"run": "r-abc2345", "offer": "0123456789abcdef"}


@pytest.mark.parametrize(
    ("action", "value"),
    [
        ("report-offer", {}),
        ("report-offer", GENUINE | {"run": "../x"}),
        ("report-offer", GENUINE | {"offer": "short"}),
        ("report-offer", GENUINE | {"command": "rotate-demo"}),
        ("report-offer", {"holding": "0123456789abcdef", "offer": "0123456789abcdef"}),
        ("report-offer", GENUINE | {"holding": "0123456789abcdef"}),
        ("mend", GENUINE),
        ("mend", {"offer": "0123456789abcdef"}),
        ("again", {}),
        ("again", {"run": "r-abc2345", "user": "U0APPROVER"}),
    ],
)
def test_a_forged_button_is_refused(start: Start, action: str, value: dict[str, str]) -> None:
    """Acknowledged, audited, and nothing is asked of the desk."""
    world = start("http")
    payload = {
        "type": "block_actions", "trigger_id": f"t{time.time()}", "user": {"id": ASKER}, "channel": {"id": CHANNEL},
        "actions": [{"action_id": action, "block_id": "b", "type": "button", "value": json.dumps(value)}],
    }  # fmt: skip
    world.forge("interactive", payload)
    assert world.told("That button is not one of mine")
    assert not world.desk.requests
    assert not world.desk.again
    assert [what for _, what, _ in world.desk.refusals] == ["foreign_click"]
