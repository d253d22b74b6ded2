"""The record of a run's steps: what was begun, by which attempt, and how it ended.

"Begun" is written before the world is touched. So a step that is found done after a crash counts as ours, and is
undone on a failure, while one that was so before anybody began it stays as it is.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from bot.core.plan import Plan
from bot.core.view import State, StepState
from bot.engine import audit, runs
from bot.engine.durable import Halt
from bot.engine.tables import run, run_step
from bot.engine.workshop import Failed, Workshop

MOST_BEGUN = 25  # a step that was begun this often and never ended takes the process down with it


def propose(conn: sa.Connection, id: str, plan: Plan, already: frozenset[tuple[int, int]]) -> None:
    """Write down the steps of a new plan; `already` are the places of those that need no doing."""
    for stage, place, step in plan.steps:
        state = StepState.ALREADY if (stage, place) in already else StepState.WAITING
        conn.execute(
            run_step.insert().values(
                run=id, stage=stage, place=place, says=step.says(), reversible=step.reversible, state=state, attempt=0
            )
        )


def rows(conn: sa.Connection, id: str) -> list[Any]:
    """All steps of the run in order."""
    query = sa.select(run_step).where(run_step.c.run == id).order_by(run_step.c.stage, run_step.c.place)
    return list(conn.execute(query))


def row(conn: sa.Connection, id: str, stage: int, place: int) -> Any:
    return conn.execute(sa.select(run_step).where(*_at(id, stage, place))).one()


def begin(shop: Workshop, known: Any) -> Any:
    """Write down that this step is begun once more, and return its row. Halt if another process has begun it since
    `known` was read: that one goes on with it."""
    new = {"attempt": known.attempt + 1, "state": StepState.RUNNING, "begun_at": shop.clock()}
    return _record(shop, known, new, "step_begun", {"attempt": known.attempt + 1})


def end(shop: Workshop, known: Any, state: StepState, failed: Failed | None = None) -> None:
    """Write down how the step ended, if it is still ours to say."""
    trouble = failed.document if failed else known.trouble
    new = {"state": state, "finished_at": shop.clock(), "trouble": trouble}
    _record(shop, known, new, f"step_{state.value}", {"trouble": failed.document} if failed else {})


def _record(shop: Workshop, known: Any, new: dict[str, Any], what: str, facts: dict[str, Any]) -> Any:
    """The step's row as it is then. What was stored though the store's answer was lost is not stored twice, nor taken
    for another process's."""
    again = False

    def change(conn: sa.Connection) -> Any:
        nonlocal again
        now = row(conn, known.run, known.stage, known.place) if again else None
        if now is not None and all(getattr(now, name) == value for name, value in new.items()):
            return now
        again = True
        _update(conn, shop, known, new | {"progress": ""})
        audit_step(conn, shop, known, what, facts)
        return row(conn, known.run, known.stage, known.place)

    with shop.recorders:
        return shop.write(change)


def audit_step(conn: sa.Connection, shop: Workshop, known: Any, what: str, facts: dict[str, Any]) -> None:
    facts = {"stage": known.stage, "place": known.place, "says": known.says} | facts
    audit.append(conn, who="bot", what=what, run=known.run, facts=facts, at=shop.clock())


def _update(conn: sa.Connection, shop: Workshop, known: Any, new: dict[str, Any]) -> None:
    """Compare-and-set on the attempt; Halt when it is not ours any more. What is written before is rolled back."""
    mine = (*_at(known.run, known.stage, known.place), run_step.c.attempt == known.attempt)
    applying = sa.exists().where(run.c.id == known.run, run.c.state == State.APPLYING)
    if conn.execute(run_step.update().where(*mine, applying).values(**new)).rowcount != 1:
        raise Halt
    runs.shown_anew(conn, shop, known.run)


def _at(id: str, stage: int, place: int) -> tuple[sa.ColumnElement[bool], ...]:
    return run_step.c.run == id, run_step.c.stage == stage, run_step.c.place == place
