"""What handlers remember on a real PostgreSQL: several replicas that put at once, and a whole engine."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import pytest
import sqlalchemy as sa
from cryptography.fernet import Fernet

from bot.core.errors import Transient
from bot.core.handler import Handler, HandlerSettings
from bot.core.intake import Decision, Request
from bot.core.plan import Plan, RunRef, Stage, Step
from bot.core.ports import ReadTools, Tools
from bot.core.view import State
from bot.engine import desk, records, store, tables
from bot.engine.records import KEPT, LARGEST, StoredRecords
from bot.settings import parse

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]


def together(calls: list[Callable[[], Any]]) -> None:
    """Each in a thread of its own, at one instant."""
    failed: list[Exception] = []
    start = threading.Barrier(len(calls))

    def one(call: Callable[[], Any]) -> None:
        start.wait()
        try:
            call()
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=one, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed


@pytest.fixture
def memories(benches: Any) -> list[StoredRecords]:
    """Those of three replicas."""
    return [records.remembering(bench.shop).tools.records for bench in benches(3)]


def everything(memory: StoredRecords) -> list[Any]:
    with store.reading(memory._store()) as conn:
        return list(conn.execute(sa.select(tables.record).order_by(tables.record.c.number)))


def test_one_value_is_present_whoever_puts_at_once(memories: list[StoredRecords]) -> None:
    """Of many values from three replicas each is in the history once, the last one is present, and nobody fails."""
    wanted = [(each, f"r-{who}-{n}", {"n": n, "who": who}) for who, each in enumerate(memories) for n in range(8)]
    together([lambda w=w: w[0].put("uid", "nova", w[2], run=w[1]) for w in wanted])
    rows = everything(memories[0])
    assert [row.number for row in rows] == list(range(1, 25))
    assert [row.present for row in rows] == [None] * 23 + [True]
    found = [one.value for one in memories[1].history("uid", "nova", limit=99)]
    assert sorted(map(str, found)) == sorted(str(value) for _, _, value in wanted)
    assert memories[2].get("uid", "nova") == memories[1].history("uid", "nova")[0]


def test_the_same_value_from_all_is_one_entry(memories: list[StoredRecords]) -> None:
    """Also when there was none yet, and for as many keys as there are."""
    puts = [(each, key) for each in memories for key in "abcd"] * 2
    together([lambda n=n, p=p: p[0].put("uid", p[1], {"uid": 1}, run=f"r-{n}") for n, p in enumerate(puts)])
    assert [(row.number, row.present) for row in everything(memories[0])] == [(1, True)] * 4


def test_putting_dropping_and_forgetting_at_once(memories: list[StoredRecords]) -> None:
    """Whatever the order was, each key has one present value, with the highest number, or nothing at all."""
    draw = random.Random(3)
    engine = memories[0]._store()

    def forget() -> None:
        with store.writing(engine) as conn:
            records.forget(conn, time.time() + 9e9, 3)

    def act(n: int) -> Callable[[], Any]:
        memory, key = draw.choice(memories), draw.choice("ab")
        put = [lambda: memory.put("uid", key, {"n": n}, run=f"r-{n}")] * 4
        return draw.choice([*put, lambda: memory.drop("uid", key), forget])

    for _ in range(6):
        together([act(n) for n in range(10)])
        for key in "ab":
            rows = [row for row in everything(memories[0]) if row.key == key]
            assert [bool(row.present) for row in rows] == [False] * (len(rows) - 1) + [True] * bool(rows)


def test_all_is_as_on_sqlite(memories: list[StoredRecords]) -> None:
    """Order of keys, every sign that JSON can hold, the largest value, the bound of the history, a late repetition."""
    memory = memories[0]
    keys = ["b", "B", "é", "a_b", "a-b", "ab"]
    for key in keys:
        memory.put("uid", key, {"text": "a\0b \U0001f41d \x7f", "of": [1.5, None, True, 2**70]}, run="r-1")
    assert [one.key for one in memory.all("uid")] == sorted(keys)
    assert memory.all("uid")[0].value == {"text": "a\0b \U0001f41d \x7f", "of": [1.5, None, True, 2**70]}
    large = {"t": "x" * (LARGEST - len('{"t":""}'))}
    memory.put("large", "x", large, run="r-1")
    assert memory.history("large", "x")[0].value == large
    for n in range(KEPT + 3):
        memory.put("push", "x", {"n": n}, run=f"r-{n}")
    memory.put("push", "x", {"n": KEPT}, run=f"r-{KEPT}")
    assert [one.value["n"] for one in memory.history("push", "x", limit=99)] == list(range(KEPT + 2, 2, -1))


@pytest.mark.usefixtures("hurried")
def test_who_waits_too_long_for_another_is_told(memories: list[StoredRecords]) -> None:
    """A replica that hangs in the middle of its transaction costs the others a few seconds and a Transient, and what
    it held is free when it ends; other keys were never held."""
    with store.writing(memories[0]._store()) as conn:
        records._lock(conn, "uid", "nova")
        with pytest.raises(Transient):
            memories[1].put("uid", "nova", {"uid": 1}, run="r-1")
        memories[1].put("uid", "dune", {"uid": 1}, run="r-1")
    memories[1].put("uid", "nova", {"uid": 1}, run="r-1")
    assert [one.key for one in memories[2].all("uid")] == ["dune", "nova"]


class Remember(Step):
    """Remembers its number, unless that is so."""

    kind: Literal["remember"] = "remember"
    n: int

    def says(self) -> str:
        return f"remember {self.n}"

    def done(self, tools: ReadTools) -> bool:
        assert not hasattr(tools.records, "put")
        found = tools.records.get("uid", f"nova-{self.n}")
        return found is not None and found.value == {"uid": self.n}

    def do(self, tools: Tools, run: RunRef) -> None:
        tools.records.put("uid", f"nova-{self.n}", {"uid": self.n}, run=run.id)


def test_steps_remember_in_a_whole_engine(world: Any, database: str, tmp_path: Path) -> None:
    """Sixty side by side, each once and by its run; the plan after that has nothing left to do."""

    def plan(ask: Any, settings: Any, tools: ReadTools) -> Plan:
        steps = tuple(Remember(n=n) for n in range(60))
        return Plan(command="world", title="Remember", subject="s", stages=(Stage(steps=steps),), on_failure="go_on")

    handler = Handler("world", "Remember", world.WorldAsk, HandlerSettings, plan, (Remember,))
    running = desk.start(
        parse(world.document(tmp_path, database), "world"), {"world": handler}, {"world": HandlerSettings()},
        world.tools(), world.tools(), world.Friends(), None, cipher=Fernet(Fernet.generate_key()),
    )  # fmt: skip
    try:
        view = until(running.desk, ask(running.desk, "one", tmp_path), State.PROPOSED)
        running.desk.decide(Decision(key="click", run=view.id, verdict="approve", user="U2", digest=view.digest))
        until(running.desk, view.id, State.DONE)
        found = records.StoredReader(lambda: running.store).all("uid")
        assert [(one.value["uid"], one.run) for one in sorted(found, key=lambda one: one.value["uid"])] == [
            (n, view.id) for n in range(60)
        ]
        until(running.desk, ask(running.desk, "two", tmp_path), State.ANSWERED)
    finally:
        running.stop()


def ask(desk: Any, key: str, folder: Path) -> str:
    run: str = desk.ask(Request(key=key, command="world", ask={"folder": str(folder)}, asker="U1"))
    return run


def until(desk: Any, run: str, state: State) -> Any:
    deadline = time.monotonic() + 100
    while (view := desk.run(run)).state != state:
        assert time.monotonic() < deadline, view
        time.sleep(0.02)
    return view
