"""Applying: once, proven, and put back on a failure."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from bot.core.view import RunView, State, StepState
from bot.engine import applying, audit, tables


def states(view: RunView) -> list[str]:
    return [step.state.value for step in view.steps]


def test_what_was_approved_is_done_and_proven(bench: Any) -> None:
    """Every step once, in stages; the account says who did what."""
    view = bench.carried_out(stages=[["a", "b"], ["c!"]])
    assert view.state == State.DONE
    assert states(view) == ["done"] * 3
    assert view.trouble is None
    assert sorted(name for name, _ in bench.lines()[:2]) == ["a", "b"]
    assert bench.lines()[2] == ["c", view.id]
    assert bench.audited().count("step_done") == 3
    assert bench.audited()[-1] == "done"
    assert audit.verify(bench.shop.store).ok


def test_nothing_runs_unless_approved(bench: Any) -> None:
    """The work itself looks at the state: a message in the queue is no approval."""
    view = bench.proposal()
    assert bench.apply(view.id).state == State.PROPOSED
    assert bench.lines() == []


def test_applying_again_does_nothing(bench: Any) -> None:
    """As after a crash whose checkpoints were all lost."""
    view = bench.carried_out(stages=[["a"], ["b"]])
    again = bench.apply(view.id)
    assert again == view
    assert len(bench.lines()) == 2


def test_a_failure_puts_everything_back_last_first(bench: Any) -> None:
    """Also what the failing step did half; later steps are not begun; what was so before stays."""
    bench.world.add(str(bench.folder), "b", "before")
    bench.mood("after", "c", "refused")
    view = bench.carried_out(stages=[["a", "b"], ["c"], ["d"]])
    assert view.state == State.UNDONE
    assert states(view) == ["undone", "already", "undone", "waiting"]
    assert bench.lines() == [["b", "before"]]
    undone = [e.facts["says"] for e in bench.desk.audit(limit=99) if e.what == "step_undone"]
    assert undone == ["write c", "write a"]
    assert view.trouble.what == "c said refused."
    assert view.trouble.now == "Do something. Of 4 steps: 1 already so before, 2 put back, 1 not begun."


def test_stop_leaves_what_was_done(bench: Any) -> None:
    """`stop` neither goes on nor puts back."""
    bench.mood("do", "b", "refused")
    view = bench.carried_out(stages=[["a"], ["b"], ["c"]], on_failure="stop")
    assert view.state == State.STOPPED
    assert states(view) == ["done", "failed", "waiting"]
    assert "1 done and left so" in view.trouble.now
    assert "1 failed and may be half done" in view.trouble.now


def test_go_on_goes_on(bench: Any) -> None:
    """A dead node must not undo a hundred others."""
    bench.mood("do", "b", "refused")
    view = bench.carried_out(stages=[["a", "b"], ["c"]], on_failure="go_on")
    assert view.state == State.PARTLY
    assert states(view) == ["done", "failed", "done"]
    assert len(bench.lines()) == 2


def test_when_nothing_went_well_going_on_is_not_partly(bench: Any) -> None:
    """ "In part" would be a lie."""
    bench.mood("do", "a", "refused")
    assert bench.carried_out(stages=[["a"]], on_failure="go_on").state == State.STOPPED


def test_an_undo_that_fails_is_told_exactly(bench: Any) -> None:
    """No further undo after it: what was done before it may be what it needs."""
    bench.mood("undo", "b", "refused")
    bench.mood("do", "c", "refused")
    view = bench.carried_out(stages=[["a"], ["b"], ["c"]])
    assert view.state == State.STOPPED
    assert states(view) == ["done", "undo_failed", "undone"]
    assert "1 done and left so, 1 put back, 1 could not be put back" in view.trouble.now
    assert bench.apply(view.id) == view


def test_after_a_crash_an_undo_that_failed_is_not_passed_by(bench: Any) -> None:
    """The record of the failed undo stops the next process too."""
    bench.mood("undo", "b", "refused")
    bench.mood("do", "c", "refused")
    view = bench.carried_out(stages=[["a"], ["b"], ["c"]])
    assert applying.undo(bench.shop, view.id) is False
    assert ["a", view.id] in bench.lines()


def test_what_cannot_be_undone_is_not_called_undone(bench: Any) -> None:
    """An irreversible step that was done stays, and a person has to look."""
    bench.mood("do", "b", "refused")
    view = bench.carried_out(stages=[["a!"], ["b"]])
    assert view.state == State.STOPPED
    assert states(view) == ["done", "undone"]


def test_an_irreversible_step_in_doubt(bench: Any) -> None:
    """Begun, failed, and no way back: nobody knows without looking. Never begun: nothing to look for."""
    view = bench.proposal("one", stages=[["b!"]])
    bench.decide(view)
    bench.mood("done", "b", "refused")
    assert bench.apply(view.id).state == State.UNDONE
    (bench.folder / "mood-done-b").unlink()
    bench.mood("do", "b", "refused")
    view = bench.carried_out("two", stages=[["b!"]])
    assert view.state == State.STOPPED
    assert "1 failed and may be half done" in view.trouble.now


def test_a_step_that_does_not_prove_itself_is_put_back(bench: Any) -> None:
    """`done` decides, not that `do` came back."""
    (bench.folder / "deaf-b").touch()
    view = bench.carried_out(stages=[["a"], ["b"]])
    assert view.state == State.UNDONE
    assert "looking at it afterwards" in view.trouble.what
    assert bench.lines() == []


def test_a_proof_is_carried_out_each_time(bench: Any) -> None:
    """It is never "already so"; when it fails, the changes are put back, and that is then all there is to put back."""
    view = bench.carried_out("good", stages=[["a"], ["a?"]])
    assert (view.state, states(view)) == (State.DONE, ["done", "done"])
    bench.mood("prove", "b", "refused")
    view = bench.carried_out("bad", stages=[["b"], ["b?"]])
    assert (view.state, states(view)) == (State.UNDONE, ["undone", "failed"])
    assert view.trouble.now == "Do something. Of 2 steps: 1 not proven, 1 put back."
    assert bench.lines() == [["a", bench.see(bench.ask("good")).id]]


@pytest.mark.parametrize("verb", ["done", "do", "after", "undo"])
def test_a_short_absence_is_waited_for(bench: Any, verb: str) -> None:
    """In every verb; and a write whose answer was lost is not repeated."""
    view = bench.proposal(stages=[["a"], ["b"]])
    bench.decide(view)
    bench.mood(verb, "a", "transient 2")
    if verb == "undo":
        bench.mood("do", "b", "refused")
    view = bench.apply(view.id)
    assert view.state == (State.UNDONE if verb == "undo" else State.DONE), view.trouble
    assert bench.lines() == ([] if verb == "undo" else [["a", view.id], ["b", view.id]])


def test_a_long_absence_is_a_failure(bench: Any) -> None:
    """Bounded patience, then the undo; and the words are those of the tool."""
    bench.mood("do", "b", "transient")
    view = bench.carried_out(stages=[["a"], ["b"]])
    assert view.state == State.UNDONE
    assert view.trouble.what == "b said transient."


def test_a_foreign_error_travels_as_its_class(bench: Any, canary: Any) -> None:
    """Neither the store, the audit nor the log has its text."""
    bench.mood("do", "a", canary("foreign"))
    canary.may_hold(bench.folder / "mood-do-a")
    view = bench.carried_out()
    assert "ValueError" in view.trouble.what
    assert view.id in view.trouble.what


def test_a_premise_that_does_not_hold_makes_a_new_plan(bench: Any) -> None:
    """Nothing is changed; the new run names the old one, asks for the same, and needs its own approval."""
    view = bench.proposal()
    bench.decide(view)
    (bench.folder / "storm").touch()
    old = bench.apply(view.id)
    assert old.state == State.SUPERSEDED
    assert "the world is calm" in old.trouble.what
    assert bench.lines() == []
    new = bench.plan(old.superseded_by)
    assert (new.state, new.supersedes, new.source, new.asker) == (State.PROPOSED, old.id, "drift", "U1")
    assert bench.apply(old.id) == old
    assert len(bench.desk.runs()) == 2


def test_a_premise_nobody_can_check_stops_before_anything(bench: Any) -> None:
    """Neither a drift nor a failed change: say so."""
    view = bench.proposal()
    bench.decide(view)
    bench.mood("holds", "calm", "refused")
    view = bench.apply(view.id)
    assert view.state == State.STOPPED
    assert "Nothing was changed" in view.trouble.now
    assert bench.lines() == []


def test_a_step_that_drifts_before_any_change_makes_a_new_plan(bench: Any) -> None:
    """As a premise would."""
    bench.mood("do", "a", "drifted")
    view = bench.carried_out(stages=[["a"], ["b"]])
    assert view.state == State.SUPERSEDED
    assert bench.see(view.superseded_by).supersedes == view.id


def test_a_step_that_drifts_after_a_change_is_a_failure(bench: Any) -> None:
    """What was done is put back first, and people decide what comes next."""
    bench.mood("do", "b", "drifted")
    view = bench.carried_out(stages=[["a"], ["b"]])
    assert view.state == State.UNDONE
    assert bench.lines() == []


def test_a_plan_changed_in_the_store_does_not_run(bench: Any) -> None:
    """What was approved is what runs: the digest is taken again over what is stored."""
    view = bench.proposal()
    bench.decide(view)
    document = view.plan.model_dump(mode="json")
    document["stages"][0]["steps"][0]["name"] = "evil"
    bench.shop.write(lambda conn: conn.execute(tables.run.update().values(plan=document)))
    assert bench.apply(view.id).state == State.SUPERSEDED
    assert bench.lines() == []


def test_a_deploy_while_waiting_changes_nothing(bench: Any, world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """New code plans otherwise and its steps have a new field: the approved steps run, under the approved digest."""
    view = bench.proposal(stages=[["a"]])

    class Write(world.Write):  # type: ignore[misc,name-defined]
        colour: str = "blue"

    def plan(ask: Any, settings: Any, tools: Any) -> Any:
        return world.plan(ask.model_copy(update={"stages": [["other"]]}), settings, tools)

    handlers = {
        "world": world.Handler("world", "v2", world.WorldAsk, world.HandlerSettings, plan, (Write,), (world.Calm,))
    }
    object.__setattr__(bench.shop, "handlers", handlers)
    assert bench.decide(view).accepted
    assert bench.apply(view.id).state == State.DONE
    assert bench.lines() == [["a", view.id]]


def test_a_kind_of_step_that_is_gone_makes_a_new_plan(bench: Any, world: Any) -> None:
    """The code that could run it was removed while it waited: nothing half-understood runs."""
    view = bench.proposal(stages=[["a!"]])
    bench.decide(view)
    gone = world.Handler(
        "world", "v2", world.WorldAsk, world.HandlerSettings, world.plan, (world.Write,), (world.Calm,)
    )
    object.__setattr__(bench.shop, "handlers", {"world": gone})
    assert bench.see(view.id).plan is None
    assert bench.see(view.id).steps[0].says == "write a"
    assert bench.apply(view.id).state == State.SUPERSEDED
    assert bench.lines() == []


class Killed(BaseException):
    """The process ends here."""


def test_a_write_whose_record_was_lost_is_ours(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed right after the write: it is not repeated, counts as done by us, and is undone on a later failure."""
    view = bench.proposal(stages=[["a"], ["b"]])
    bench.decide(view)
    with monkeypatch.context() as patch:
        patch.setattr(bench.world, "mood", killed_at("after", "a", bench.world.mood))
        with pytest.raises(Killed):
            bench.apply(view.id)
    bench.mood("do", "b", "refused")
    view = bench.apply(view.id)
    assert view.state == State.UNDONE
    assert bench.lines() == []
    begun = [e.facts["says"] for e in bench.desk.audit(limit=99) if e.what == "step_begun"]
    assert begun == ["write a", "write b"]


def killed_at(verb: str, name: str, mood: Callable[..., None]) -> Callable[[str, str, str], None]:
    def inner(folder: str, this: str, now: str) -> None:
        if (now, this) == (verb, name):
            raise Killed
        mood(folder, this, now)

    return inner


def test_another_process_that_is_late_records_nothing(bench: Any) -> None:
    """A process that slept while its work was taken over finds that its turn is gone, and gives way."""
    from bot.engine import steps
    from bot.engine.durable import Halt

    view = bench.proposal()
    bench.decide(view)
    applying.begin(bench.shop, view.id)
    before = bench.shop.read(lambda conn: steps.row(conn, view.id, 0, 0))
    late = steps.begin(bench.shop, before)
    ours = steps.begin(bench.shop, late)
    with pytest.raises(Halt):
        steps.end(bench.shop, late, StepState.FAILED)
    steps.end(bench.shop, ours, StepState.DONE)
    assert states(bench.see(view.id)) == ["done"]


def test_steps_of_a_stage_run_side_by_side(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three steps that wait for each other all end."""
    together, mood = threading.Barrier(3, timeout=20), bench.world.mood

    def meet(folder: str, name: str, verb: str) -> None:
        if verb == "do":
            together.wait()
        mood(folder, name, verb)

    monkeypatch.setattr(bench.world, "mood", meet)
    assert bench.carried_out(stages=[["a", "b", "c"]]).state == State.DONE


def test_a_step_that_takes_the_process_down_is_given_up(bench: Any) -> None:
    """Begun again and again, never ended: it must not crash the bot for ever."""
    view = bench.proposal()
    bench.decide(view)
    many = {"attempt": 25, "state": "running"}
    bench.shop.write(lambda conn: conn.execute(tables.run_step.update().values(**many)))
    view = bench.apply(view.id)
    assert view.state == State.UNDONE
    assert "never ended" in view.trouble.what
