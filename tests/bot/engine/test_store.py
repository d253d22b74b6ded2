"""The store: private files, transactions that commit or vanish, words instead of foreign errors, and its migrations."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import event
from sqlalchemy.exc import IntegrityError

from bot.core.errors import Refused, Transient
from bot.engine import audit, messages, schedules, schema, store, tables, takeover
from bot.settings import Settings, parse

ALL = (audit, messages, schedules, tables, takeover)  # each puts its tables on the metadata


@pytest.fixture
def engine(tmp_path: Path) -> sa.Engine:
    return store.connect(Settings(data_dir=tmp_path / "data"))


def test_nobody_else_can_read_the_files(engine: sa.Engine, tmp_path: Path) -> None:
    """The folder is 0700; the file, its log and its index are 0600, also when the file was there with other modes."""
    (tmp_path / "data" / "hivekeeper.sqlite").chmod(0o644)
    engine = store.connect(Settings(data_dir=tmp_path / "data"))
    schema.migrate(engine)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "data").iterdir()}
    assert modes.keys() >= {"hivekeeper.sqlite", "hivekeeper.sqlite-wal", "hivekeeper.sqlite-shm"}
    assert set(modes.values()) == {0o600}
    assert stat.S_IMODE((tmp_path / "data").stat().st_mode) == 0o700


@pytest.mark.usefixtures("hurried")
def test_sqlite_is_set_up_to_survive_a_power_loss(engine: sa.Engine) -> None:
    """Write-ahead log, full synchronisation, foreign keys, and two seconds of waiting."""
    with store.reading(engine) as conn:
        found = [
            conn.exec_driver_sql(f"PRAGMA {p}").scalar()
            for p in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        ]
    assert found == ["wal", 2, 1, 2000]


def test_an_error_leaves_nothing_behind(engine: sa.Engine) -> None:
    """All of a transaction or none of it."""
    schema.migrate(engine)
    with pytest.raises(ZeroDivisionError):
        half(engine)
    with store.reading(engine) as conn:
        assert audit.entries(conn, limit=9, run=None) == ()


def half(engine: sa.Engine) -> None:
    with store.writing(engine) as conn:
        audit.append(conn, who="me", what="half", run=None, facts={}, at=1.0)
        raise ZeroDivisionError


def test_a_broken_file_is_told_in_our_words(tmp_path: Path, canary: object) -> None:
    """Neither the path nor the database's text travels."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "hivekeeper.sqlite").write_bytes(b"this is no database" * 500)
    with pytest.raises(Refused) as told, store.reading(store.connect(Settings(data_dir=tmp_path / "data"))) as conn:
        conn.exec_driver_sql("SELECT * FROM run")
    assert (str(told.value), told.value.__cause__) == (
        "The store is damaged, or is no SQLite file. Put a copy back, or move it away to begin anew.",
        None,
    )


def test_a_broken_rule_is_our_own_fault_and_stays(engine: sa.Engine) -> None:
    """A unique key that is there already must be told from a store that is away."""
    schema.migrate(engine)
    with store.writing(engine) as conn:
        conn.execute(takeover.replica.insert().values(id="same-key", seen=1.0))
    with pytest.raises(IntegrityError) as told, store.writing(engine) as conn:
        conn.execute(takeover.replica.insert().values(id="same-key", seen=1.0))
    assert "same-key" not in str(told.value)


@pytest.mark.parametrize("url", ["mysql://h/d", "not a url", "oracle://x"])
def test_an_address_we_do_not_know_is_refused(url: str) -> None:
    """With what to write instead, and without what was written."""
    with pytest.raises(Refused) as told:
        store.address(parse({"store": {"url": url}}, "test"))
    assert url not in str(told.value)


def test_the_password_goes_to_the_driver_only(canary: object) -> None:
    """Neither the engine's address nor its text has it."""
    seen: list[dict[str, object]] = []

    def unlock(arguments: dict[str, object]) -> None:
        arguments["password"] = "made-up"
        seen.append(arguments)

    settings = parse({"store": {"url": "postgresql://keeper@127.0.0.1:1/hive"}}, "test")
    engine = store.connect(settings, unlock)
    with pytest.raises(Transient), store.reading(engine):
        pass
    assert seen[0]["password"] == "made-up"
    assert "made-up" not in repr(engine) + str(engine.url)


def test_the_migrations_make_what_the_code_expects(engine: sa.Engine) -> None:
    """A column that somebody adds to a table needs a migration."""
    schema.migrate(engine)
    schema.migrate(engine)
    with store.reading(engine) as conn:
        assert schema.version(conn) == schema.HEAD
        assert compare_metadata(MigrationContext.configure(conn), store.metadata) == []


def test_the_audit_is_locked_by_the_migration(engine: sa.Engine) -> None:
    """The triggers are there."""
    schema.migrate(engine)
    with store.writing(engine) as conn:
        audit.append(conn, who="me", what="said", run=None, facts={}, at=1.0)
    with pytest.raises(IntegrityError), store.writing(engine) as conn:
        conn.execute(audit.audit.delete())


def test_a_store_of_a_newer_version_is_refused(engine: sa.Engine) -> None:
    """Rather than worked on half understood."""
    schema.migrate(engine)
    with store.writing(engine) as conn:
        conn.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(Refused, match="newer hivekeeper"):
        schema.migrate(engine)


def test_writers_of_one_process_wait_for_their_turn(tmp_path: Path) -> None:
    """Ten threads that write all get their turn, also when SQLite itself waits for nobody."""
    engine = store.connect(Settings(data_dir=tmp_path))
    event.listen(engine, "connect", lambda connection, _: connection.execute("PRAGMA busy_timeout=0"))
    with store.writing(engine) as conn:
        conn.execute(sa.text("CREATE TABLE line (number INTEGER)"))

    def write(number: int) -> None:
        for _ in range(5):
            with store.writing(engine) as conn:
                conn.execute(sa.text("INSERT INTO line VALUES (:number)"), {"number": number})

    with ThreadPoolExecutor(10) as pool:
        list(pool.map(write, range(10)))
    with store.reading(engine) as conn:
        assert conn.execute(sa.text("SELECT count(*) FROM line")).scalar_one() == 50
    engine.dispose()
