"""The audit, the schedules and the outbox on a real PostgreSQL, where several replicas write at once."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import sqlalchemy as sa

from bot.core.errors import Transient
from bot.core.ports import Place
from bot.core.view import RunView, State
from bot.engine import audit, messages, outbox, schedules, store
from bot.settings import Schedule, Settings, Store

pytestmark = pytest.mark.slow

TABLES = [audit.audit, audit.audit_head, schedules.schedule, messages.message, messages.message_pace]


@pytest.fixture
def engine(database: str) -> Iterator[sa.Engine]:
    """Empty tables with their triggers."""
    engine = store.connect(Settings(store=Store(url=database)))
    with store.writing(engine) as conn:
        store.metadata.create_all(conn, tables=TABLES)
        for statement in audit.TRIGGERS["postgresql"] * 2:  # twice is harmless
            conn.execute(sa.text(statement))
    yield engine
    engine.dispose()


def together(count: int, work: Callable[[], Any]) -> list[Any]:
    """What each of several threads returned."""
    results: list[Any] = []
    threads = [threading.Thread(target=lambda: results.append(work())) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == count, "a thread has failed"
    return results


def test_writers_do_not_fork_the_chain(engine: sa.Engine) -> None:
    """Eight writers on their own connections, every third transaction rolled back, write one unbroken chain."""

    def write() -> None:
        for number in range(12):
            with store.writing(engine) as conn:
                audit.append(conn, who="U1", what="asked", run=None, facts={"n": number}, at=1.1)
                if number % 3 == 0:
                    conn.rollback()

    together(8, write)
    verified = audit.verify(engine)
    assert (verified.ok, verified.count) == (True, 64)


def test_verify_is_not_fooled_by_writers(engine: sa.Engine) -> None:
    """A check that runs while others write never cries wolf."""
    done = threading.Event()

    def write() -> None:
        while not done.is_set():
            with store.writing(engine) as conn:
                audit.append(conn, who="U1", what="asked", run=None, facts={}, at=0.1)

    writer = threading.Thread(target=write)
    writer.start()
    found = [audit.verify(engine) for _ in range(30)]
    done.set()
    writer.join()
    assert [v.told for v in found if not v.ok] == []
    assert found[-1].count > found[0].count


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit SET who = 'U9'",
        "DELETE FROM audit",
        "TRUNCATE audit",
        "DELETE FROM audit_head",
        "TRUNCATE audit_head",
        "UPDATE audit_head SET number = number - 1",
    ],
)
def test_the_store_refuses_changes(engine: sa.Engine, statement: str) -> None:
    """The triggers let nobody update, delete or truncate the log, or take its head back."""
    with store.writing(engine) as conn:
        audit.append(conn, who="U1", what="asked", run=None, facts={}, at=1)
    with engine.connect() as conn, pytest.raises(sa.exc.DBAPIError, match="append-only"):
        conn.execute(sa.text(statement))
    assert audit.verify(engine).count == 1


def test_replicas_that_start_together_and_tick_together(engine: sa.Engine) -> None:
    """Six replicas sync the same settings at once, and of six that see a tick one fires it."""
    wanted = {f"s{n}": Schedule(command="c", every_minutes=1) for n in range(5)}

    def start() -> None:
        with store.writing(engine) as conn:
            schedules.sync(conn, wanted, 30)

    def tick() -> int:
        with store.writing(engine) as conn:
            return sum(schedules.fire(conn, one, 61) for one in schedules.due(conn, 61))

    together(6, start)
    assert sum(together(6, tick)) == 5


class Board:
    """A messenger that writes to a list, with a call that takes a moment."""

    def __init__(self) -> None:
        self.posts: list[tuple[str, float]] = []
        self.shown: dict[str, int] = {}
        self.notes: list[str] = []

    def post(self, place: Place, view: Any, key: str) -> str:
        self.posts.append((place.channel, time.monotonic()))
        if isinstance(view, RunView):
            self.shown[key] = view.revision
        else:
            self.notes.append(key)
        return key

    def find(self, place: Place, key: str) -> str | None:
        return key if key in self.shown or key in self.notes else None

    def update(self, place: Place, ts: str, view: Any) -> None:
        self.shown[ts] = view.revision

    def delete(self, place: Place, ts: str) -> None:
        raise AssertionError("the outbox deletes nothing")


def test_senders_of_several_replicas_share_work_and_pace(engine: sa.Engine) -> None:
    """Three senders on real time: every head and note posted once, a second between two posts in one channel."""
    revisions = {f"r-{n}": 1 for n in range(12)}
    board, stop = Board(), threading.Event()

    def view_of(run: str) -> RunView:
        return RunView(
            id=run, revision=revisions[run], command="c", asker="U1", source="slack", state=State.DONE, asked_at=0
        )

    def wish(run: str) -> None:
        with store.writing(engine) as conn:
            outbox.want(
                conn, run=run, revision=revisions[run], channel=f"C{int(run[2:]) % 6}", thread=None, due=time.time()
            )
            outbox.note(conn, run=run, name="n", text="t", mention=(), due=time.time())

    for run in revisions:
        wish(run)
    senders = [
        threading.Thread(target=outbox.Sender(engine, board, view_of, time.time).run, args=(stop,), daemon=True)
        for _ in range(3)
    ]
    began = time.monotonic()
    for sender in senders:
        sender.start()
    for run in revisions:
        revisions[run] = 2
        wish(run)
    deadline = time.monotonic() + 60
    while len(board.posts) < 24 or set(board.shown.values()) != {2}:
        assert time.monotonic() < deadline, (board.posts, board.shown)
        time.sleep(0.05)
    stop.set()
    for sender in senders:
        sender.join()
    assert len(board.posts) == 24
    for channel in {channel for channel, _ in board.posts}:
        times = sorted(moment for c, moment in board.posts if c == channel)
        assert all(moment - began > 0.95 * turn for turn, moment in enumerate(times)), "each turn is a second later"
    with store.reading(engine) as conn:
        assert outbox.lag(conn, time.time()) == (0, 0.0)
        assert outbox.place(conn, "r-3") == ("C3", "r-3/head")
        assert outbox.troubles(conn) == ()


def test_a_connection_that_breaks_off_in_a_commit_leaves_it_open(engine: sa.Engine) -> None:
    """What came before the commit was not stored; of the commit itself nobody knows."""

    def breaks(conn: sa.Connection) -> None:
        raise sa.exc.OperationalError("COMMIT", None, Exception("broke off"))

    with pytest.raises(Transient) as told, store.writing(engine):
        breaks(None)
    assert not told.value.unheard
    sa.event.listen(engine, "commit", breaks)
    with pytest.raises(Transient) as told, store.writing(engine) as conn:
        conn.execute(sa.text("SELECT 1"))
    assert told.value.unheard
    assert "nothing was changed" not in str(told.value).casefold()
