"""Applying: once, proven, and put back on a failure."""

from __future__ import annotations

from typing import Any

import pytest

from bot.core.view import RunView, State
from bot.engine import applying, audit


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


def test_a_step_that_leaves_nothing_half_done_just_failed(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is sent to look for what cannot be there."""
    monkeypatch.setattr(bench.world.Write, "atomic", True)
    bench.mood("do", "b", "refused")
    view = bench.carried_out(on_failure="go_on", stages=[["a"], ["b"], ["c"]])
    assert view.state == State.PARTLY
    assert view.trouble.now.endswith("Of 3 steps: 2 done and left so, 1 failed.")


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
