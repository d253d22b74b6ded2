"""Asking again: after an end that was not well, by who may ask, once."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from bot.core.intake import Request
from bot.core.people import Group
from bot.core.plan import Report
from bot.core.view import State
from bot.engine import asking_again, audit, runs
from bot.engine.ticker import Ticker


def partly(bench: Any) -> Any:
    """A run of which one step failed."""
    bench.mood("do", "b", "refused")
    view = bench.carried_out(stages=[["a", "b"]], on_failure="go_on")
    (bench.folder / "mood-do-b").unlink()
    assert view.state == State.PARTLY
    return view


def test_the_new_plan_holds_what_is_not_so(bench: Any) -> None:
    """The same parameters, in the same place, for who pressed; what was done is known as done."""
    old = partly(bench)
    outcome = bench.desk.ask_again("press", old.id, "U3")
    assert outcome.accepted
    assert outcome.run != old.id
    assert outcome.run in outcome.told
    new = bench.plan(outcome.run)
    assert (new.asker, new.source, new.text, new.channel) == ("U3", "retry", "as typed", old.channel)
    assert [step.state for step in new.steps] == ["already", "waiting"]
    assert bench.desk.run(old.id).state == State.PARTLY
    bench.decide(new)
    assert bench.apply(new.id).state == State.DONE
    assert len(bench.lines()) == 2
    assert "asked_again" in bench.audited()
    assert audit.verify(bench.shop.store).ok


def test_just_what_the_report_says_is_missing(bench: Any) -> None:
    """The handler knows it better than the parameters that the run began with."""
    missing = {"folder": str(bench.folder), "stages": [["b"]]}
    bench.with_handler(report=lambda plan, settings, tools: Report(again=missing))
    old = partly(bench)
    new = bench.plan(bench.desk.ask_again("press", old.id, "U3").run)
    assert [step.says for step in new.steps] == [step.says for step in old.steps if step.state == "failed"]


def test_the_thread_and_the_incident_stay(bench: Any, story: Any) -> None:
    """A run in a thread is asked for again there; one of an incident stays with its story."""
    incident = story.hear()
    ask = {"folder": str(bench.folder)}
    one = Request(key="t", command="world", ask=ask, asker="U1", channel="C5", thread="17.5")
    two = Request(key="i", command="world", ask=ask, asker="U1", incident=incident)
    places = []
    for request in (one, two):
        old = bench.plan(bench.desk.ask(request))
        bench.decide(old, "deny")
        new = bench.desk.ask_again(f"again-{old.id}", old.id, "U1").run
        places.append(bench.shop.read(lambda conn, new=new: runs.get(conn, new)))
    assert (places[0].channel, places[0].thread) == ("C5", "17.5")
    assert places[1].incident == incident
    assert set(bench.desk.incident(incident).runs) >= {places[1].id}


def ended(bench: Any, state: State) -> str:
    """A run that has ended so."""
    if state == State.REFUSED:
        bench.mood("plan", "plan", "refused")
        view = bench.plan(bench.ask())
        (bench.folder / "mood-plan-plan").unlink()
        return str(view.id)
    if state in (State.UNDONE, State.STOPPED):
        bench.mood("do", "b", "refused")
        view = bench.carried_out(stages=[["a"], ["b"]], on_failure="undo" if state == State.UNDONE else "stop")
        return str(view.id)
    view = bench.proposal()
    if state == State.EXPIRED:
        bench.now += 3601
        Ticker(bench.shop).tick()
    else:
        bench.decide(view, "deny" if state == State.DENIED else "cancel")
    return str(view.id)


@pytest.mark.parametrize("state", sorted(asking_again.AGAIN - {State.PARTLY}))
def test_whatever_did_not_end_well_can_be_asked_again(bench: Any, state: State) -> None:
    """Also what was refused, denied or left to expire: the new plan waits for its own approval."""
    old = ended(bench, state)
    assert bench.see(old).state == state
    outcome = bench.desk.ask_again("press", old, "U1")
    assert outcome.accepted
    assert bench.see(outcome.run).state == State.ASKED


def test_what_is_open_done_answered_or_superseded_is_not_asked_again(bench: Any) -> None:
    """Each with its own sentence, audited, and nothing new in the store."""
    told = []
    open_ = bench.proposal("open", subject="one")
    done = bench.carried_out("done")
    answered = bench.plan(bench.ask("answered", stages=[]))
    (bench.folder / "storm").touch()
    drifted = bench.carried_out("drift", stages=[["z"]])
    assert drifted.state == State.SUPERSEDED
    before = len(bench.desk.runs())
    for old in (open_, done, answered, drifted):
        outcome = bench.desk.ask_again(f"press-{old.id}", old.id, "U1")
        assert (outcome.accepted, outcome.run) == (False, old.id)
        told.append(outcome.told)
    assert len(bench.desk.runs()) == before
    assert "not ended yet" in told[0]
    assert told[1] == told[2]
    assert drifted.superseded_by in told[3]
    assert bench.audited().count("refused_action") == 4


def test_a_run_that_is_not_there(bench: Any) -> None:
    """Refused in words, and audited."""
    outcome = bench.desk.ask_again("press", "r-nothing", "U1")
    assert (outcome.accepted, outcome.told) == (False, "That run is not in the store (any more).")
    assert bench.audited() == ["refused_action"]


def test_the_same_key_again_gives_the_same_outcome(bench: Any) -> None:
    """Slack sends an action twice; also after the new run has ended, and also a refusal."""
    old = partly(bench)
    first = bench.desk.ask_again("press", old.id, "U1")
    assert bench.desk.ask_again("press", old.id, "U1") == first
    bench.decide(bench.plan(first.run), "cancel")
    assert bench.desk.ask_again("press", old.id, "U1") == first
    other = bench.carried_out("well", stages=[["z"]])
    refused = bench.desk.ask_again("other", other.id, "U1")
    assert bench.desk.ask_again("other", other.id, "U1").told == refused.told
    assert len(bench.desk.runs()) == 3


def test_two_people_get_one_new_run(bench: Any) -> None:
    """The second one is told its id; once it has ended, the next press asks anew."""
    old = partly(bench)
    first = bench.desk.ask_again("one", old.id, "U1")
    second = bench.desk.ask_again("two", old.id, "U3")
    assert (second.accepted, second.run) == (True, first.run)
    assert first.run in second.told
    bench.decide(bench.plan(first.run), "cancel")
    third = bench.desk.ask_again("three", old.id, "U3")
    assert third.accepted
    assert third.run not in (old.id, first.run)


def test_many_presses_at_one_instant_make_one_run(bench: Any) -> None:
    """Ten people, ten keys."""
    old = partly(bench)
    outcomes: list[Any] = []
    threads = [
        threading.Thread(target=lambda n=n: outcomes.append(bench.desk.ask_again(f"k{n}", old.id, f"U{n}")))
        for n in range(10)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(outcomes) == 10
    assert {(outcome.accepted, outcome.run) for outcome in outcomes} == {(True, outcomes[0].run)}


def test_a_retry_whose_world_had_moved_is_still_the_retry(bench: Any) -> None:
    """The plan in its place counts: another press finds it and makes no third one."""
    old = partly(bench)
    (bench.folder / "storm").touch()
    retry = bench.plan(bench.desk.ask_again("one", old.id, "U1").run)
    bench.decide(retry)
    moved = bench.apply(retry.id)
    assert moved.state == State.SUPERSEDED
    assert bench.desk.ask_again("two", old.id, "U3").run == moved.superseded_by


def test_only_who_may_ask_may_ask_again(bench: Any) -> None:
    """By the rule as it is now; the refusal is for that person, and audited."""
    old = partly(bench)
    command = bench.shop.settings.commands["world"].model_copy(update={"ask": ("few",)})
    groups = bench.shop.settings.groups | {"few": Group(users=("U7",))}
    parts = {"commands": {"world": command}, "groups": groups}
    object.__setattr__(bench.shop, "settings", bench.shop.settings.model_copy(update=parts))
    outcome = bench.desk.ask_again("press", old.id, "U1")
    assert not outcome.accepted
    assert "may not ask" in outcome.told
    assert bench.desk.ask_again("other", old.id, "U7").accepted
    assert bench.audited().count("refused_action") == 1


def test_a_command_that_is_gone_is_told_at_once(bench: Any) -> None:
    """And not by a plan that cannot be made."""
    old = partly(bench)
    object.__setattr__(bench.shop, "handlers", {})
    outcome = bench.desk.ask_again("press", old.id, "U1")
    assert (outcome.accepted, outcome.told) == (False, "There is no command /world here any more.")
