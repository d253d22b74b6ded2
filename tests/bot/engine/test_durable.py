"""The real executor on SQLite, and what we lean on in it that it does not promise."""

from __future__ import annotations

import base64
import inspect
import logging
import pickle
import sqlite3
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from cryptography.fernet import Fernet

from bot.core.errors import Refused, Transient
from bot.core.handler import HandlerSettings
from bot.core.intake import Decision, Request
from bot.core.view import RunView, State
from bot.engine import desk, durable, lock, store
from bot.engine.workshop import Patience
from bot.settings import Settings, parse
from tests.waiting import until

KEY = Fernet.generate_key()


def begin(world: Any, folder: Path, **more: Any) -> desk.Running:
    """The whole engine in this process."""
    return desk.start(
        parse(world.document(folder), "world"), {"world": world.HANDLER}, {"world": HandlerSettings()},
        world.tools(), world.tools(), world.Friends(), world.Board(folder / "slack"), cipher=Fernet(KEY),
        patience=Patience(attempts=3, first=0.01, most=0.05), **more,
    )  # fmt: skip


@pytest.fixture(scope="module")
def running(world: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[desk.Running]:
    """One engine for the tests of this module: a process can have one only."""
    engine = begin(world, tmp_path_factory.mktemp("engine"))
    yield engine
    engine.stop()


def asked(running: Any, folder: Path, key: str, **ask: Any) -> str:
    folder.mkdir(exist_ok=True)
    run: str = running.desk.ask(
        Request(key=key, command="world", ask={"folder": str(folder)} | ask, asker="U1", channel="C1")
    )
    return run


def in_state(running: Any, run: str, *states: State) -> RunView:
    def there() -> RunView | None:
        view: RunView | None = running.desk.run(run)
        return view if view and view.state in states else None

    return until(there)  # type: ignore[no-any-return]


def approve(running: Any, run: str) -> None:
    view = in_state(running, run, State.PROPOSED)
    decision = Decision(key=f"ok-{run}", run=run, verdict="approve", user="U2", digest=view.digest)
    assert running.desk.decide(decision).accepted


def test_from_the_request_to_the_message_that_says_done(running: Any, tmp_path: Path, world: Any) -> None:
    """Asked, planned, approved, applied, shown: by the queues and threads of the real executor."""
    run = asked(running, tmp_path / "w", str(tmp_path), stages=[["a", "b"], ["c"]])
    approve(running, run)
    view = in_state(running, run, State.DONE)
    assert len(world.lines(str(tmp_path / "w"))) == 3
    shown = until(lambda: (v := running.desk.run(run)).ts and v)
    assert shown.revision == view.revision
    running.desk.check()


def test_one_plan_at_a_time_for_one_subject(running: Any, tmp_path: Path, world: Any, monkeypatch: Any) -> None:
    """Two approved plans with one subject do not overlap; one with another subject does not wait for them."""
    inside: list[str] = []
    overlaps: list[tuple[str, ...]] = []
    other_done, mood = threading.Event(), world.mood

    def watch(folder: str, name: str, verb: str) -> None:
        if verb == "do":
            inside.append(name[:4])
            overlaps.append(tuple(inside))
            if name == "samex":  # holds its subject until the other subject has come through
                assert other_done.wait(60)
        if verb == "after":
            inside.remove(name[:4])
            if name == "otherx":
                other_done.set()
        mood(folder, name, verb)

    monkeypatch.setattr(world, "mood", watch)
    same = [
        asked(running, tmp_path / "w", f"{tmp_path}{n}", stages=[[f"same{n}"]], subject=f"s{tmp_path}") for n in "xy"
    ]
    other = asked(running, tmp_path / "w", f"{tmp_path}o", stages=[["otherx"]], subject=f"o{tmp_path}")
    for run in (*same, other):
        approve(running, run)
    for run in (*same, other):
        in_state(running, run, State.DONE)
    assert all(together.count("same") <= 1 for together in overlaps)


def test_nothing_readable_is_kept_by_the_executor(running: Any, tmp_path: Path) -> None:
    """Inputs and results are encrypted, and every row names our way of writing."""
    run = asked(running, tmp_path / "w", str(tmp_path))
    approve(running, run)
    in_state(running, run, State.DONE)
    with store.reading(running.store) as conn:
        inputs = list(conn.execute(sa.text("SELECT inputs FROM workflow_input")).scalars())
        kinds = set(conn.execute(sa.text("SELECT serialization FROM workflow_status")).scalars())
        outputs = list(conn.execute(sa.text("SELECT output FROM operation_outputs WHERE output IS NOT NULL")).scalars())
    assert inputs
    assert outputs
    assert kinds == {"hivekeeper-sealed-json-1"}
    assert all(text.startswith("gAAAA") for text in inputs + outputs)


def test_a_pickle_in_a_row_is_not_opened(running: Any, tmp_path: Path) -> None:
    """A row that names pickle as its decoder must not run code, whoever looks at it; the run is closed in words."""
    trap = tmp_path / "trapped"

    class Trap:
        def __reduce__(self) -> Any:
            return (Path.touch, (trap,))

    text = base64.b64encode(pickle.dumps({"args": (Trap(),), "kwargs": {}})).decode()
    with store.writing(running.store) as conn:
        row = {"i": "plan-r-evil", "n": "plan", "s": "ENQUEUED", "q": "plan", "x": "py_pickle", "a": durable.APP}
        conn.execute(
            sa.text(
                "INSERT INTO workflow_status (workflow_uuid, name, status, queue_name, serialization, application_name,"
                " application_version, recovery_attempts, created_at, updated_at, priority)"
                " VALUES (:i, :n, :s, :q, :x, :a, '1', 0, 1, 1, 0)"
            ),
            row,
        )
        conn.execute(
            sa.text("INSERT INTO workflow_input (workflow_uuid, inputs) VALUES ('plan-r-evil', :t)"), {"t": text}
        )
    client = running._shop.queues._client
    until(lambda: client.list_workflows(workflow_ids=["plan-r-evil"])[0].status not in ("ENQUEUED",))
    assert not trap.exists()
    client.delete_workflow("plan-r-evil")


def test_pickle_is_off_both_ways() -> None:
    """The default serializer of the library can neither write nor read any more."""
    from dbos._serialization import DBOSDefaultSerializer, DefaultSerializer

    durable.refuse_pickle()
    for serializer in (DBOSDefaultSerializer, DefaultSerializer()):
        with pytest.raises(TypeError, match="switched off"):
            serializer.serialize({"a": 1})
        with pytest.raises(TypeError, match="switched off"):
            serializer.deserialize(base64.b64encode(pickle.dumps(1)).decode())


def test_the_private_parts_that_we_lean_on_are_there() -> None:
    """If a release of DBOS moves them, this says so before a crash does."""
    from dbos import DBOS, _core, _recovery, _sys_db

    assert "executor_ids" in inspect.signature(DBOS._recover_pending_workflows).parameters
    assert "queue_name=sa.func.coalesce(" in inspect.getsource(_sys_db.SystemDatabase.reenqueue_for_recovery)
    assert "reenqueue_for_recovery" in inspect.getsource(_recovery)
    assert "except BaseException" not in inspect.getsource(_core._get_wf_invoke_func)


def test_the_version_of_the_work_does_not_follow_the_code(running: Any) -> None:
    """DBOS would take a hash of the source, and what waits under an older one would wait for ever."""
    from dbos._utils import GlobalParams

    assert GlobalParams.app_version == durable.VERSION == "1"
    with store.reading(running.store) as conn:
        kept = set(conn.execute(sa.text("SELECT application_version FROM workflow_status")).scalars())
    assert kept <= {"1"}


def test_the_table_that_a_takeover_reads_has_its_columns(running: Any) -> None:
    """`stranded` reads them on PostgreSQL; the names are the same on SQLite."""
    with store.reading(running.store) as conn:
        columns = {column["name"] for column in sa.inspect(conn).get_columns("workflow_status")}
    assert columns >= {"executor_id", "updated_at", "status", "application_name"}


def test_the_library_logs_a_place_and_no_words(running: Any, capsys: Any) -> None:
    """Its messages hold texts of exceptions, and those can hold anything."""
    words = f"words{uuid.uuid4().hex}"
    (ours,) = [h for h in logging.getLogger("dbos").handlers if h.__class__.__module__ == durable.__name__]
    ours.emit(
        logging.LogRecord("dbos", logging.ERROR, "/x/_core.py", 7, words, (), (ValueError, ValueError(words), None))
    )
    said = capsys.readouterr()
    assert "_core.py:7" in said.out + said.err
    assert words not in said.out + said.err


def test_a_second_process_on_sqlite_is_refused(running: Any) -> None:
    """In a sentence: two would run the same work twice."""
    settings = running._shop.settings
    with pytest.raises(Refused, match="Another hivekeeper"):
        lock.take_lock(settings)


def test_the_command_line_beside_a_running_bot(running: Any, tmp_path: Path, world: Any) -> None:
    """It takes in and decides without an executor, and the bot does the work."""
    beside = desk.submit_only(
        running._shop.settings,
        {"world": world.HANDLER},
        {"world": HandlerSettings()},
        world.Friends(),
        cipher=Fernet(KEY),
    )
    run = asked(beside, tmp_path / "w", str(tmp_path))
    approve(beside, run)
    assert in_state(beside, run, State.DONE).steps[0].says == "write a"
    beside.desk.check()
    beside.stop()


@pytest.mark.parametrize(("python", "sqlite", "good"), [((3, 11), "3.40.1", True), ((3, 12), "3.40.1", False), ((3, 13), "3.42.0", True)])  # fmt: skip
def test_a_sqlite_that_is_too_old_is_told(monkeypatch: Any, python: Any, sqlite: str, good: bool) -> None:
    """In words, with what to do, before anything starts."""
    monkeypatch.setattr(sys, "version_info", python)
    monkeypatch.setattr(sqlite3, "sqlite_version_info", tuple(int(n) for n in sqlite.split(".")))
    monkeypatch.setattr(sqlite3, "sqlite_version", sqlite)
    if good:
        return durable.check_sqlite(Settings())
    for begin in (durable.check_sqlite, lambda settings: durable.migrate(settings, None)):  # also beside a bot
        with pytest.raises(Refused, match=r"3\.42 is needed"):
            begin(Settings())
    return None


@pytest.mark.slow
def test_a_stop_in_the_middle_goes_on_at_the_next_start(world: Any, tmp_path: Path, monkeypatch: Any) -> None:
    """A graceful stop ends at the end of a step; nothing is failed, nothing is done twice. (Slow: the executor is one
    per process, so this runs in a program of its own.)"""
    done = subprocess.run(
        [sys.executable, Path(__file__).with_name("stopping.py"), tmp_path],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert [name for name, _ in world.lines(str(tmp_path))] == ["a", "b", "c"]


def test_while_the_store_is_away_asking_says_so(running: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hardly later than it waits for the store, which is two seconds, so that Slack gets its answer. The best of many,
    because the machine may be busy."""
    monkeypatch.setattr(store, "BUSY", 0.3)

    def took() -> float:
        began = time.monotonic()
        with store.writing(running.store), pytest.raises(Transient, match="The store did not answer"):
            asked(running, tmp_path / "w", str(tmp_path))
        return time.monotonic() - began

    assert any(took() < 0.3 + 0.9 for _ in range(20))
