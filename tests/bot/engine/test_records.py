"""What handlers remember between runs: present values, their history, and who may not write."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.core.errors import Refused, Transient
from bot.core.plan import Answer
from bot.core.ports import ReadTools
from bot.core.secret import Secret
from bot.engine import records, retention, schema, store, tables
from bot.engine.records import KEPT, LARGEST, StoredReader, StoredRecords
from bot.settings import Settings


@pytest.fixture
def memory(bench: Any) -> StoredRecords:
    """The memory of an engine by hand, whose clock the test moves."""
    bench.shop = bench.desk._shop = records.remembering(bench.shop)
    found: StoredRecords = bench.shop.tools.records
    return found


def values(memory: StoredReader, kind: str = "uid", key: str = "nova") -> list[dict[str, Any]]:
    return [one.value for one in memory.history(kind, key, limit=99)]


def test_what_was_never_put_is_not_there(memory: StoredRecords) -> None:
    """Asking for it is no error, and neither is forgetting it."""
    memory.drop("uid", "nova")
    assert (memory.get("uid", "nova"), memory.all("uid"), memory.history("uid", "nova")) == (None, (), ())


def test_the_same_value_again_confirms_it(bench: Any, memory: StoredRecords) -> None:
    """It stays since when it was, is seen now, by that run, and begins no new entry; the order of keys says nothing."""
    memory.put("uid", "nova", {"uid": 1, "on": True}, run="r-1")
    bench.now += 60
    memory.put("uid", "nova", {"on": True, "uid": 1}, run="r-2")
    (one,) = memory.history("uid", "nova")
    assert (one.since, one.seen_at, one.run) == (bench.now - 60, bench.now, "r-2")


@pytest.mark.parametrize("other", [{"uid": 2}, {"uid": True}, {"uid": 1.0}, {"uid": "1"}, {}, {"uid": 1, "x": None}])
def test_another_value_begins_an_entry_of_the_history(bench: Any, memory: StoredRecords, other: dict[str, Any]) -> None:
    """Also one that Python takes for equal; the old entry keeps its times and its run."""
    memory.put("uid", "nova", {"uid": 1}, run="r-1")
    bench.now += 60
    memory.put("uid", "nova", other, run="r-2")
    new, old = memory.history("uid", "nova")
    assert repr((new.value, new.since, new.run)) == repr((other, bench.now, "r-2"))
    assert (old.value, old.since, old.seen_at, old.run) == ({"uid": 1}, bench.now - 60, bench.now - 60, "r-1")
    assert memory.get("uid", "nova") == new


def test_a_step_that_is_carried_out_again_changes_nothing(bench: Any, memory: StoredRecords) -> None:
    """Neither the times, nor what another run has put meanwhile, nor the history; not even when a third run had
    confirmed its value in between."""
    memory.put("uid", "nova", {"uid": 1}, run="r-1")
    bench.now += 60
    before = memory.history("uid", "nova")
    memory.put("uid", "nova", {"uid": 1}, run="r-1")
    assert memory.history("uid", "nova") == before
    memory.put("uid", "nova", {"uid": 1}, run="r-2")
    memory.put("uid", "nova", {"uid": 2}, run="r-3")
    before = memory.history("uid", "nova")
    memory.put("uid", "nova", {"uid": 1}, run="r-1")
    memory.put("uid", "nova", {"uid": 1}, run="r-2")
    assert memory.history("uid", "nova") == before


def test_a_run_may_take_back_its_own_value(memory: StoredRecords) -> None:
    """An undo that puts what the run itself had confirmed before is no repetition."""
    memory.put("uid", "nova", {"uid": 1}, run="r-1")
    for uid in (1, 2, 1):
        memory.put("uid", "nova", {"uid": uid}, run="r-2")
    assert values(memory) == [{"uid": 1}, {"uid": 2}, {"uid": 1}]


def test_the_history_is_bounded(memory: StoredRecords) -> None:
    """Of one key the last fifty are kept, and those of its neighbour stay."""
    memory.put("uid", "nova-2", {"uid": 0}, run="r-0")
    for uid in range(KEPT + 7):
        memory.put("uid", "nova", {"uid": uid}, run=f"r-{uid}")
    assert values(memory) == [{"uid": uid} for uid in reversed(range(7, KEPT + 7))]
    assert [one.value["uid"] for one in memory.history("uid", "nova", limit=2)] == [KEPT + 6, KEPT + 5]
    assert len(memory.history("uid", "nova")) == 20
    assert memory.history("uid", "nova", limit=-1) == ()
    assert values(memory, key="nova-2") == [{"uid": 0}]


def test_old_values_are_forgotten_and_present_ones_are_not(bench: Any, memory: StoredRecords) -> None:
    """After the settings' keep_days, however old the present one is."""
    memory.put("uid", "nova", {"uid": 1}, run="r-1")
    memory.put("uid", "nova", {"uid": 2}, run="r-2")
    bench.now += (bench.shop.settings.store.keep_days + 1) * 86400
    memory.put("uid", "dune", {"uid": 3}, run="r-3")
    memory.put("uid", "dune", {"uid": 4}, run="r-4")
    retention.forget(bench.shop)
    assert values(memory) == [{"uid": 2}]
    assert values(memory, key="dune") == [{"uid": 4}, {"uid": 3}]
    memory.put("uid", "nova", {"uid": 5}, run="r-5")
    assert values(memory) == [{"uid": 5}, {"uid": 2}]


def test_many_old_values_go_in_many_transactions(bench: Any, memory: StoredRecords) -> None:
    """So many at a time, the rest next, and then there is none."""
    for uid in range(6):
        memory.put("uid", "nova", {"uid": uid}, run=f"r-{uid}")
    gone = [bench.shop.write(lambda conn: records.forget(conn, bench.now + 1, 2)) for _ in range(4)]
    assert gone == [2, 2, 1, 0]
    assert values(memory) == [{"uid": 5}]


def test_all_are_in_the_order_of_their_keys(memory: StoredRecords) -> None:
    """One present value each, by the numbers of their characters as on every database, and none of another kind."""
    keys = ["b", "B", "é", "a_b", "a-b", "ab"]
    for key in keys:
        memory.put("uid", key, {"old": key}, run="r-1")
        memory.put("uid", key, {"new": key}, run="r-1")
        memory.put("push", key, {}, run="r-1")
    assert [one.value for one in memory.all("uid")] == [{"new": key} for key in sorted(keys)]


def test_kind_and_key_are_not_mixed_up(memory: StoredRecords) -> None:
    """However they are put together."""
    memory.put("a/b", "c", {"n": 1}, run="r-1")
    memory.put("a", "b/c", {"n": 2}, run="r-1")
    memory.drop("a", "b/c")
    assert values(memory, "a/b", "c") == [{"n": 1}]
    assert memory.get("a", "b/c") is None


def test_a_secret_is_never_remembered(bench: Any, memory: StoredRecords, canary: Callable[[str], str]) -> None:
    """Neither as a value, at any depth, nor as a name; the words of the refusal do not hold it."""
    secret: Any = Secret(canary("token"))
    for value in ({"token": secret}, {"a": [{"b": (secret,)}]}, secret):
        with pytest.raises(TypeError) as told:
            memory.put("uid", "nova", value, run="r-1")
        assert told.value.__suppress_context__ or told.value.__context__ is None
    for names in (("uid", secret), (secret, "nova")):
        for call in (memory.get, memory.history, memory.drop):
            with pytest.raises(TypeError):
                call(*names)
    assert memory.get("uid", "nova") is None


def test_a_value_may_be_so_large_and_no_larger(memory: StoredRecords) -> None:
    """Measured in bytes as it is stored; a larger one leaves what was there."""
    fits = {"t": "é" * ((LARGEST - len('{"t":""}')) // 2)}
    memory.put("uid", "nova", fits, run="r-1")
    with pytest.raises(Refused, match=rf"too large \({LARGEST + 1} bytes"):
        memory.put("uid", "nova", {"t": fits["t"] + "x"}, run="r-2")
    assert values(memory) == [fits]


@pytest.mark.parametrize("value", [{"t": float("nan")}, {"t": "\ud800"}, {"t": float("inf")}])
def test_what_json_cannot_hold_is_refused(memory: StoredRecords, value: dict[str, Any]) -> None:
    """In our words."""
    with pytest.raises(Refused, match="cannot be written as JSON") as told:
        memory.put("uid", "nova", value, run="r-1")
    assert told.value.__suppress_context__


def test_what_is_nested_too_deeply_is_refused(memory: StoredRecords) -> None:
    """Rather than to end the process."""
    value: dict[str, Any] = {}
    for _ in range(100_000):
        value = {"a": value}
    with pytest.raises(Refused, match="What is to be remembered"):
        memory.put("uid", "nova", value, run="r-1")
    while value:  # taken apart by hand: so would its end be, one call in another
        value = value["a"]


@pytest.mark.parametrize(("kind", "key"), [("", "k"), ("k", ""), ("k" * 61, "k"), ("k", "k" * 256), ("k", "a\0"),
                                       ("a\nb", "k"), ("k", "\ud800")])  # fmt: skip
def test_names_that_no_database_keeps_are_refused(memory: StoredRecords, kind: str, key: str) -> None:
    """Before the store is asked, and not told: whose they are is not known."""
    for call in (memory.get, memory.history, memory.drop, lambda *names: memory.put(*names, {}, run="r")):
        with pytest.raises(Refused, match="not printable, or longer") as told:
            call(kind, key)
        assert told.value.what.isprintable()


def test_a_store_that_is_away_is_transient(bench: Any, tmp_path: Path) -> None:
    """The engine then tries the step again; nobody waits here, and every turn is given back."""
    away = sa.create_engine(f"sqlite:///{tmp_path}")  # a folder
    lost = StoredRecords(lambda: away, lambda: 0.0, bench.shop.recorders)
    calls = [lambda: lost.put("uid", "nova", {}, run="r-1"), lambda: lost.drop("uid", "nova")] * 3
    for call in [*calls, lambda: lost.get("uid", "nova"), lambda: lost.all("uid")]:
        with pytest.raises(Transient, match="The store did not answer"):
            call()


def test_looking_cannot_write(bench: Any) -> None:
    """What planning gets has no put and no drop, also at run time, and sees what applying puts."""
    shop = records.remembering(bench.shop)
    shop.tools.records.put("uid", "nova", {"uid": 1}, run="r-1")
    assert not hasattr(shop.read_tools.records, "put")
    assert not hasattr(shop.read_tools.records, "drop")
    assert shop.read_tools.records.get("uid", "nova").value == {"uid": 1}
    assert shop.recorders is bench.shop.recorders


def test_a_plan_sees_what_is_remembered(bench: Any, memory: StoredRecords) -> None:
    """The handler's plan gets it by way of its tools."""
    memory.put("uid", "nova", {"uid": 51234}, run="r-1")

    def plan(ask: Any, settings: Any, tools: ReadTools) -> Answer:
        found = tools.records.get("uid", "nova")
        return Answer(command="world", title=f"It is {found.value['uid'] if found else '?'}")

    bench.with_handler(plan=plan)
    view = bench.plan(bench.ask())
    assert view.answer is not None
    assert view.answer.title == "It is 51234"


def test_a_process_without_tools_remembers_nothing(bench: Any) -> None:
    """The command line beside a running bot carries nothing out."""
    shop = dataclasses.replace(bench.shop, tools=None, read_tools=None)
    assert records.remembering(shop) is shop


def test_the_store_is_opened_when_it_is_first_asked() -> None:
    """A plan that needs no memory works without a store."""
    opened: list[int] = []

    def refuse() -> sa.Engine:
        opened.append(1)
        raise Transient("The store did not answer.")

    reader = StoredReader(refuse)
    assert not opened
    with pytest.raises(Transient):
        reader.get("uid", "nova")


def test_no_two_values_of_a_key_can_be_present(bench: Any, memory: StoredRecords) -> None:
    """The store itself forbids it."""
    memory.put("uid", "nova", {"uid": 1}, run="r-1")
    row = bench.shop.read(lambda conn: conn.execute(sa.select(tables.record)).one())._asdict()
    with pytest.raises(sa.exc.IntegrityError), store.writing(bench.shop.store) as conn:
        conn.execute(tables.record.insert().values(**row | {"number": 2}))


# --- any sequence of puts and drops, against a simple model -------------------------------------------------

PLACES = st.tuples(st.sampled_from(["uid", "push"]), st.sampled_from(["nova", "dune"]))
PUTS = st.tuples(PLACES, st.integers(0, 3), st.sampled_from(["r-1", "r-2", "r-3", ""]))
ACTS = st.lists(st.one_of(PUTS, PUTS, PUTS, st.tuples(PLACES, st.none(), st.none())), max_size=25)


@dataclasses.dataclass
class Entry:
    value: int
    since: float
    seen_at: float
    runs: list[str]


class Model:
    """A list of entries per place, the present one last."""

    def __init__(self) -> None:
        self.places: dict[tuple[str, str], list[Entry]] = {}

    def put(self, place: tuple[str, str], value: int, run: str, now: float) -> None:
        entries = self.places.setdefault(place, [])
        present = entries[-1] if entries else None
        if present and present.value == value:
            if not run or present.runs[-1] != run:
                present.seen_at = now
                present.runs.append(run)
        elif not (present and run and run != present.runs[0] and self.again(entries, value, run)):
            entries.append(Entry(value, now, now, [run]))

    @staticmethod
    def again(entries: list[Entry], value: int, run: str) -> bool:
        return any(one.value == value and run in (one.runs[0], one.runs[-1]) for one in entries)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> sa.Engine:
    """One store for all examples; each clears it."""
    engine = store.connect(Settings(data_dir=tmp_path_factory.mktemp("records")))
    sa.event.listen(engine, "connect", lambda connection, _: connection.execute("PRAGMA synchronous=OFF"))
    schema.migrate(engine)
    return engine


@given(acts=ACTS)
@settings(max_examples=settings.default.max_examples * 3 // 5)
def test_any_sequence_is_as_in_a_simple_model(shared: sa.Engine, acts: list[Any]) -> None:
    """Whatever is put and dropped by whom: histories, present values and their times are those of the model."""
    with store.writing(shared) as conn:
        conn.execute(tables.record.delete())
    times, model = [0.0], Model()
    memory = StoredRecords(lambda: shared, lambda: times[-1], threading.Semaphore(1))
    for place, value, run in acts:
        times.append(times[-1] + 1)
        if value is None:
            memory.drop(*place)
            model.places.pop(place, None)
        else:
            memory.put(*place, {"n": value}, run=run)
            model.put(place, value, run, times[-1])
    for place, entries in model.places.items():
        found = [(one.value["n"], one.since, one.seen_at, one.run) for one in memory.history(*place, limit=99)]
        assert found == [(e.value, e.since, e.seen_at, e.runs[-1]) for e in reversed(entries)]
    for kind in ("uid", "push"):
        assert [one.key for one in memory.all(kind)] == sorted(key for k, key in model.places if k == kind)
