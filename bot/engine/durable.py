"""The durable executor: work that is taken up again after a crash. The only module that knows DBOS.

Its rules were measured. The private parts that it leans on are contract-tested (tests/bot/engine/test_durable.py):
`DefaultSerializer`, `DBOS._recover_pending_workflows`, the columns of `workflow_status`, and that an exception
outside of `Exception` leaves a workflow to be taken up again.
"""

from __future__ import annotations

import hashlib
import logging
import socket
import sqlite3
import sys
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, NoReturn

import sqlalchemy as sa
import structlog
from dbos import DBOS, DBOSClient, DBOSConfig
from dbos import _serialization as private

from bot.core.errors import Refused, Transient
from bot.engine.lock import take_lock
from bot.engine.sealing import Cipher, SealedJson
from bot.engine.store import Unlock, address, gone_after, unlocked
from bot.settings import Settings

log = structlog.get_logger()

APP = "hivekeeper"
VERSION = "1"  # what waits under one version is never taken by another; change it only after all work has ended
# Seconds between two looks at a queue, each of three queries: what an idle bot costs is mostly these. Short where a
# person waits for the first sign, longer where the message has changed already or nobody waits.
POLL = {"plan": 0.25, "diagnose": 0.25, "apply": 0.5, "inventory": 1.0, "retire": 2.0}
WORKERS = 4  # of one replica, for each queue
AT_ONCE = 8  # plans that are applied (and incidents that are looked into) at once, over all replicas

Checkpoint = Callable[[str, Callable[[], Any]], Any]
"""`keep(name, call)`: the call's result (small JSON, never a secret) from the store if it was kept, else by calling."""

Work = Callable[[str, Checkpoint], None]
"""Work on the run with this id. It may be called again after a crash, with the same kept results."""


class Halt(BaseException):
    """This process stops working on something, which is left for whoever takes it up. Not an `Exception`: nothing
    on the way may take it for a failure and write that down."""


def refuse_pickle() -> None:
    """A row names its own decoder, and pickle runs what it decodes: so there is none (engine facts, section 5)."""
    private.DefaultSerializer.serialize = _no_pickle  # type: ignore[assignment,method-assign]  # that is the point
    private.DefaultSerializer.deserialize = _no_pickle  # type: ignore[assignment,method-assign]  # likewise


def _no_pickle(*_: Any) -> NoReturn:
    raise TypeError("pickle is switched off")


class Queues:
    """Puts work into the queues, in the caller's transaction. Needs no executor in this process."""

    def __init__(self, engine: sa.Engine, cipher: Cipher) -> None:
        refuse_pickle()
        # What reads before it writes must say so at once, or another process's write in between makes it fail.
        self._client, self._writer = (
            DBOSClient(
                system_database_engine=one, serializer=SealedJson(cipher),  # type: ignore[arg-type]  # same shape
                application_name=APP, lazy=True, retry_connection_errors=False,
            )
            for one in (engine, engine.execution_options(hivekeeper_writes=True))
        )  # fmt: skip

    def open(self, names: tuple[str, ...], by_subject: tuple[str, ...]) -> None:
        """Make the queues; `by_subject` are those with subjects. Before the executor starts: it then looks into them
        at once. Transient when the store is away."""
        try:
            for name in names:
                self._writer.register_queue(name, worker_concurrency=WORKERS, polling_interval_sec=POLL[name])
            for name in by_subject:
                self._writer.register_queue(
                    name, partition_concurrency=1, global_concurrency=AT_ONCE, worker_concurrency=WORKERS,
                    polling_interval_sec=POLL[name],
                )  # fmt: skip
        except Exception:  # its text may hold the database's address
            raise Transient("The store did not answer.", "Start again when the database is there.") from None

    def put(self, conn: sa.Connection, work: str, run: str, *, subject: str | None = None, turn: int = 1) -> None:
        """Enqueue this work for the run. The same work, run and turn again does nothing. Runs with one `subject`
        are worked on one after another."""
        options: dict[str, Any] = {
            "workflow_name": work,
            "workflow_id": workflow(work, run, turn),
            "queue_name": work,
            "app_version": VERSION,
        }
        if subject is not None:
            options["queue_partition_key"] = hashlib.sha256(subject.encode()).hexdigest()[:32]
        self._client.enqueue_in_transaction(conn, options, run)  # type: ignore[arg-type]  # a dict of the right keys

    def state(self, work: str, run: str, turn: int = 1) -> str | None:
        """ "waiting", "lost" (ended in an error or cancelled), "ended", or None if there is no such work."""
        found = self._client.list_workflows(
            workflow_ids=[workflow(work, run, turn)], load_input=False, load_output=False
        )
        if not found:
            return None
        if found[0].status in ("ENQUEUED", "DELAYED", "PENDING"):
            return "waiting"
        return "ended" if found[0].status == "SUCCESS" else "lost"

    def forget(self, before: float, limit: int = 500) -> int:
        """Delete what ended before this time (seconds since the epoch); returns how many. Call until it is 0."""
        old = self._client.list_workflows(
            status=["SUCCESS", "ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"],
            end_time=datetime.fromtimestamp(before, UTC).isoformat(), limit=limit,
            load_input=False, load_output=False,
        )  # fmt: skip
        if old:
            self._writer.delete_workflows([one.workflow_id for one in old])
        return len(old)

    def close(self) -> None:
        self._client.destroy()
        self._writer.destroy()


def workflow(work: str, run: str, turn: int = 1) -> str:
    """The id of a workflow: derived from the row, so that starting it twice is starting it once."""
    return f"{work}-{run}" if turn == 1 else f"{work}-{run}-{turn}"


class Executor:
    """Runs the work of the queues in threads of this process. One per process."""

    def __init__(
        self, settings: Settings, cipher: Cipher, unlock: Unlock | None, works: Mapping[str, Work],
        stopping: threading.Event,
    ) -> None:  # fmt: skip
        check_sqlite(settings)
        refuse_pickle()
        self._lock = take_lock(settings)
        self._sqlite = address(settings).get_backend_name() == "sqlite"
        self.id = "local" if self._sqlite else f"{socket.gethostname()[:40]}-{uuid.uuid4().hex}"
        self._engine = None if self._sqlite else _postgresql(settings, unlock)
        self.alive = False
        self._stopping, self._at_work, self._ended = stopping, 0, threading.Condition()
        _quiet()
        DBOS(config=self._config(settings, cipher))
        for name, work in works.items():
            DBOS.workflow(name=name, max_recovery_attempts=None)(self._body(name, work))

    def _config(self, settings: Settings, cipher: Cipher) -> DBOSConfig:
        config: DBOSConfig = {
            "name": APP, "application_version": VERSION, "executor_id": self.id, "log_level": "WARNING",
            "serializer": SealedJson(cipher),  # type: ignore[typeddict-item]  # the same shape
            "max_executor_threads": 16, "sys_db_pool_size": 5 if self._sqlite else 10,
            "notification_listener_polling_interval_sec": 0.1,  # none is sent; but to stop waits for it to look again
        }  # fmt: skip
        if self._sqlite:
            config["system_database_url"] = address(settings).set(drivername="sqlite").render_as_string()
        else:
            config["system_database_engine"] = self._engine
        return config

    def start(self) -> None:
        """Begin to work; what a crash left behind is taken up."""
        try:
            DBOS.launch()
        except Exception:  # its text may hold the database's address
            raise Transient("The store did not answer.", "Start again when the database is there.") from None
        self.alive = True

    def recover(self, executors: list[str]) -> None:
        """Put what these dead executors were working on back into its queue."""
        DBOS._recover_pending_workflows(executors)

    def wind_down(self, patience: float) -> None:
        """After `stopping` is set: wait so many seconds until what runs has come to the end of its step."""
        self.alive = False
        with self._ended:
            self._ended.wait_for(lambda: self._at_work == 0, timeout=patience)

    def close(self) -> None:
        """Let go of the store; what has not ended is taken up at the next start."""
        DBOS.destroy(destroy_registry=True)
        if self._engine is not None:
            self._engine.dispose()
        if self._lock is not None:
            self._lock.close()

    def _body(self, name: str, work: Work) -> Callable[[str], None]:
        def body(run: str) -> None:
            with self._counted():
                work(run, self._keep)

        body.__name__ = body.__qualname__ = name
        return body

    def _keep(self, step: str, call: Callable[[], Any]) -> Any:
        if self._stopping.is_set():
            raise Halt
        return DBOS.run_step({"name": step}, call)

    @contextmanager
    def _counted(self) -> Iterator[None]:
        with self._ended:
            self._at_work += 1
        try:
            yield
        finally:
            with self._ended:
                self._at_work -= 1
                self._ended.notify_all()


def stranded(conn: sa.Connection, me: str) -> dict[str, float]:
    """Executors other than this that have work at hand -> when one of its rows last changed. PostgreSQL only."""
    rows = conn.execute(
        sa.text(
            "SELECT executor_id, max(updated_at) / 1000.0 FROM dbos.workflow_status"
            " WHERE status = 'PENDING' AND application_name = :app AND executor_id <> :me GROUP BY executor_id"
        ),
        {"app": APP, "me": me},
    )
    return {executor: float(at) for executor, at in rows}


def migrate(settings: Settings, unlock: Unlock | None) -> None:
    """Make the executor's tables, or bring them up to date, without starting anything."""
    check_sqlite(settings)
    url = address(settings)
    keywords: dict[str, Any] = {}
    if url.get_backend_name() != "sqlite" and unlock is not None:
        unlock(keywords)
        url = url.set(password=keywords.get("password"))
    _quiet()
    try:
        DBOS.migrate(url.render_as_string(hide_password=False))
    except Exception:  # its text may hold the database's address
        raise Transient("The store did not answer.", "Try again when the database is there.") from None


def check_sqlite(settings: Settings) -> None:
    """Refused if this Python's SQLite is too old for the executor: from Python 3.12 on it needs SQLite 3.42."""
    if address(settings).get_backend_name() == "sqlite" and sys.version_info >= (3, 12):
        if sqlite3.sqlite_version_info < (3, 42):
            raise Refused(
                f"This Python has SQLite {sqlite3.sqlite_version}; with Python 3.12 or newer, 3.42 is needed.",
                "Use Python 3.11, a newer SQLite, or PostgreSQL (store.url).",
            )


def _postgresql(settings: Settings, unlock: Unlock | None) -> sa.Engine:
    engine = sa.create_engine(
        address(settings), pool_size=10, max_overflow=5, pool_timeout=30, pool_pre_ping=True, hide_parameters=True,
        connect_args=gone_after(10),
    )  # fmt: skip
    unlocked(engine, unlock)
    return engine


def _quiet() -> None:
    """Its log has a handler of its own, and puts exceptions with their text into it; ours says what there is to say."""
    logger = logging.getLogger("dbos")
    if not any(isinstance(handler, _Place) for handler in logger.handlers):
        logger.handlers = [_Place()]  # it adds its own only where there is none
    logger.propagate = False


class _Place(logging.Handler):
    """Says that the executor complained and where in its source, never with its words."""

    def emit(self, record: logging.LogRecord) -> None:
        log.warning("executor complained", place=f"{record.filename}:{record.lineno}", level=record.levelname)
