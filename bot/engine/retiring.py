"""Removing what a run had saved for its undo, once it is verified and its retention has passed."""

from __future__ import annotations

from functools import partial

import sqlalchemy as sa

from bot.core.plan import RunRef
from bot.core.view import State
from bot.engine import applying, audit, runs, steps
from bot.engine.durable import Checkpoint
from bot.engine.tables import run as run_table
from bot.engine.workshop import Failed, Workshop, failure

AGAIN = 86400.0  # seconds until the next try when a backup could not be removed
VERIFIED = (State.DONE, State.PARTLY, State.UNDONE)  # what was stopped keeps its backups for people


def retire(shop: Workshop, run: str, keep: Checkpoint) -> None:
    """The work "retire": remove what the run had saved for its undo."""
    keep("retire", lambda: _retire(shop, run))


def _retire(shop: Workshop, run: str) -> None:
    plan = applying.stored(shop, run)
    for row in shop.read(lambda conn: steps.rows(conn, run)):
        if row.attempt == 0:
            continue
        try:
            step = plan.stages[row.stage].steps[row.place]
            shop.patiently(partial(step.retire, applying.tools_of(shop), RunRef(run, pause=shop.pause)))
        except Exception as error:  # it is tried again tomorrow; what waits there does no harm meanwhile
            _not_retired(shop, run, failure(error, run, f"Removing the backup of “{row.says}”"))
            return
    _retired(shop, run)


def put_due(conn: sa.Connection, shop: Workshop, limit: int = 100) -> int:
    """Enqueue the removal for runs whose time has come, each once; how many."""
    due = sa.select(run_table.c.id, run_table.c.retire_at, run_table.c.retired)
    due = due.where(run_table.c.retire_at <= shop.clock()).limit(limit)
    rows = conn.execute(due).all()
    for row in rows:
        mine = run_table.c.id == row.id, run_table.c.retire_at == row.retire_at
        taken = conn.execute(run_table.update().where(*mine).values(retire_at=None, retired=row.retired + 1))
        if taken.rowcount == 1:
            shop.queues.put(conn, "retire", row.id, turn=row.retired + 1)
    return len(rows)


def _retired(shop: Workshop, run: str) -> None:
    shop.write(lambda conn: _audit(conn, shop, run, "retired", {}))


def _not_retired(shop: Workshop, run: str, failed: Failed) -> None:
    def change(conn: sa.Connection) -> None:
        again = run_table.update().where(run_table.c.id == run).values(retire_at=shop.clock() + AGAIN)
        conn.execute(again)
        runs.tell(conn, shop, run)
        runs.note(conn, shop, run, "not retired", text=f"{failed.trouble.what} It is tried again tomorrow.")
        _audit(conn, shop, run, "not_retired", {"trouble": failed.document})

    shop.write(change)


def _audit(conn: sa.Connection, shop: Workshop, run: str, what: str, facts: dict[str, object]) -> None:
    audit.append(conn, who="bot", what=what, run=run, facts=facts, at=shop.clock())
