"""The audit log: append-only, each entry chained to the one before by its hash.

A head row holds the newest number and hash, so that cutting off the tail is noticed too; taking it is also the
lock that keeps two replicas from forking the chain. Triggers refuse changes. Whoever may drop triggers and
rewrite the whole chain can still forge it: keep the exports, or the hash that `verify` names, somewhere else.
"""

from __future__ import annotations

import json
import math
import unicodedata
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa

from bot.core.desk import AuditEntry
from bot.core.errors import Refused
from bot.core.value import Value, canonical, sha256
from bot.engine.store import metadata, reading

FACTS_LIMIT = 16_384  # bytes of one entry's facts
TEXT_LIMIT = 1_000  # characters of one text in them
DEPTH_LIMIT = 12
PAGE = 1_000  # rows that verify and export hold in memory
NOTHING = "0" * 64  # what the first entry names as the hash before it

audit = sa.Table(
    "audit",
    metadata,
    sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True, autoincrement=False),
    sa.Column("at", sa.Double, nullable=False),
    sa.Column("who", sa.Text, nullable=False),
    sa.Column("what", sa.Text, nullable=False),
    sa.Column("run", sa.Text, index=True),
    sa.Column("facts", sa.Text, nullable=False),  # canonical JSON, so that every byte is covered by the hash
    sa.Column("before", sa.Text, nullable=False),
    sa.Column("hash", sa.Text, nullable=False),
)

audit_head = sa.Table(
    "audit_head",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),  # always 1
    sa.Column("number", sa.BigInteger, nullable=False),
    sa.Column("hash", sa.Text, nullable=False),
)

NEXT = audit_head.update().values(number=audit_head.c.number + 1).returning(audit_head.c.number, audit_head.c.hash)
PLANT = f"INSERT INTO audit_head (id, number, hash) VALUES (1, 0, '{NOTHING}') ON CONFLICT (id) DO NOTHING"  # noqa: S608 - a constant

SQLITE_TRIGGERS: tuple[str, ...] = (
    "CREATE TRIGGER IF NOT EXISTS audit_no_update BEFORE UPDATE ON audit "
    "BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END",
    "CREATE TRIGGER IF NOT EXISTS audit_no_delete BEFORE DELETE ON audit "
    "BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END",
    # INSERT OR REPLACE deletes without asking the delete trigger
    "CREATE TRIGGER IF NOT EXISTS audit_no_replace BEFORE INSERT ON audit "
    "WHEN EXISTS (SELECT 1 FROM audit WHERE number = NEW.number) "
    "BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END",
    "CREATE TRIGGER IF NOT EXISTS audit_head_no_delete BEFORE DELETE ON audit_head "
    "BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END",
    "CREATE TRIGGER IF NOT EXISTS audit_head_forwards BEFORE UPDATE ON audit_head "
    "WHEN NEW.id <> OLD.id OR NEW.number NOT IN (OLD.number, OLD.number + 1) "
    "BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END",
)

POSTGRESQL_TRIGGERS: tuple[str, ...] = (
    "CREATE OR REPLACE FUNCTION audit_refuse() RETURNS trigger LANGUAGE plpgsql AS "
    "$$ BEGIN RAISE EXCEPTION 'the audit log is append-only'; END $$",
    "CREATE OR REPLACE TRIGGER audit_no_change BEFORE UPDATE OR DELETE ON audit "
    "FOR EACH ROW EXECUTE FUNCTION audit_refuse()",
    "CREATE OR REPLACE TRIGGER audit_no_truncate BEFORE TRUNCATE ON audit "
    "FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse()",
    "CREATE OR REPLACE TRIGGER audit_head_no_delete BEFORE DELETE ON audit_head "
    "FOR EACH ROW EXECUTE FUNCTION audit_refuse()",
    "CREATE OR REPLACE TRIGGER audit_head_no_truncate BEFORE TRUNCATE ON audit_head "
    "FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse()",
    "CREATE OR REPLACE TRIGGER audit_head_forwards BEFORE UPDATE ON audit_head FOR EACH ROW "
    "WHEN (NEW.id <> OLD.id OR NEW.number NOT IN (OLD.number, OLD.number + 1)) EXECUTE FUNCTION audit_refuse()",
)

TRIGGERS: dict[str, tuple[str, ...]] = {
    "sqlite": (PLANT, *SQLITE_TRIGGERS),
    "postgresql": (PLANT, *POSTGRESQL_TRIGGERS),
}
"""What the migration runs after making the tables, by dialect: it plants the head row, so that an emptied log is
not a new one, and sets the triggers. Running it twice is harmless (PostgreSQL 14 or newer)."""


class Verified(Value):
    """What a check of the whole chain found. `first_bad` is the number of the first entry that is not right."""

    ok: bool
    count: int  # entries that are right, from the start
    first_bad: int | None
    told: str


def append(
    conn: sa.Connection, *, who: str, what: str, run: str | None, facts: dict[str, Any], at: float
) -> AuditEntry:
    """Add an entry in the caller's transaction; `at` in seconds since the epoch. The head row stays locked until
    that transaction ends, so append last. `facts` are JSON: control characters are escaped and long texts cut,
    because they come from outside; TypeError for what is not JSON."""
    number, before = _take_head(conn)
    row: dict[str, Any] = {
        "number": number,
        "at": float(at),
        "who": _visible(who),
        "what": _visible(what),
        "run": None if run is None else _visible(run),
        "facts": _bounded(facts),
        "before": before,
    }
    row["hash"] = sha256(row)
    conn.execute(audit.insert(), row | {"facts": canonical(row["facts"]).decode()})
    conn.execute(audit_head.update(), {"hash": row["hash"]})
    return AuditEntry(**row)


def entries(conn: sa.Connection, *, limit: int, run: str | None) -> tuple[AuditEntry, ...]:
    """The newest entries (of one run, if given), oldest of them first."""
    query = sa.select(audit).order_by(audit.c.number.desc()).limit(limit)
    if run is not None:
        query = query.where(audit.c.run == run)
    return tuple(_entry(row) for row in reversed(conn.execute(query).all()))


def export(engine: sa.Engine) -> Iterator[AuditEntry]:
    """All entries from the first, page by page. Refused at an entry that cannot be read."""
    for row in _rows(engine):
        yield _entry(row)


def verify(engine: sa.Engine) -> Verified:
    """Reads the whole log, page by page, and says whether anything was changed, cut out, swapped or cut off."""
    with reading(engine) as conn:
        head = conn.execute(sa.select(audit_head.c.number, audit_head.c.hash)).first()
    count, before, at_head = 0, NOTHING, NOTHING
    for row in _rows(engine):
        if not _follows(row, count + 1, before):
            return _broken(count, f"Entry {count + 1} is missing, or was changed after it was written.")
        count, before = row.number, row.hash
        at_head = before if head and count == head.number else at_head
    if head is None:
        return _broken(count, f"The log's head is gone; {count} entries are left.")
    if head.number > count:
        return _broken(count, f"The log ends at entry {count}, but its head says {head.number}: entries were cut off.")
    if head.hash != at_head:
        return _broken(count, f"The log's head does not fit entry {head.number}: one of them was changed.")
    return _compared_with_head(engine, count, before)


def _compared_with_head(engine: sa.Engine, count: int, newest: str) -> Verified:
    """One statement, hence one moment: has anybody added entries that the head does not know?"""
    last = sa.select(sa.func.max(audit.c.number)).scalar_subquery()
    head = sa.select(audit_head.c.number).scalar_subquery()
    with reading(engine) as conn:
        there, known = conn.execute(sa.select(sa.func.coalesce(last, 0), sa.func.coalesce(head, 0))).one()
    if there != known:
        return _broken(known, f"There are entries after {known}, where the log's head ends: they were added by hand.")
    told = (
        f"All {count} entries are there and unchanged. The newest hash is {newest}." if count else "The log is empty."
    )
    return Verified(ok=True, count=count, first_bad=None, told=told)


def _broken(count: int, told: str) -> Verified:
    now = " Compare it with an earlier export, and find out who can write to the database."
    return Verified(ok=False, count=count, first_bad=count + 1, told=told + now)


def _take_head(conn: sa.Connection) -> tuple[int, str]:
    """The next number and the hash before it. The update holds the row's lock until the transaction ends."""
    taken = conn.execute(NEXT).first()
    if taken is None:
        conn.exec_driver_sql(PLANT)
        taken = conn.execute(NEXT).one()
    return taken.number, taken.hash


def _rows(engine: sa.Engine) -> Iterator[Any]:
    """Every row by number. Pages, because a long reading transaction holds up the store's own cleaning."""
    query = sa.select(audit).order_by(audit.c.number).limit(PAGE)
    with reading(engine) as conn:
        page = conn.execute(query).all()
    while page:
        yield from page
        with reading(engine) as conn:
            page = conn.execute(query.where(audit.c.number > page[-1].number)).all()


def _follows(row: Any, number: int, before: str) -> bool:
    """Is this the entry with this number, after the one with this hash, exactly as it was written?"""
    if row.number != number or row.before != before:
        return False
    try:
        facts = json.loads(row.facts)
        document = row._asdict() | {"facts": facts}
        document.pop("hash")
        return bool(canonical(facts).decode() == row.facts and sha256(document) == row.hash)
    except (TypeError, ValueError, RecursionError):  # not JSON, or not of the column's type: somebody wrote there
        return False


def _entry(row: Any) -> AuditEntry:
    try:
        return AuditEntry(**row._asdict() | {"facts": json.loads(row.facts)})
    except (TypeError, ValueError, RecursionError):
        raise Refused(f"Audit entry {row.number} cannot be read.", "Run `hivekeeper audit verify`.") from None


def _bounded(facts: dict[str, Any]) -> dict[str, Any]:
    cleaned: dict[str, Any] = _clean(facts, 0)
    size = len(canonical(cleaned))
    return cleaned if size <= FACTS_LIMIT else {"too_long": size, "sha256": sha256(cleaned)}


def _clean(fact: Any, depth: int) -> Any:
    """A JSON document that is safe to print and to store; TypeError for what is not JSON."""
    if depth > DEPTH_LIMIT:
        return "…"
    if isinstance(fact, dict):
        return {_key(key): _clean(value, depth + 1) for key, value in fact.items()}
    if isinstance(fact, list | tuple):
        return [_clean(value, depth + 1) for value in fact]
    if isinstance(fact, str):
        return _visible(fact)
    return _plain(fact)


def _plain(fact: Any) -> Any:
    if isinstance(fact, float) and not math.isfinite(fact):
        return str(fact)
    if isinstance(fact, int) and fact.bit_length() > 63:
        return _visible(hex(fact))
    if fact is None or isinstance(fact, bool | int | float):
        return fact
    raise TypeError(f"a {type(fact).__name__} is not a fact")


def _key(key: Any) -> str:
    if not isinstance(key, str):
        raise TypeError("the names of facts are text")
    return _visible(key)


def _visible(text: str) -> str:
    """The text as `str`, cut, with control, direction and half characters spelled out: \\x1b, \\u202e."""
    cut = text if len(text) <= TEXT_LIMIT else f"{text[:TEXT_LIMIT]}… ({len(text)} characters)"
    return "".join(c if unicodedata.category(c) not in _HIDDEN else ascii(c)[1:-1] for c in cut)


_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
