"""Several replicas on a real PostgreSQL: any may take the click, a dead one's work is taken over, ticks happen once."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from cryptography.fernet import Fernet

from bot.core.errors import Transient
from bot.core.handler import HandlerSettings
from bot.core.intake import Decision, Request
from bot.core.view import State
from bot.engine import audit, desk, schedules, store, takeover
from bot.engine.ticker import Ticker
from bot.settings import parse
from tests.bot.engine.zygote import Zygote
from tests.waiting import until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


class Replica:
    """The bot of forks.py in a process of its own."""

    def __init__(self, order: dict[str, Any]) -> None:
        self._zygote = Zygote()
        self._zygote.begin(**order)

    def ended(self) -> int:
        status = self._zygote.ended()
        self._zygote.close()
        return status


def order(database: str, folder: Path, key: str, **ask: Any) -> dict[str, Any]:
    return {"folder": str(folder), "store": database, "ask": {"folder": str(folder)} | ask, "key": key, "kill": 0}


def begin(world: Any, database: str, folder: Path, key: str, **more: Any) -> desk.Running:
    settings = parse(world.document(folder, database), "world")
    return desk.start(
        settings, {"world": world.HANDLER}, {"world": HandlerSettings()}, world.tools(), world.tools(), world.Friends(),
        None, cipher=Fernet(key), **more,
    )  # fmt: skip


def long_ago(database: str) -> None:
    """As if the last sign of life of each replica were two lives old."""
    engine = sa.create_engine(database)
    with engine.begin() as conn:
        aged = conn.execute(takeover.replica.update().values(seen=takeover.replica.c.seen - 2 * takeover.LIFE))
    engine.dispose()
    assert aged.rowcount


def test_the_whole_way_on_postgresql(world: Any, database: str, tmp_path: Path) -> None:
    """The same code, no SQLite: asked to done, with an audit that verifies."""
    key = Fernet.generate_key().decode()
    assert Replica(order(database, tmp_path, key, stages=[["a", "b"], ["c"]])).ended() == 0
    assert json.loads((tmp_path / "outcome").read_text())["state"] == "done"
    assert sorted(name for name, _ in world.lines(str(tmp_path))) == ["a", "b", "c"]
    engine = store.connect(parse(world.document(tmp_path, database), "world"))
    assert audit.verify(engine).ok
    engine.dispose()


@pytest.mark.parametrize("kill", [3, 4, 5, 7])
def test_the_work_of_a_dead_replica_is_taken_over(world: Any, database: str, tmp_path: Path, kill: int) -> None:
    """Killed before or after a write, at a boundary: the other replica ends the run, each effect once. The dead one
    does not come back, and nobody helps."""
    key = Fernet.generate_key().decode()
    order_ = order(database, tmp_path, key, stages=[["a"], ["b"]])
    assert Replica(order_ | {"kill": kill + 2}).ended() == -9  # two events are Slack's: before and after its post
    long_ago(database)
    running = begin(world, database, tmp_path, key)
    try:
        (view,) = running.desk.runs()
        if view.state == State.PROPOSED:
            running.desk.decide(Decision(key="late", run=view.id, verdict="approve", user="U2", digest=view.digest))
        until(lambda: running.desk.run(view.id).state == State.DONE)  # type: ignore[union-attr]
        assert [name for name, _ in world.lines(str(tmp_path))] == ["a", "b"]
        assert audit.verify(running.store).ok
    finally:
        running.stop()


def test_two_replicas_decide_once(world: Any, database: str, tmp_path: Path) -> None:
    """The same request and ten clicks at one instant over two desks: one run, one approval."""
    key = Fernet.generate_key().decode()
    running = begin(world, database, tmp_path, key)
    other = desk.submit_only(
        parse(world.document(tmp_path, database), "world"), {"world": world.HANDLER}, {"world": HandlerSettings()},
        world.Friends(), cipher=Fernet(key),
    )  # fmt: skip
    try:
        desks, runs, outcomes = [running.desk, other.desk], [], []
        request = Request(key="k", command="world", ask={"folder": str(tmp_path)}, asker="U1")
        together([lambda d=d: runs.append(d.ask(request)) for d in desks * 5])
        assert len(set(runs)) == 1
        view = until(lambda: (v := running.desk.run(runs[0])) and v.state == State.PROPOSED and v)
        click = Decision(key="", run=view.id, verdict="approve", user="U2", digest=view.digest)
        clicks = [click.model_copy(update={"key": f"k{n}", "user": ["U2", "U3", "U4"][n % 3]}) for n in range(10)]
        together([lambda d=desks[n % 2], c=c: outcomes.append(d.decide(c)) for n, c in enumerate(clicks)])
        assert sum(outcome.accepted for outcome in outcomes) == 1
        until(lambda: running.desk.run(view.id).state == State.DONE)
        assert audit.verify(running.store).ok
        assert len(world.lines(str(tmp_path))) == 1
    finally:
        other.stop()
        running.stop()


def together(calls: list[Callable[[], Any]]) -> None:
    start = threading.Barrier(len(calls))

    def one(call: Callable[[], Any]) -> None:
        start.wait()
        call()

    threads = [threading.Thread(target=one, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_a_tick_happens_once_over_all_replicas(world: Any, database: str, tmp_path: Path) -> None:
    """Four tickers at the same instant make one request."""
    document = world.document(tmp_path, database)
    document["schedules"] = {"nightly": {"command": "world", "ask": {"folder": str(tmp_path)}, "every_minutes": 60}}
    now = [1_000_000.0]
    made = [
        desk.submit_only(parse(document, "world"), {"world": world.HANDLER}, {"world": HandlerSettings()},
                         world.Friends(), cipher=Fernet(Fernet.generate_key()), clock=lambda: now[0])
        for _ in range(4)
    ]  # fmt: skip
    shop = made[0]._shop
    shop.write(lambda conn: schedules.sync(conn, shop.settings.schedules, now[0]))
    now[0] += 3601
    together([Ticker(one._shop).tick for one in made])
    assert [v.asker for v in made[0].desk.runs()] == ["schedule:nightly"]
    assert audit.verify(shop.store).ok
    for one in made:
        one.stop()


@pytest.mark.usefixtures("hurried")
def test_a_replica_that_cannot_say_that_it_lives_ends_itself(world: Any, database: str, tmp_path: Path) -> None:
    """Before the others take its work over; on stopping it signs off, so that nobody waits."""
    settings = parse(world.document(tmp_path, database), "world")
    desk.submit_only(settings, {}, {}, world.Friends(), cipher=Fernet(Fernet.generate_key())).stop()
    engine, lost = store.connect(settings), threading.Event()
    life = takeover.Takeover(engine, "me", lambda dead: None, lost.set, life=8)
    life.start()
    with store.writing(engine) as conn:
        conn.execute(sa.text("ALTER TABLE replica RENAME TO away"))
    assert not lost.wait(1.2), "one sign of life that fails is not the end"
    with store.writing(engine) as conn:
        conn.execute(sa.text("ALTER TABLE away RENAME TO replica"))
    other = sa.create_engine(settings.store.url or "")
    with other.connect() as conn, conn.begin():
        conn.execute(sa.text("LOCK TABLE replica IN ACCESS EXCLUSIVE MODE"))
        assert lost.wait(60)
    other.dispose()
    engine.dispose()


@pytest.mark.usefixtures("hurried")
def test_a_database_that_is_away_is_told_within_two_seconds(world: Any, tmp_path: Path) -> None:
    """Intake must answer Slack: Transient, without the address in its text."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        address = f"postgresql+psycopg://keeper@127.0.0.1:{closed.getsockname()[1]}/hive"
        engine = store.connect(parse(world.document(tmp_path, address), "world"))
        with pytest.raises(Transient) as told, store.reading(engine):
            pass
        assert "127.0.0.1" not in str(told.value)
        assert told.value.__cause__ is None
