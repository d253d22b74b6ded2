"""The audit log: what was written stays, and whoever changes it is found out."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.core.errors import Refused
from bot.core.secret import Secret
from bot.engine import audit, store
from bot.settings import Settings


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[sa.Engine]:
    """A store with the audit's tables and triggers."""
    engine = made(tmp_path)
    yield engine
    engine.dispose()


def made(folder: Path, *, triggers: bool = True) -> sa.Engine:
    engine = store.connect(Settings(data_dir=folder))
    with store.writing(engine) as conn:
        store.metadata.create_all(conn, tables=[audit.audit, audit.audit_head])
        for statement in audit.TRIGGERS["sqlite"] if triggers else (audit.PLANT,):
            conn.execute(sa.text(statement))
    return engine


def write(engine: sa.Engine, **facts: Any) -> None:
    with store.writing(engine) as conn:
        audit.append(conn, who="U1", what="asked", run="r-1", facts=facts, at=5)


def test_entries_are_numbered_without_gaps_and_chained(engine: sa.Engine) -> None:
    """Numbers run 1, 2, 3 also after a transaction that was rolled back, and each entry names the hash before it."""
    write(engine, a=1)
    with store.writing(engine) as conn:
        audit.append(conn, who="U1", what="asked", run=None, facts={}, at=6)
        conn.rollback()
    with store.writing(engine) as conn:
        audit.append(conn, who="U2", what="approved", run="r-1", facts={"digest": "d"}, at=7)
        audit.append(conn, who="U2", what="applied", run=None, facts={}, at=8)
    with store.reading(engine) as conn:
        first, second, third = audit.entries(conn, limit=20, run=None)
    assert (first.number, second.number, third.number) == (1, 2, 3)
    assert first.before == audit.NOTHING
    assert (second.before, third.before) == (first.hash, second.hash)
    assert audit.verify(engine).ok


def test_entries_are_the_newest_of_a_run_oldest_first(engine: sa.Engine) -> None:
    """A limit keeps the newest, and a run's entries are only that run's."""
    for number in range(5):
        with store.writing(engine) as conn:
            audit.append(conn, who="U1", what=f"w{number}", run=f"r-{number % 2}", facts={}, at=number)
    with store.reading(engine) as conn:
        assert [e.what for e in audit.entries(conn, limit=2, run=None)] == ["w3", "w4"]
        assert [e.what for e in audit.entries(conn, limit=2, run="r-0")] == ["w2", "w4"]


def test_what_append_returns_is_what_is_read_and_exported(engine: sa.Engine) -> None:
    """The returned entry, the stored entry and the exported entry are equal."""
    with store.writing(engine) as conn:
        entry = audit.append(
            conn, who="U1", what="asked", run=None, facts={"b": [1, 2.5, None], "a": {"ä": True}}, at=9
        )
    with store.reading(engine) as conn:
        assert audit.entries(conn, limit=1, run=None) == (entry,)
    assert list(audit.export(engine)) == [entry]


def test_pages_join_without_loss(engine: sa.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Export and verify read every entry once when the log is longer than a page, or exactly as long."""
    monkeypatch.setattr(audit, "PAGE", 3)
    for count in range(1, 8):
        write(engine, n=count)
        assert [e.number for e in audit.export(engine)] == list(range(1, count + 1))
        assert audit.verify(engine).count == count


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit SET who = 'U9'",
        "DELETE FROM audit WHERE number = 2",
        "INSERT OR REPLACE INTO audit SELECT number, at, 'U9', what, run, facts, before, hash FROM audit",
        "DELETE FROM audit_head",
        "UPDATE audit_head SET number = number - 1",
    ],
)
def test_the_store_refuses_changes(engine: sa.Engine, statement: str) -> None:
    """The triggers let nobody update, delete or replace an entry, or take the head back."""
    write(engine)
    write(engine)
    with pytest.raises(sa.exc.IntegrityError, match="append-only"), store.writing(engine) as conn:
        conn.execute(sa.text(statement))
    assert audit.verify(engine).count == 2


def test_control_characters_are_spelled_out(engine: sa.Engine) -> None:
    """Escape codes, direction marks, half characters and NUL become visible text, in names as in values."""
    write(engine, **{"te\x1bxt": "a\nb\x00c\u202ed\ud800e"})
    with store.reading(engine) as conn:
        (entry,) = audit.entries(conn, limit=1, run=None)
    assert entry.facts == {"te\\x1bxt": "a\\nb\\x00c\\u202ed\\ud800e"}


def test_facts_are_cut_to_size(engine: sa.Engine) -> None:
    """A long text is cut and says how long it was; very many facts become their size and hash; the entry is written."""
    write(engine, text="x" * 50_000)
    write(engine, many=["y" * 900] * 100)
    deep: dict[str, Any] = {}
    for _ in range(500):
        deep = {"d": deep}
    write(engine, deep=deep, big=10**5000, odd=[float("nan"), float("inf")])
    with store.reading(engine) as conn:
        long, many, odd = audit.entries(conn, limit=3, run=None)
        sizes = conn.execute(sa.select(sa.func.length(audit.audit.c.facts))).scalars().all()
    assert long.facts["text"].endswith("… (50000 characters)")
    assert set(many.facts) == {"too_long", "sha256"}
    assert odd.facts["odd"] == ["nan", "inf"]
    assert max(sizes) <= audit.FACTS_LIMIT
    assert audit.verify(engine).ok


@pytest.mark.parametrize("fact", [b"bytes", {1: "x"}, object(), Secret("made up")])
def test_what_is_not_json_is_refused(engine: sa.Engine, fact: Any) -> None:
    """A fact that is not JSON (a Secret above all) raises TypeError and nothing is written."""
    with pytest.raises(TypeError):
        write(engine, fact=fact)
    assert audit.verify(engine).count == 0


def test_writers_at_the_same_time_do_not_fork_the_chain(engine: sa.Engine) -> None:
    """Eight threads with their own connections write one unbroken chain."""
    threads = [threading.Thread(target=lambda: [write(engine) for _ in range(5)]) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    verified = audit.verify(engine)
    assert (verified.ok, verified.count, verified.first_bad) == (True, 40, None)


def test_an_empty_log_is_right(engine: sa.Engine) -> None:
    """Nothing written yet is not a broken log."""
    assert audit.verify(engine) == audit.Verified(ok=True, count=0, first_bad=None, told="The log is empty.")


def test_verify_names_the_place_and_an_unreadable_entry_is_told(tmp_path: Path) -> None:
    """The first bad number is the changed entry's; an export stops at an entry that is no JSON with a sentence."""
    engine = made(tmp_path, triggers=False)
    for number in range(4):
        write(engine, n=number)
    with store.writing(engine) as conn:
        conn.execute(sa.text("UPDATE audit SET facts = '{' WHERE number = 3"))
    found = audit.verify(engine)
    assert (found.ok, found.count, found.first_bad) == (False, 2, 3)
    with pytest.raises(Refused, match="Audit entry 3"):
        list(audit.export(engine))
    engine.dispose()


TAMPERS = st.one_of(
    st.tuples(st.just("edit"), st.integers(1, 6), st.sampled_from(["at", "who", "what", "run", "facts", "before", "hash"])),
    st.tuples(st.just("remove"), st.integers(1, 6), st.none()),
    st.tuples(st.just("swap"), st.integers(1, 6), st.integers(1, 6)),
    st.tuples(st.just("cut"), st.integers(0, 5), st.none()),
    st.tuples(st.just("add"), st.integers(7, 9), st.none()),
    st.tuples(st.just("head"), st.integers(0, 9), st.none()),
    st.tuples(st.just("behead"), st.none(), st.none()),
)  # fmt: skip

NEW_VALUE = {"at": "at + 1", "run": "coalesce(run, '') || 'x'", "facts": "' ' || facts"}


def tamper(conn: sa.Connection, kind: str, number: int | None, other: Any) -> None:
    """What somebody with the database in hand could do."""
    match kind:
        case "edit":
            value = NEW_VALUE.get(other, f"{other} || 'x'")
            conn.execute(sa.text(f"UPDATE audit SET {other} = {value} WHERE number = {number}"))
        case "remove":
            conn.execute(sa.text(f"DELETE FROM audit WHERE number = {number}"))
        case "swap":
            for was, will in ((number, -1), (other, number), (-1, other)):
                conn.execute(sa.text(f"UPDATE OR REPLACE audit SET number = {will} WHERE number = {was}"))
        case "cut":
            conn.execute(sa.text(f"DELETE FROM audit WHERE number > {number}"))
        case "add":
            conn.execute(
                sa.text(
                    f"INSERT OR REPLACE INTO audit SELECT {number}, at, who, what, run, facts, before, hash FROM audit LIMIT 1"
                )
            )
        case "head":
            conn.execute(sa.text(f"UPDATE audit_head SET number = {number}"))
        case "behead":
            conn.execute(sa.text("DELETE FROM audit_head"))


def everything(conn: sa.Connection) -> tuple[Any, ...]:
    return (
        conn.execute(sa.select(audit.audit).order_by(audit.audit.c.number)).all(),
        conn.execute(sa.select(audit.audit_head)).all(),
    )


@settings(max_examples=settings.default.max_examples * 3 // 2, deadline=None)
@given(tampers=st.lists(TAMPERS, min_size=1, max_size=5))
def test_verify_finds_every_tampering(log: sa.Engine, tampers: list[tuple[str, Any, Any]]) -> None:
    """Whatever sequence of edits, removals, swaps and additions leaves the tables different, verify says no."""
    with log.connect() as conn:
        written = everything(conn)
        for one in tampers:
            tamper(conn, *one)
        changed = everything(conn) != written
        conn.commit()
    found = audit.verify(log)
    with log.connect() as conn:
        restore(conn, written)
    assert found.ok is not changed


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sa.Engine]:
    """Six entries, no triggers."""
    engine = made(tmp_path_factory.mktemp("log"), triggers=False)
    for number in range(6):
        write(engine, n=number)
    yield engine
    engine.dispose()


def restore(conn: sa.Connection, written: tuple[Any, ...]) -> None:
    for table, rows in zip((audit.audit, audit.audit_head), written, strict=True):
        conn.execute(table.delete())
        for row in rows:
            conn.execute(table.insert().values(**row._asdict()))
    conn.commit()
