"""Forgetting what ended long ago. The audit log is kept for ever, and what a run had saved is removed before."""

from __future__ import annotations

from collections.abc import Callable

import sqlalchemy as sa

from bot.core.incident import IncidentState
from bot.core.view import OPEN
from bot.engine import alarms, messages, outbox, records
from bot.engine.store import writing
from bot.engine.tables import (
    decision,
    incident,
    incident_action,
    incident_alert,
    incident_tick,
    notice,
    run,
    run_action,
    run_step,
    run_tick,
    sign_in,
)
from bot.engine.workshop import Workshop

DAY = 86400.0
NOTICES = 7 * DAY  # seconds that a notice is kept to know it again
WORKS = 14 * DAY  # seconds that the executor keeps what it has ended: looks at credentials alone are hundreds a day
BATCH = 500  # runs in one transaction, so that nobody waits long for it


def forget(shop: Workshop) -> int:
    """Delete runs and incidents, with all that belongs to them, that ended before the settings' keep_days, and past
    values of what handlers remember; how many runs. Notices go after a week, the executor's records of ended work
    after two."""
    before = shop.clock() - shop.settings.store.keep_days * DAY
    total = _in_batches(shop, lambda conn: _forget(conn, before))
    _in_batches(shop, lambda conn: _forget_incidents(conn, before))
    _in_batches(shop, lambda conn: records.forget(conn, before, BATCH))
    _in_batches(shop, lambda conn: _forget_notices(conn, shop.clock() - NOTICES))
    before = max(before, shop.clock() - WORKS)
    while not shop.stopping.is_set() and shop.queues.forget(before, BATCH) == BATCH:
        continue
    return total


def _in_batches(shop: Workshop, forget: Callable[[sa.Connection], int]) -> int:
    total = 0
    while not shop.stopping.is_set():
        with writing(shop.store) as conn:
            count = forget(conn)
        total += count
        if count < BATCH:
            break
    return total


def _forget(conn: sa.Connection, before: float) -> int:
    old = run.c.finished_at < before, run.c.state.not_in(list(OPEN)), run.c.retire_at.is_(None)
    ids = list(conn.execute(sa.select(run.c.id).where(*old).limit(BATCH)).scalars())
    for table in (run_step, run_tick, run_action, decision, sign_in):
        conn.execute(table.delete().where(table.c.run.in_(ids)))
    outbox.forget(conn, runs=ids)
    conn.execute(run.delete().where(run.c.id.in_(ids)))
    return len(ids)


def _forget_incidents(conn: sa.Connection, before: float) -> int:
    old = incident.c.closed_at < before, incident.c.state == IncidentState.CLOSED
    ids = list(conn.execute(sa.select(incident.c.id).where(*old).limit(BATCH)).scalars())
    for table in (incident_alert, incident_tick, incident_action):
        conn.execute(table.delete().where(table.c.incident.in_(ids)))
    outbox.forget(conn, runs=ids)
    conn.execute(incident.delete().where(incident.c.id.in_(ids)))
    return len(ids)


def _forget_notices(conn: sa.Connection, before: float) -> int:
    keys = list(conn.execute(sa.select(notice.c.key).where(notice.c.seen_at < before).limit(BATCH)).scalars())
    conn.execute(notice.delete().where(notice.c.key.in_(keys)))
    messages.forget_shown(conn, owner=alarms.OWNER, before=before)
    return len(keys)
