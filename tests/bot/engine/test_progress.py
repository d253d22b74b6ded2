"""How far a step is: shown while it runs, seldom, never at the cost of the step, and gone when it has ended."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from bot.core.intake import Decision
from bot.core.view import State, StepState
from bot.engine import applying, steps, store
from bot.engine.durable import Halt
from bot.engine.progress import LIMIT, Progress
from bot.engine.workshop import RECORDERS
from tests.waiting import until


def begun(bench: Any, **ask: Any) -> Any:
    """A run whose first step has begun; its row."""
    view = bench.proposal(**ask)
    bench.decide(view)
    applying.begin(bench.shop, view.id)
    return steps.begin(bench.shop, bench.shop.read(lambda conn: steps.row(conn, view.id, 0, 0)))


def shown(bench: Any, row: Any) -> str:
    return str(bench.see(row.run).steps[row.place].progress)


def test_progress_is_shown_while_the_step_runs_and_gone_after_it(bench: Any) -> None:
    """The step sees itself in the view before it ends; afterwards there is nothing left."""
    seen: list[str] = []
    mood = bench.world.mood

    def watch(folder: str, name: str, verb: str) -> None:
        if verb == "do":  # the world's step has just told
            (id,) = [view.id for view in bench.desk.runs()]
            seen.append(until(lambda: bench.see(id).steps[0].progress))
        mood(folder, name, verb)

    bench.world.mood = watch
    try:
        view = bench.carried_out()
    finally:
        bench.world.mood = mood
    assert seen == ["about to write a"]
    assert (view.state, view.steps[0].progress) == (State.DONE, "")


def test_a_flood_of_texts_costs_few_writes_and_the_last_one_is_shown(bench: Any) -> None:
    """Two thousand texts in a moment: the message is shown anew a few times at most."""
    row = begun(bench)
    before = bench.see(row.run).revision
    with Progress(bench.shop, apart=0.05) as progress:
        tell = progress.of(row)
        for number in range(2000):
            tell(f"{number} of 1999")
        until(lambda: shown(bench, row) == "1999 of 1999")
    assert bench.see(row.run).revision - before <= 4


def test_the_same_text_again_shows_nothing_anew(bench: Any) -> None:
    """What is shown already is no news."""
    row = begun(bench)
    with Progress(bench.shop, apart=0) as progress:
        progress.of(row)("half way")
        until(lambda: shown(bench, row))
        before = bench.see(row.run).revision
        progress.of(row)("half way")
        progress.of(row)("done soon")
        until(lambda: shown(bench, row) == "done soon")
    assert bench.see(row.run).revision - before == 1


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("one\ntwo\x00\x1b[31m \u202e three", "one two[31m three"),
        ("x" * 500, "x" * (LIMIT - 1) + "…"),
        ("\ud800 half", "half"),
    ],
)
def test_a_text_is_one_short_line_without_control_characters(bench: Any, text: str, line: str) -> None:
    """Whatever a step was told by the other side."""
    row = begun(bench)
    with Progress(bench.shop, apart=0) as progress:
        progress.of(row)(text)
        assert until(lambda: shown(bench, row)) == line


def test_an_attempt_that_is_not_ours_any_more_tells_nothing(bench: Any) -> None:
    """After another process has begun the step, or after its end, a late text changes nothing."""
    row = begun(bench)
    newer = steps.begin(bench.shop, row)
    with Progress(bench.shop, apart=0) as progress:
        progress.of(row)("late")
        until(lambda: not progress._told)
        progress.of(newer)("in time")
        until(lambda: shown(bench, row) == "in time")
        steps.end(bench.shop, newer, StepState.DONE)
        assert shown(bench, row) == ""
        progress.of(newer)("too late")
        until(lambda: not progress._told)
    assert shown(bench, row) == ""


@contextmanager
def store_away(bench: Any) -> Iterator[None]:
    """Somebody else writes and does not end."""
    with store.writing(bench.shop.store):
        yield


def test_a_store_that_is_away_neither_stops_nor_fails_the_step(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """`tell` comes back at once; when the store is there again the latest text is shown."""
    row = begun(bench)
    monkeypatch.setattr(store, "BUSY", 0.02)
    with Progress(bench.shop, apart=0.01) as progress:
        tell = progress.of(row)
        with store_away(bench):
            began = time.monotonic()
            for number in range(3000):
                tell(str(number))
            assert time.monotonic() - began < 20, "a minute if each of them waited for the store"
            until(lambda: not progress._news.is_set())  # it has tried
        assert until(lambda: shown(bench, row)) == "2999"


def test_after_a_crash_the_old_text_goes_when_the_step_is_begun_again(bench: Any) -> None:
    """What the dead process told is not shown as if it were still so."""
    row = begun(bench)
    with Progress(bench.shop, apart=0) as progress:
        progress.of(row)("3 of 5")
        until(lambda: shown(bench, row))
    again = steps.begin(bench.shop, row)
    assert shown(bench, again) == ""


def test_a_pause_ends_the_step_when_the_bot_is_to_stop(bench: Any) -> None:
    """A long wait does not keep the process up; the step is begun again by the next one."""
    view = bench.proposal()
    bench.decide(view)
    began = threading.Event()
    write, do = bench.world.Write, bench.world.Write.do

    def wait(self: Any, tools: Any, run: Any) -> None:
        began.set()
        run.pause(60)
        do(self, tools, run)

    write.do = wait
    try:
        halted: list[bool] = []

        def work() -> None:
            try:
                bench.apply(view.id)
            except Halt:
                halted.append(True)

        thread = threading.Thread(target=work)
        thread.start()
        assert began.wait(60)
        bench.shop.stopping.set()
        thread.join(50)
        assert halted
        assert bench.see(view.id).steps[0].state == StepState.RUNNING
        bench.shop.stopping.clear()
    finally:
        write.do = do
    assert bench.apply(view.id).state == State.DONE
    assert len(bench.lines()) == 1


def test_undoing_tells_too(bench: Any) -> None:
    """A long undo is shown, and its text is gone with its end."""
    bench.mood("do", "b", "refused")
    seen: list[str] = []
    write, undo = bench.world.Write, bench.world.Write.undo

    def slow(self: Any, tools: Any, run: Any) -> None:
        if self.name == "a":
            run.tell("putting back")
            seen.append(until(lambda: bench.see(run.id).steps[0].progress))
        undo(self, tools, run)

    write.undo = slow
    try:
        view = bench.carried_out(stages=[["a"], ["b"]])
    finally:
        write.undo = undo
    assert seen == ["putting back"]
    assert (view.state, view.steps[0].progress) == (State.UNDONE, "")


@pytest.mark.slow  # so much of it takes its time
def test_two_hundred_and_more_steps_are_at_work_at_once(bench: Any) -> None:
    """Each waits until all of them are there: fewer at once would wait in vain."""
    view = bench.proposal(stages=[[f"s{n}" for n in range(256)]], on_failure="go_on")
    bench.decide(view)
    write, done = bench.world.Write, bench.world.Write.done
    all_here = threading.Barrier(256)
    write.done = lambda self, tools: all_here.wait(90) >= 0
    try:
        view = bench.apply(view.id)
    finally:
        write.done = done
    assert {step.state for step in view.steps} == {StepState.ALREADY}


class Line:
    """The turn that writers of the store take, and how many stood in line for it at once."""

    def __init__(self, turn: Any) -> None:
        self.turn, self.counting, self.waiting, self.most = turn, threading.Lock(), 0, 0

    def acquire(self, timeout: float) -> bool:
        with self.counting:
            self.waiting += 1
            self.most = max(self.most, self.waiting)
        try:
            return bool(self.turn.acquire(timeout=timeout))
        finally:
            with self.counting:
                self.waiting -= 1

    def release(self) -> None:
        self.turn.release()


@pytest.mark.slow
def test_no_click_finds_the_store_busy_while_many_steps_are_recorded(
    bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many steps write, only a few stand in line before a person, and every click is answered."""
    line = Line(store._TURNS[bench.shop.store])
    monkeypatch.setitem(store._TURNS, bench.shop.store, line)
    view, other = bench.proposal(stages=[[f"s{n}" for n in range(256)]], on_failure="go_on"), bench.proposal("other")
    bench.decide(view)
    work = threading.Thread(target=bench.apply, args=(view.id,))
    work.start()
    clicks = 0
    while work.is_alive():
        bench.desk.decide(Decision(key=f"k{clicks}", run=other.id, verdict="approve", user="U8"))  # who may not
        clicks += 1
    work.join()
    assert bench.see(view.id).state == State.DONE
    assert clicks
    assert line.most <= RECORDERS + 4, "the click, and what runs beside the steps"
