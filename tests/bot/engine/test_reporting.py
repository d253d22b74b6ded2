"""What the handler sees after its plan was applied: made once, kept with the run, and never in the way of its end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa

from bot.core.errors import Refused, Transient
from bot.core.plan import Note, Report, Table
from bot.core.view import State
from bot.engine import applying
from bot.engine.messages import message

REPORT = Report(
    table=Table(head=("where", "age"), rows=(("dev", "1 min"),)), notes=(Note(label="next", text="", at=5.0),)
)


class Reports:
    """A handler's report that is counted, and that fails as the test says."""

    def __init__(self, *results: Any) -> None:
        self._results = list(results) or [REPORT]
        self.calls: list[tuple[Any, Any, Any]] = []

    def __call__(self, plan: Any, settings: Any, tools: Any) -> Any:
        self.calls.append((plan, settings, tools))
        result = self._results.pop(0) if len(self._results) > 1 else self._results[0]
        if isinstance(result, BaseException):
            raise result
        return result


def test_a_run_that_ended_well_has_the_report(bench: Any) -> None:
    """As the handler made it, once, from its plan, its settings and the tools that only read."""
    reports = Reports()
    bench.with_handler(report=reports)
    view = bench.carried_out()
    assert (view.state, view.report) == (State.DONE, REPORT)
    ((plan, settings, tools),) = reports.calls
    assert plan == view.plan
    assert settings is bench.shop.handler_settings["world"]
    assert tools is bench.shop.read_tools
    bench.apply(view.id)
    assert len(reports.calls) == 1


@pytest.mark.parametrize(
    ("warnings", "told"),
    [((), "Done and verified."), (("b: left out.",), "Done and verified. Mind what is marked ⚠️ above.")],
)
def test_who_asked_is_sent_to_the_warnings(bench: Any, warnings: tuple[str, ...], told: str) -> None:
    """A run that ended well and has warnings in its report is not called well without a word of them."""
    bench.with_handler(report=Reports(REPORT.model_copy(update={"warnings": warnings})))
    run = bench.carried_out().id
    query = sa.select(message.c.note).where(message.c.run == run, message.c.note.is_not(None))
    notes = [row["text"] for row in bench.shop.read(lambda conn: conn.execute(query).scalars().all())]
    assert notes[-1] == told


@pytest.mark.parametrize(
    ("failing", "on_failure", "state", "count"),
    [
        ("b", "go_on", State.PARTLY, 1),
        ("b", "stop", State.STOPPED, 1),
        ("b", "undo", State.UNDONE, 0),
    ],
)
def test_there_is_a_report_where_something_was_done_and_stays(
    bench: Any, failing: str, on_failure: str, state: State, count: int
) -> None:
    """In part, or stopped on the way; what was put back leaves nothing to report."""
    reports = Reports()
    bench.with_handler(report=reports)
    bench.mood("do", failing, "refused")
    view = bench.carried_out(stages=[["a"], ["b"]], on_failure=on_failure)
    assert (view.state, len(reports.calls)) == (state, count)
    assert (view.report is not None) == bool(count)


def test_nothing_begun_nothing_reported(bench: Any) -> None:
    """A run that was stopped before its first step, and one whose world had moved."""
    reports = Reports()
    bench.with_handler(report=reports)
    bench.mood("holds", "calm", "refused")
    assert bench.carried_out().report is None
    (bench.folder / "mood-holds-calm").unlink()
    (bench.folder / "storm").touch()
    assert bench.carried_out("drift").state == State.SUPERSEDED
    assert reports.calls == []


def test_a_handler_without_a_report_has_none(bench: Any) -> None:
    """It is asked for none."""
    bench.with_handler(report=None)
    assert bench.carried_out().report is None


@pytest.mark.parametrize(
    ("result", "words"),
    [
        (Refused("The cluster said no.", "Ask its owner."), "could not be read: The cluster said no. Ask its owner."),
        (Transient("It is away.", "Wait."), "could not be read: It is away. Wait."),
        (ValueError("s3cret text"), "an error that the bot does not know (ValueError"),
        ("no report", "an error that the bot does not know (TypeError"),
        (Report(notes=(Note.model_construct(label="\ud800", text=""),)), "an error that the bot does not know"),
    ],
)
def test_a_report_that_fails_is_a_warning_and_the_run_ends_as_it_would(bench: Any, result: Any, words: str) -> None:
    """In our words, never in foreign ones."""
    bench.with_handler(report=Reports(result))
    view = bench.carried_out()
    assert view.state == State.DONE
    (warning,) = view.report.warnings
    assert words in warning
    assert warning.startswith("What is there now")
    assert "s3cret" not in warning


def test_a_system_that_is_away_for_a_moment_is_asked_again(bench: Any) -> None:
    """Two looks in vain, and the third gives the report."""
    away = Transient("It is away.")
    reports = Reports(away, away, REPORT)
    bench.with_handler(report=reports)
    assert bench.carried_out().report == REPORT
    assert len(reports.calls) == 3


class Killed(BaseException):
    """Stands for the end of the process."""


def killed_before(step: str, kept: dict[str, Any], *, lost: bool = False) -> Callable[[str, Callable[[], Any]], Any]:
    """Checkpoints that remember, of a process that ends right before this one (`lost`: right after its call)."""

    def keep(name: str, call: Callable[[], Any]) -> Any:
        if name == step and lost:
            call()
        if name == step:
            raise Killed
        if name not in kept:
            kept[name] = call()
        return kept[name]

    return keep


@pytest.mark.parametrize(("step", "lost"), [("report", True), ("end", False), ("end", True)])
def test_killed_around_the_report_it_is_made_once(bench: Any, step: str, lost: bool) -> None:
    """The next process takes what is in the row, also when the checkpoint of making it was lost."""
    reports = Reports()
    bench.with_handler(report=reports)
    view = bench.proposal()
    bench.decide(view)
    kept: dict[str, Any] = {}
    with pytest.raises(Killed):
        applying.apply(bench.shop, view.id, killed_before(step, kept, lost=lost))
    applying.apply(bench.shop, view.id, killed_before("never", kept))
    assert len(reports.calls) == 1
    after = bench.see(view.id)
    assert (after.state, after.report) == (State.DONE, REPORT)


def test_killed_while_it_looks_the_next_process_looks_again(bench: Any) -> None:
    """Looking changes nothing, so doing it again does no harm."""
    reports = Reports(Killed(), REPORT)
    bench.with_handler(report=reports)
    view = bench.proposal()
    bench.decide(view)
    kept: dict[str, Any] = {}
    with pytest.raises(Killed):
        applying.apply(bench.shop, view.id, killed_before("never", kept))
    assert bench.see(view.id).state == State.APPLYING
    applying.apply(bench.shop, view.id, killed_before("never", kept))
    after = bench.see(view.id)
    assert (after.state, after.report, len(reports.calls)) == (State.DONE, REPORT, 2)
