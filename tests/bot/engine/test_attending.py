"""What people do to an incident, and the runs that its offers start."""

from __future__ import annotations

from typing import Any

import pytest

from bot.core.diagnosis import Diagnosis, Mood, RunbookStep
from bot.core.incident import IncidentState
from bot.core.intake import Request
from bot.core.view import State
from bot.engine import audit, messages, tables

STEPS = (RunbookStep(name="call", text="Call them"),)
BAD = Diagnosis(verdict="failing", mood=Mood.BAD, title="Logins fail", steps=STEPS)


def test_somebody_takes_it(story: Any) -> None:
    """The message says who, the audit too; the same press again is the same, and another person may take over."""
    id = story.hear()
    first = story.desk.incident_action("k1", id, "U1", "take")
    assert (first.accepted, first.run, story.view.owner) == (True, id, "U1")
    revision = story.view.revision
    assert story.desk.incident_action("k1", id, "U1", "take") == first
    assert story.desk.incident_action("k2", id, "U1", "take").told == "You are on it already."
    assert story.view.revision == revision
    assert "taken it over" in story.desk.incident_action("k3", id, "U2", "take").told
    assert story.view.owner == "U2"
    (told,) = [row.note for row in story.row(messages.message, run=id) if row.slot.startswith("note-")]
    assert (told["mention"], "taken this over" in told["text"]) == (["U1"], True), "two people on it know of each other"
    assert story.desk.incident_action("k1", id, "U1", "take") == first
    assert story.view.owner == "U2"
    assert story.bench.audited().count("incident_taken") == 2


def test_a_step_is_ticked_once(story: Any) -> None:
    """By the first who does it; a step that the verdict does not call for is refused."""
    id = story.hear()
    assert not story.desk.incident_action("early", id, "U1", "tick", "call").accepted
    story.look(BAD)
    assert story.desk.incident_action("k1", id, "U1", "tick", "call").accepted
    assert story.desk.incident_action("k2", id, "U2", "tick", "call").told == "It was ticked already."
    assert [(t.step, t.user, t.at) for t in story.view.ticks] == [("call", "U1", story.bench.now)]
    refused = story.desk.incident_action("k3", id, "U2", "tick", "forged\x00")
    assert (refused.accepted, story.bench.audited()[-1]) == (False, "refused_action")
    assert story.desk.incident_action("k3", id, "U2", "tick", "forged\x00") == refused


def test_somebody_wants_a_look(story: Any) -> None:
    """At once, if none is under way."""
    id = story.hear()
    assert "under way" in story.desk.incident_action("k1", id, "U1", "look").told
    story.look(BAD)
    assert story.desk.incident_action("k2", id, "U1", "look").accepted
    assert story.bench.shop.queues.state("diagnose", id, 2) == "waiting"


def test_somebody_closes_it(story: Any) -> None:
    """Told in the thread; after that there is nothing to take, look at or close."""
    id = story.hear()
    assert story.desk.incident_action("k1", id, "U1", "close").told == "Closed."
    (told,) = [row.note for row in story.row(messages.message, run=id) if row.slot.startswith("note-")]
    assert told["mention"] == ["U1"], "it is said who"
    assert story.view.state == IncidentState.CLOSED
    assert story.notes() == ["Closed by hand. It was never looked into. Alerts: 1 firing, 0 resolved."]
    for action in ("take", "look", "close"):
        assert story.desk.incident_action(f"late {action}", id, "U1", action).told == "This incident is closed."
    assert audit.verify(story.bench.shop.store).ok


def test_an_incident_that_is_not_there(story: Any) -> None:
    """A button of long ago, or a forged one."""
    outcome = story.desk.incident_action("k", "i-nothing", "U1", "take")
    assert (outcome.accepted, outcome.run) == (False, "i-nothing")
    assert story.bench.audited() == ["refused_action"]


@pytest.mark.parametrize("thread", ["7.7", None])
def test_an_offers_run_is_in_the_thread(story: Any, thread: str | None) -> None:
    """Its message, its note and its drift; the incident lists it, and is looked into when it has ended."""
    where = {"channel": "C7", "ts": thread, "origin": "channel"} if thread else {}
    id = story.hear(**where)
    story.look(BAD)
    story.bench.shop.write(lambda conn: conn.execute(messages.message.update().values(ts="5.5")))
    ask = {"folder": str(story.bench.folder)}
    request = Request(key="offer", command="world", ask=ask, asker="U1", channel="C9", incident=id)
    run = story.desk.ask(request)
    assert story.desk.ask(request) == run
    (head,) = story.row(messages.message, run=run, slot="head")
    assert (head.channel, head.thread) == (("C7", "7.7") if thread else ("C1", "5.5"))
    assert story.view.runs == (run,)
    view = story.bench.plan(run)
    story.bench.decide(view)
    turn = story.row(tables.incident)[0].next_look_at
    assert story.bench.apply(run).state == State.DONE
    assert story.view.next_look_at == story.bench.now != turn


def test_a_new_plan_in_its_place_belongs_to_the_incident_too(story: Any) -> None:
    """After a drift."""
    id = story.hear()
    run = story.desk.ask(
        Request(key="o", command="world", ask={"folder": str(story.bench.folder)}, asker="U1", incident=id)
    )
    view = story.bench.plan(run)
    story.bench.decide(view)
    (story.bench.folder / "storm").touch()
    again = story.bench.apply(run).superseded_by
    assert set(story.view.runs) == {run, again}


def test_a_request_for_an_unknown_incident_is_an_ordinary_one(story: Any) -> None:
    """Its message goes where it was asked for."""
    ask = {"folder": str(story.bench.folder)}
    run = story.desk.ask(Request(key="o", command="world", ask=ask, asker="U1", channel="C9", incident="i-gone"))
    (head,) = story.row(messages.message, run=run)
    assert head.channel == "C9"
