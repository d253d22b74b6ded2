"""Which incident alerts belong to. Transactions that find one wait for each other on its row."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa

from bot.engine import incidents
from bot.engine.tables import incident, incident_alert


def of_key(conn: sa.Connection, handler: str, key: str) -> Any | None:
    """The open incident of the handler and key; else the one that had no key, which has this one from now on."""
    row = incidents.lock(conn, incident.c.live == incidents.live(handler, key))
    if row is not None:
        return row
    nameless = incidents.lock(conn, incident.c.live == incidents.live(handler, ""))
    return None if nameless is None else _named(conn, nameless, key)


def without_key(conn: sa.Connection, handler: str, identities: Sequence[str], words: str) -> Any | None:
    """For alerts that do not tell their key: the handler's only open incident; of several the one that knows them
    already, or else the one whose key is a word of what they say. None when that leaves a choice."""
    row = incidents.lock(conn, incident.c.live == incidents.live(handler, ""))
    if row is not None:
        return row
    query = sa.select(incident.c.id, incident.c.key).where(incident.c.handler == handler, incident.c.live.is_not(None))
    keys = {row.id: row.key for row in conn.execute(query)}
    known = incident_alert.c.incident.in_(keys), incident_alert.c.identity.in_(identities)
    knowing = set(conn.execute(sa.select(incident_alert.c.incident).where(*known)).scalars())
    named = {id for id, key in keys.items() if _says(words, key)}
    id = _only(keys) or _only(knowing) or _only(named)
    return incidents.lock(conn, incident.c.id == id, incident.c.live.is_not(None)) if id else None


def knowing(conn: sa.Connection, handler: str, identities: Sequence[str]) -> Any | None:
    """The newest incident of the handler, open or not, that has one of these alerts."""
    known = sa.select(incident_alert.c.incident).where(incident_alert.c.identity.in_(identities))
    return incidents.lock(conn, incident.c.handler == handler, incident.c.id.in_(known))


def _only(ids: Iterable[str]) -> str | None:
    found = list(ids)
    return found[0] if len(found) == 1 else None


def _says(words: str, key: str) -> bool:
    """Is the key a word of this, and not a part of one? (eu-de is no word of eu-de-2.)"""
    return re.search(rf"(?<![\w.-]){re.escape(key)}(?![\w-]|\.\w)", words) is not None


def _named(conn: sa.Connection, row: Any, key: str) -> Any:
    values = {"key": key, "live": incidents.live(row.handler, key)}
    return conn.execute(incident.update().where(incident.c.id == row.id).values(**values).returning(incident)).one()
