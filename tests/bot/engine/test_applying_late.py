"""A step's effect that comes after its answer was given up: it is ours, and what nobody can know is not promised."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import sqlalchemy as sa

from bot.core.errors import Drifted, Transient
from bot.core.view import State
from bot.engine import store, workshop
from bot.engine.messages import message

UNHEARD = Transient("b did not answer within 10 s.", "Try again.", unheard=True)


@pytest.fixture
def at(bench: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """What happens at a verb of a step, one for each time it is called."""

    def let(verb: str, name: str, *happens: Any) -> None:
        left, mood = list(happens), bench.world.mood

        def inner(folder: str, this: str, now: str) -> None:
            mood(folder, this, now)
            if (now, this) == (verb, name) and left:
                happen = left.pop(0)
                if isinstance(happen, Exception):
                    raise happen
                happen()

        monkeypatch.setattr(bench.world, "mood", inner)

    return let


def notes(bench: Any, run: str) -> list[str]:
    """What stands in the run's thread."""
    query = sa.select(message.c.note).where(message.c.run == run, message.c.note.is_not(None))
    return [row["text"] for row in bench.shop.read(lambda conn: conn.execute(query).scalars().all())]


def test_an_earlier_try_that_lands_in_the_middle_of_the_next_is_ours(bench: Any, at: Any) -> None:
    """The next try takes it for somebody else's; looking once more tells, and there is neither a new plan nor an undo."""
    run: list[str] = []

    def lands() -> None:
        bench.world.add(str(bench.folder), "b", run[0])
        raise Drifted("Somebody else changed b.", "Ask for a new plan.")

    at("do", "b", UNHEARD, lands)
    view = bench.proposal(stages=[["a"], ["b"]])
    run.append(view.id)
    bench.decide(view)
    view = bench.apply(view.id)
    assert (view.state, view.trouble) == (State.DONE, None)
    assert bench.lines() == [["a", view.id], ["b", view.id]]


def test_a_drift_at_the_first_try_is_not_ours(bench: Any, at: Any) -> None:
    """Whoever did the same at that moment did it, and it is not ours to undo later."""

    def others() -> None:
        bench.world.add(str(bench.folder), "b", "others")
        raise Drifted("Somebody else changed b.", "Ask for a new plan.")

    at("do", "b", others)
    view = bench.carried_out(stages=[["b"]])
    assert view.state == State.SUPERSEDED
    assert bench.lines() == [["b", "others"]]


def test_the_last_try_may_have_worked_too(bench: Any, at: Any) -> None:
    """Its answer was lost: what is there is not told as a failure."""
    at("after", "b", UNHEARD, UNHEARD, UNHEARD)
    at("do", "b", UNHEARD, UNHEARD)
    view = bench.carried_out(stages=[["b!"]], on_failure="go_on")
    assert (view.state, view.trouble) == (State.DONE, None)
    assert bench.lines() == [["b", view.id]]


def test_what_may_still_come_is_not_told_as_put_back(bench: Any, at: Any) -> None:
    """A request without an answer may be carried out when everything has been put back; one that was refused not. It
    holds too when a later try was answered."""
    at("do", "b", UNHEARD, Transient("b is sealed."), Transient("b is sealed."))
    view = bench.carried_out(stages=[["a"], ["b"]])
    assert (view.state, bench.lines()) == (State.UNDONE, [])
    assert view.trouble.now.endswith(
        "Of 2 steps: 2 put back. A request of “write b” got no answer: it may be carried out after that. "
        "Look there once more in a few minutes."
    )
    note = next(note for note in notes(bench, view.id) if note.startswith("It failed"))
    assert "as it was before" not in note

    bench.mood("do", "c", "transient")
    view = bench.carried_out("two", stages=[["c"]])
    assert view.trouble.now.endswith("Of 1 step: 1 put back.")
    assert "It failed, and everything is as it was before." in notes(bench, view.id)


def test_a_drift_after_a_request_without_an_answer_is_in_doubt(bench: Any, at: Any) -> None:
    """That the world moved says nothing of what the earlier try has done: a person looks before there is a new plan."""
    at("do", "b", UNHEARD, Drifted("Somebody else changed b.", "Ask again."))
    view = bench.carried_out(stages=[["b!"]], on_failure="stop")
    assert view.state == State.STOPPED
    assert "1 failed and may be half done" in view.trouble.now


@pytest.mark.parametrize("nth", range(1, 7))
def test_a_commit_whose_answer_was_lost_is_ours(bench: Any, monkeypatch: pytest.MonkeyPatch, nth: int) -> None:
    """The store did what we asked, and the connection broke off: what is there now was not written by another process,
    and is not written twice."""
    view, writes, real = bench.proposal(stages=[["a"]]), 0, workshop.writing
    bench.decide(view)

    @contextmanager
    def writing(engine: Any) -> Iterator[Any]:
        nonlocal writes
        with real(engine) as conn:
            yield conn
        writes += 1
        if writes == nth:
            raise store.away()

    monkeypatch.setattr(workshop, "writing", writing)
    assert bench.apply(view.id).state == State.DONE
    assert bench.lines() == [["a", view.id]]
    assert [what for what in bench.audited() if what.startswith("step_")] == ["step_begun", "step_done"]


def test_an_undo_that_lands_in_the_middle_of_the_next_is_ours(bench: Any, at: Any) -> None:
    """Looked at anew, there is nothing left to put back. One that drifts for good is told as what it is."""

    def lands() -> None:
        bench.world.remove(str(bench.folder), "a", bench.lines()[0][1])
        raise Drifted("Somebody else changed a.", "Look.")

    at("undo", "a", UNHEARD, lands)
    bench.mood("do", "b", "refused")
    view = bench.carried_out(stages=[["a"], ["b"]])
    assert (view.state, bench.lines()) == (State.UNDONE, [])

    bench.mood("undo", "c", "drifted")
    bench.mood("do", "d", "refused")
    assert bench.carried_out("two", stages=[["c"], ["d"]]).state == State.STOPPED
