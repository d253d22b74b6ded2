"""Forgetting what ended long ago. The audit log is kept for ever, and what a run had saved is removed before."""

from __future__ import annotations

import sqlalchemy as sa

from bot.core.view import OPEN
from bot.engine import outbox
from bot.engine.store import writing
from bot.engine.tables import decision, run, run_step
from bot.engine.workshop import Workshop

DAY = 86400.0
BATCH = 500  # runs in one transaction, so that nobody waits long for it


def forget(shop: Workshop) -> int:
    """Delete runs, with all that belongs to them, that ended before the settings' keep_days; how many."""
    before = shop.clock() - shop.settings.store.keep_days * DAY
    total = 0
    while not shop.stopping.is_set():
        with writing(shop.store) as conn:
            count = _forget(conn, before)
        total += count
        if count < BATCH:
            break
    while not shop.stopping.is_set() and shop.queues.forget(before, BATCH) == BATCH:
        continue
    return total


def _forget(conn: sa.Connection, before: float) -> int:
    old = run.c.finished_at < before, run.c.state.not_in(list(OPEN)), run.c.retire_at.is_(None)
    ids = list(conn.execute(sa.select(run.c.id).where(*old).limit(BATCH)).scalars())
    for table in (run_step, decision):
        conn.execute(table.delete().where(table.c.run.in_(ids)))
    outbox.forget(conn, runs=ids)
    conn.execute(run.delete().where(run.c.id.in_(ids)))
    return len(ids)
