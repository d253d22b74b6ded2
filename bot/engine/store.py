"""The database: one SQLite file for one process, or PostgreSQL for several. Our tables lie beside the executor's.

Parameters never appear in an error, and a foreign error never leaves this module's two context managers.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import sqlalchemy as sa
from sqlalchemy import event, exc

from bot.core.errors import Refused, Transient
from bot.settings import Settings

metadata = sa.MetaData()

BUSY = 2  # seconds that one of our transactions waits for the database before it gives up

_TURNS: WeakKeyDictionary[sa.Engine, threading.Lock] = WeakKeyDictionary()  # of SQLite engines

Unlock = Callable[[dict[str, Any]], None]
"""Puts the password into the driver's arguments; made in bot.tools, the only place that reveals secrets."""


def connect(settings: Settings, unlock: Unlock | None = None) -> sa.Engine:
    """The engine of our own transactions. Opens nothing yet, but makes the SQLite file (0600) and its folder (0700)."""
    url = address(settings)
    if url.get_backend_name() == "sqlite":
        return _sqlite(url)
    engine = sa.create_engine(
        url, pool_size=10, max_overflow=0, pool_timeout=BUSY, pool_pre_ping=True, hide_parameters=True,
        connect_args={"options": f"-c statement_timeout={BUSY * 1000}"} | gone_after(BUSY),
    )  # fmt: skip
    unlocked(engine, unlock)
    return engine


def gone_after(seconds: int) -> dict[str, Any]:
    """What a driver for PostgreSQL needs in order to notice that the other side has vanished without a word."""
    return {
        "connect_timeout": seconds, "tcp_user_timeout": 2000 * seconds, "keepalives_idle": 2 * seconds,
        "keepalives_interval": seconds, "keepalives_count": 2,
    }  # fmt: skip


def address(settings: Settings) -> sa.URL:
    """The address from the settings, without a password. Refused when it is no address of a store we know."""
    try:
        url = sa.make_url(settings.store.url or f"sqlite:///{(settings.data_dir / 'hivekeeper.sqlite').absolute()}")
    except exc.ArgumentError:
        raise Refused("store.url is not a database address.", "Write it as postgresql+psycopg://host/name.") from None
    if url.drivername in ("postgresql", "postgres"):
        url = url.set(drivername="postgresql+psycopg")
    if url.drivername not in ("postgresql+psycopg", "sqlite", "sqlite+pysqlite"):
        raise Refused("store.url names a database that is not supported.", "Use SQLite or postgresql+psycopg.")
    if url.get_backend_name() == "sqlite" and not url.database:
        raise Refused("store.url names no SQLite file.", "Write it as sqlite:////folder/hivekeeper.sqlite.")
    return url


def check_made(settings: Settings) -> None:
    """Refused when the SQLite store is not there: an empty one, made in a wrong folder, says that nothing ever ran."""
    url = address(settings)
    if url.get_backend_name() == "sqlite" and not Path(url.database or "").exists():
        now = "Call it with the settings and from the folder that the bot has; or the bot has not run yet."
        raise Refused(f"There is no store at {url.database}.", now)


def unlocked(engine: sa.Engine, unlock: Unlock | None) -> None:
    """Let each new connection of the engine take the password from `unlock`."""
    if unlock:
        event.listen(engine, "do_connect", lambda _dialect, _record, _args, keywords: unlock(keywords))


@contextmanager
def writing(engine: sa.Engine) -> Iterator[sa.Connection]:
    """One transaction that may write; commits at the end, rolls back on any error. Transient when the store is away;
    `unheard` when that was in the commit."""
    committing = False
    try:
        with told(), _turn(engine), engine.connect().execution_options(hivekeeper_writes=True) as conn, conn.begin():
            yield conn
            committing = engine.dialect.name != "sqlite"  # a file says whether it took it, a server may not
    except Transient:
        if committing:
            raise _broken_off() from None
        raise


@contextmanager
def reading(engine: sa.Engine) -> Iterator[sa.Connection]:
    """One transaction that only reads. Transient when the store is away."""
    with told(), engine.connect() as conn, conn.begin():
        yield conn


@contextmanager
def _turn(engine: sa.Engine) -> Iterator[None]:
    """On SQLite this process's writers wait for each other here: SQLite itself lets a waiting writer only look now and
    then whether it may begin, so that with ten of them some get no turn for seconds (measured)."""
    turn = _TURNS.get(engine)
    if turn is None:
        yield
        return
    if not turn.acquire(timeout=BUSY):
        raise away()
    try:
        yield
    finally:
        turn.release()


@contextmanager
def told() -> Iterator[None]:
    """Turns what a database says into our words: Transient when it is away, Refused when it is damaged. A broken
    constraint or statement is our own fault and stays."""
    try:
        yield
    except (exc.IntegrityError, exc.ProgrammingError, exc.DataError):
        raise
    except (exc.DBAPIError, exc.TimeoutError) as error:
        if type(getattr(error, "orig", None)) is sqlite3.DatabaseError:  # none of its kinds: it cannot read the file
            raise Refused(
                "The store is damaged, or is no SQLite file.", "Put a copy back, or move it away to begin anew."
            ) from None
        raise away() from None


def away() -> Transient:
    return Transient("The store did not answer.", "Nothing was changed; try again in a minute.")


def _broken_off() -> Transient:
    now = "Whether it was stored is not known; look before you try again."
    return Transient("The store broke off while it stored this.", now, unheard=True)


def _sqlite(url: sa.URL) -> sa.Engine:
    path = Path(url.database or "")
    _private(path)
    engine = sa.create_engine(url, pool_size=5, max_overflow=5, pool_timeout=BUSY, hide_parameters=True)
    _TURNS[engine] = threading.Lock()
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "begin", _begin)
    return engine


def _private(path: Path) -> None:
    """Makes the file before SQLite does, so that it (and the -wal and -shm beside it) is ours alone from the start."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        path.chmod(0o600)
    except OSError:
        raise Refused(f"The store at {path} cannot be made.", "Check data_dir and who may write there.") from None


def _prepare(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # we say BEGIN ourselves, see _begin
    for pragma in (f"busy_timeout={BUSY * 1000}", "journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _begin(conn: sa.Connection) -> None:
    """Writers take the lock at once: a read that becomes a write later fails without waiting."""
    writes = conn.get_execution_options().get("hivekeeper_writes")
    conn.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
