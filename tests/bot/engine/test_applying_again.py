"""Taken up again after a crash, by another process, or side by side: each step's effect happens once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from bot.core.view import State, StepState
from bot.engine import applying, tables


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
    assert [step.state for step in bench.see(view.id).steps] == [StepState.DONE]


def test_steps_of_a_stage_run_side_by_side(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three steps that wait for each other all end."""
    together, mood = threading.Barrier(3, timeout=90), bench.world.mood

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
