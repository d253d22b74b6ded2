"""What handlers remember between runs, in our own store. One value of a key is the present one, however many replicas
put at once; a step that is carried out again after a crash changes nothing that others have put since."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from zlib import crc32

import sqlalchemy as sa

from bot.core.errors import Refused
from bot.core.records import Record
from bot.core.value import canonical
from bot.engine.store import reading, writing
from bot.engine.tables import record
from bot.engine.workshop import Workshop

KEPT = 50  # values of one key, with the present one
LARGEST = 16 * 1024  # bytes of a value's canonical JSON
LOCKS = 0x7265636F  # the first of two numbers of PostgreSQL's advisory locks; the second one is of the key
LONGEST = {"kind": 60, "key": 255}  # characters, as in Record


class StoredReader:
    """`bot.core.records.RecordsReader`. `store` is called when something is looked up, and not before."""

    def __init__(self, store: Callable[[], sa.Engine]) -> None:
        self._store = store

    def get(self, kind: str, key: str) -> Record | None:
        found = self.history(kind, key, limit=1)
        return found[0] if found else None

    def all(self, kind: str) -> tuple[Record, ...]:
        _named(kind=kind)
        query = sa.select(record).where(record.c.kind == kind, record.c.present)
        with reading(self._store()) as conn:
            rows = list(conn.execute(query))
        return tuple(sorted((_record(row) for row in rows), key=lambda one: one.key))  # databases sort differently

    def history(self, kind: str, key: str, *, limit: int = 20) -> tuple[Record, ...]:
        _named(kind=kind, key=key)
        query = sa.select(record).where(*_of(kind, key)).order_by(record.c.number.desc()).limit(max(limit, 0))
        with reading(self._store()) as conn:
            return tuple(_record(row) for row in conn.execute(query))


class StoredRecords(StoredReader):
    """`bot.core.records.Records`. `turn` is shared with the other writers of the background."""

    def __init__(self, store: Callable[[], sa.Engine], clock: Callable[[], float], turn: threading.Semaphore) -> None:
        super().__init__(store)
        self._clock, self._turn = clock, turn

    def put(self, kind: str, key: str, value: dict[str, Any], *, run: str) -> None:
        _named(kind=kind, key=key)
        new = {"kind": kind, "key": key, "value": _text(value), "begun_by": run, "run": run}
        with self._turn, writing(self._store()) as conn:
            _lock(conn, kind, key)
            now = self._clock()
            _put(conn, new | {"since": now, "seen_at": now})

    def drop(self, kind: str, key: str) -> None:
        _named(kind=kind, key=key)
        with self._turn, writing(self._store()) as conn:
            _lock(conn, kind, key)
            conn.execute(record.delete().where(*_of(kind, key)))


def remembering(shop: Workshop) -> Workshop:
    """The workshop with tools that remember in its store. What looking gets cannot write, also at run time."""
    if shop.tools is None or shop.read_tools is None:
        return shop
    whole = StoredRecords(lambda: shop.store, shop.clock, shop.recorders)
    looks = StoredReader(lambda: shop.store)
    return replace(shop, tools=replace(shop.tools, records=whole), read_tools=replace(shop.read_tools, records=looks))


def forget(conn: sa.Connection, before: float, most: int) -> int:
    """Delete past values that were last confirmed before then, so many at most; how many. The present ones stay."""
    place = sa.tuple_(record.c.kind, record.c.key, record.c.number)
    past = record.c.present.is_(None), record.c.seen_at < before
    old = sa.select(record.c.kind, record.c.key, record.c.number).where(*past).limit(most)
    return conn.execute(record.delete().where(place.in_(old), *past)).rowcount


def _lock(conn: sa.Connection, kind: str, key: str) -> None:
    """Whoever puts to the same key waits until this transaction has ended; on SQLite every writer waits anyway."""
    if conn.dialect.name == "postgresql":
        number = crc32(canonical([kind, key])) - 2**31
        conn.execute(sa.text("SELECT pg_advisory_xact_lock(:locks, :number)"), {"locks": LOCKS, "number": number})


def _put(conn: sa.Connection, new: dict[str, Any]) -> None:
    """`new` is a row without its number."""
    mine = _of(new["kind"], new["key"])
    present = conn.execute(sa.select(record).where(*mine, record.c.present)).first()
    if present is not None and present.value == new["value"]:
        _confirm(conn, present, new["run"], new["seen_at"])
    elif present is None or not _late(conn, present, new["value"], new["run"]):
        number = 1 if present is None else present.number + 1
        if present is not None:
            conn.execute(record.update().where(*mine, record.c.present).values(present=None))
        conn.execute(record.insert(), {**new, "number": number, "present": True})
        if number > KEPT:
            conn.execute(record.delete().where(*mine, record.c.number <= number - KEPT))


def _confirm(conn: sa.Connection, present: Any, run: str, now: float) -> None:
    if run and present.run == run:
        return
    mine = *_of(present.kind, present.key), record.c.number == present.number
    conn.execute(record.update().where(*mine).values(seen_at=max(now, present.seen_at), run=run))


def _late(conn: sa.Connection, present: Any, text: str, run: str) -> bool:
    """Has this run put this value before, and another run a different one since? Then a step is carried out again after
    a crash. A run that goes back behind a value of its own (to undo it, say) means what it puts."""
    if not run or run == present.begun_by:
        return False
    by = sa.or_(record.c.begun_by == run, record.c.run == run)
    query = sa.select(record.c.number).where(*_of(present.kind, present.key), record.c.value == text, by).limit(1)
    return conn.execute(query).first() is not None


def _of(kind: str, key: str) -> tuple[sa.ColumnElement[bool], ...]:
    return record.c.kind == kind, record.c.key == key


def _record(row: Any) -> Record:
    value = json.loads(row.value)
    return Record(kind=row.kind, key=row.key, value=value, since=row.since, seen_at=row.seen_at, run=row.run)


def _named(**names: str) -> None:
    """Refused for names that not every database can keep; what they are is not told, they may be anybody's."""
    for which, name in names.items():
        if not isinstance(name, str):
            raise TypeError("what is remembered is named by text")
        if not 0 < len(name) <= LONGEST[which] or not name.isprintable():
            raise Refused(
                f"What is to be remembered has a {which} that is empty, not printable, or longer than "
                f"{LONGEST[which]} characters.", "Nothing was changed; see where that name comes from."
            )  # fmt: skip


def _text(value: dict[str, Any]) -> str:
    """Canonical JSON. TypeError for what is not JSON (a Secret is not); Refused when it is too large."""
    if not isinstance(value, dict):
        raise TypeError("what is remembered is a JSON object")
    try:
        text = canonical(value)
    except TypeError:
        raise TypeError("what is remembered is JSON, and never a secret") from None
    except (ValueError, RecursionError):
        raise Refused("What is to be remembered cannot be written as JSON.", "Nothing was changed.") from None
    if len(text) > LARGEST:
        raise Refused(
            f"What is to be remembered is too large ({len(text)} bytes; {LARGEST} at most).", "Nothing was changed."
        )
    return text.decode()
