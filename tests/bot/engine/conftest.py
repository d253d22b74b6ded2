"""The world of the engine's tests, and an engine without its executor: a workshop on a fresh copy of a store."""

from __future__ import annotations

import dataclasses
import importlib.util
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import sqlalchemy as sa
from cryptography.fernet import Fernet, MultiFernet

from bot.core.alert import Alert, Matcher, Notice
from bot.core.diagnosis import AlertHandler, Diagnosis, Mood, Watching
from bot.core.handing_in import Invitation, Wanted
from bot.core.handler import HandlerSettings
from bot.core.incident import IncidentView
from bot.core.intake import Decision, Outcome, Request
from bot.core.plan import Answer
from bot.core.secret import Secret, SecretRef
from bot.core.view import RunView, State
from bot.engine import applying, desk, diagnosing, messages, outbox, planning, store
from bot.engine.durable import Queues
from bot.engine.stored_desk import StoredDesk
from bot.engine.workshop import Patience, Workshop
from bot.settings import Settings, parse
from bot.tools.fingerprints import KeyedFingerprints
from bot.tools.seal import FernetSeal

QUICK = Patience(attempts=3, first=0.001, most=0.002)
HURRY = store.BUSY


@pytest.fixture(autouse=True)
def _time_for_the_store(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a busy machine a thread may be without a turn for seconds: no test is to take that for a store that is away."""
    monkeypatch.setattr(store, "BUSY", 60)


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """The store's own patience."""
    monkeypatch.setattr(store, "BUSY", HURRY)


@pytest.fixture(scope="session")
def world() -> ModuleType:
    """tests/bot/engine/world.py."""
    spec = importlib.util.spec_from_file_location("engine_world", Path(__file__).with_name("world.py"))
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules["engine_world"] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite store with all its tables and nothing in it, to be copied."""
    settings = Settings(data_dir=tmp_path_factory.mktemp("empty"))
    desk.submit_only(settings, {}, {}, Nobody(), cipher=Fernet(Fernet.generate_key())).stop()
    return settings.data_dir / "hivekeeper.sqlite"


class Nobody:
    def of(self, slack_group: str) -> frozenset[str]:
        return frozenset()


def unsynchronised(connection: Any, _record: Any) -> None:
    """The power stays on in these tests, and the disk belongs to others too."""
    connection.execute("PRAGMA synchronous=OFF")


class Bench:
    """An engine by hand: the works are called by the test, and time stands still until the test moves it."""

    def __init__(self, world: ModuleType, folder: Path, settings: Settings) -> None:
        self.now = 1_000_000.0
        self.folder, self.world = folder, world
        engine = store.connect(settings)
        if engine.dialect.name == "sqlite":
            sa.event.listen(engine, "connect", unsynchronised)
        tools = world.tools(lambda: self.now)
        self.shop = Workshop(
            engine, Queues(engine, Fernet(Fernet.generate_key())), settings, {"world": world.HANDLER},
            {"world": HandlerSettings()}, tools, tools, world.Friends(), lambda: self.now, QUICK,
        )  # fmt: skip
        self.desk = StoredDesk(self.shop)

    def ask(self, key: str = "k", *, by: str = "U1", **ask: Any) -> str:
        """A new run of /world by U1."""
        document = {"folder": str(self.folder)} | ask
        return self.desk.ask(Request(key=key, command="world", ask=document, asker=by, text="as typed"))

    def plan(self, run: str) -> RunView:
        planning.plan(self.shop, run, keep)
        return self.see(run)

    def proposal(self, key: str = "k", **ask: Any) -> RunView:
        view = self.plan(self.ask(key, **ask))
        assert view.state == State.PROPOSED, view
        return view

    def decide(self, view: RunView, verdict: str = "approve", user: str = "U2", **more: Any) -> Outcome:
        known = {"key": f"{view.id}-{verdict}-{user}", "digest": view.digest} | more
        return self.desk.decide(Decision(run=view.id, verdict=verdict, user=user, **known))

    def apply(self, run: str) -> RunView:
        applying.apply(self.shop, run, keep)
        return self.see(run)

    def carried_out(self, key: str = "k", **ask: Any) -> RunView:
        view = self.proposal(key, **ask)
        assert self.decide(view).accepted
        return self.apply(view.id)

    def see(self, run: str) -> RunView:
        view = self.desk.run(run)
        assert view is not None
        return view

    def with_handler(self, **parts: Any) -> None:
        """Other parts for /world: an inventory, a report."""
        handler = dataclasses.replace(self.world.HANDLER, **parts)
        self.shop = dataclasses.replace(self.shop, handlers={"world": handler})
        self.desk._shop = self.shop

    def lines(self) -> list[list[str]]:
        return self.world.lines(str(self.folder))

    def mood(self, verb: str, name: str, text: str) -> None:
        (self.folder / f"mood-{verb}-{name}").write_text(text)

    def audited(self) -> list[str]:
        return [entry.what for entry in self.desk.audit(limit=1000)]

    def close(self) -> None:
        self.shop.queues.close()
        self.shop.store.dispose()


def keep(_name: str, call: Callable[[], Any]) -> Any:
    """A checkpoint that never has anything."""
    return call()


@pytest.fixture
def bench(world: ModuleType, tmp_path: Path, empty_store: Path) -> Iterator[Bench]:
    """An engine by hand on a store of its own."""
    (tmp_path / "data").mkdir(mode=0o700)
    shutil.copy(empty_store, tmp_path / "data" / "hivekeeper.sqlite")
    bench = Bench(world, tmp_path, parse(world.document(tmp_path), "world"))
    yield bench
    bench.close()


@pytest.fixture
def benches(world: ModuleType, tmp_path: Path, database: str) -> Iterator[Callable[[int], list[Bench]]]:
    """So many replicas by hand, on one PostgreSQL."""
    made: list[Bench] = []

    def make(count: int) -> list[Bench]:
        settings = parse(world.document(tmp_path, database), "world")
        desk.submit_only(settings, {}, {}, Nobody(), cipher=Fernet(Fernet.generate_key())).stop()
        made.extend(Bench(world, tmp_path, settings) for _ in range(count))
        return made

    yield make
    for bench in made:
        bench.close()


class Story:
    """A bench with one alert handler, "sso", whose findings the test decides: a diagnosis, or an error to raise."""

    def __init__(self, bench: Bench) -> None:
        self.bench, self.desk = bench, bench.desk
        self.finds: Diagnosis | Exception = Diagnosis(verdict="failing", mood=Mood.BAD, title="Logins fail")
        self.seen: list[Any] = []
        self.answered_by(
            AlertHandler(
                "sso", "", HandlerSettings, ((Matcher(label="alertname", equal="sso"),),), self._diagnose,
                watching=Watching(every=120, quiet=1800, longest=43200),
            )
        )  # fmt: skip

    def answered_by(self, *handlers: AlertHandler) -> None:
        by_name = {handler.name: handler for handler in handlers}
        own = {name: HandlerSettings() for name in by_name}
        self.bench.shop = dataclasses.replace(self.bench.shop, alert_handlers=by_name, alert_settings=own)
        self.bench.desk._shop = self.bench.shop

    def _diagnose(self, subject: Any, settings: Any, tools: Any) -> Any:
        self.seen.append(subject)
        if isinstance(self.finds, Exception):
            raise self.finds
        return self.finds

    def hear(self, status: str = "firing", name: str = "a", **more: Any) -> str:
        """A notice of its own with one alert; the incident's id."""
        now = self.bench.now
        alert = Alert(identity=name, status=status, labels={"alertname": "sso"}, starts_at=more.pop("at", now),
                      ends_at=now if status == "resolved" else None)  # type: ignore[arg-type]  # fmt: skip
        key = f"{status}-{name}-{now}-{more}"
        (id,) = self.desk.notice(Notice(key=key, origin=more.pop("origin", "alertmanager"), alerts=(alert,), **more))
        return id

    def look(self, finds: Diagnosis | Exception | None = None) -> IncidentView:
        """The look that waits is taken."""
        self.finds = finds or self.finds
        diagnosing.diagnose(self.bench.shop, self.view.id, keep)
        return self.view

    @property
    def view(self) -> IncidentView:
        """The only incident as it is."""
        (view,) = self.desk.incidents()
        return view

    def row(self, table: sa.Table, **which: Any) -> list[Any]:
        return self.bench.shop.read(lambda conn: list(conn.execute(sa.select(table).filter_by(**which))))

    def notes(self) -> list[str]:
        """What was told in the thread, in order."""
        rows = self.row(messages.message, run=self.view.id)
        return [row.note["text"] for row in rows if row.slot.startswith("note-")]

    def sender(self, board: Any) -> outbox.Sender:
        return outbox.Sender(self.bench.shop.store, board, self.desk.shown, lambda: self.bench.now)


@pytest.fixture
def story(bench: Bench) -> Story:
    """An engine by hand that answers alerts."""
    return Story(bench)


class Safe:
    """Vault in memory: path -> field -> secret. `trouble` is raised by the next writes; `writes` counts them."""

    def __init__(self) -> None:
        self.holds: dict[str, dict[str, Secret]] = {}
        self.trouble: list[Exception] = []
        self.writes = 0
        self.backups: set[tuple[str, str]] = set()

    def read(self, path: str, field: str) -> Secret:
        return self.holds[path][field]

    def find(self, path: str, field: str) -> Secret | None:
        return self.holds.get(path, {}).get(field)

    def fields(self, path: str) -> frozenset[str]:
        return frozenset(self.holds.get(path, {}))

    def stamp(self, path: str, field: str) -> float | None:
        return None

    def write(self, path: str, values: Mapping[str, Secret], *, run: str) -> None:
        if self.trouble:
            raise self.trouble.pop(0)
        self.writes += 1
        self.backups.add((path, run))
        self.holds.setdefault(path, {}).update(values)

    def restore(self, path: str, was: Mapping[str, str | None], *, run: str) -> None:
        raise AssertionError("nobody undoes what a person has handed in")

    def retire(self, path: str, *, run: str) -> None:
        self.backups.discard((path, run))


class Gate:
    """A way to sign in, "sso/one", whose answers the test decides: None (not yet), a secret, or an error to raise."""

    def __init__(self, clock: Callable[[], float], canary: Callable[[str], str]) -> None:
        self._clock, self._canary = clock, canary
        self.answer: Secret | Exception | None = None
        self.begun: list[str] = []  # device codes
        self.asked: list[str] = []
        self.lasts, self.every = 600.0, 5.0

    def ways(self) -> tuple[str, ...]:
        return ("sso/one",)

    def start(self, way: str) -> Invitation:
        if isinstance(self.answer, Exception):
            raise self.answer
        self.begun.append(self._canary(f"device-{len(self.begun)}"))
        number, until = len(self.begun), self._clock() + self.lasts
        link = f"https://sso.example.com/device?code=ABCD-{number}"
        return Invitation(link, f"ABCD-{number}", Secret(self.begun[-1]), expires_at=until, every=self.every)

    def poll(self, way: str, device: Secret) -> Secret | None:
        self.asked.append(device.reveal())
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


class Wanting:
    """A bench whose /world, asked for no stages, answers that it wants a token: typed, or signed in for."""

    INTO = SecretRef(path="kv/handed-in", field="token")

    def __init__(self, bench: Bench, canary: Callable[[str], str]) -> None:
        self.bench, self.canary = bench, canary
        self.safe, self.gate = Safe(), Gate(lambda: bench.now, canary)
        key = Fernet.generate_key()
        tools = dataclasses.replace(
            bench.shop.tools, vault=self.safe, sign_ins=self.gate, fingerprints=KeyedFingerprints(Secret("only for these tests")),
            seal=FernetSeal(lambda: MultiFernet([Fernet(key)])),
        )  # fmt: skip
        bench.with_handler(plan=self._plan)
        self.join(bench, tools)

    def join(self, bench: Bench, tools: Any = None) -> None:
        """Let another replica have the same tools."""
        tools = tools or self.bench.shop.tools
        parts = {"tools": tools, "vault": lambda: self.safe, "handlers": self.bench.shop.handlers}
        bench.shop = dataclasses.replace(bench.shop, **parts)
        bench.desk._shop = bench.shop

    def _plan(self, ask: Any, settings: Any, tools: Any) -> Any:
        if ask.stages:
            return self.bench.world.plan(ask, settings, tools)
        after = {"folder": ask.folder, "stages": [["a"]]}
        typed = Wanted(name="token", label="Hand in a token", into=self.INTO, command="world", ask=after)
        return Answer(
            command="world", title="A token is wanted",
            wanted=(typed, typed.model_copy(update={"name": "sign-in", "way": "sso/one"})),
        )  # fmt: skip

    def answered(self, key: str = "k") -> str:
        """A run whose answer wants both."""
        return self.bench.plan(self.bench.ask(key, stages=[])).id

    def hand_in(self, key: str, run: str, secret: str, *, user: str = "U1", name: str = "token") -> Outcome:
        return self.bench.desk.hand_in(key, run, name, user, Secret(secret))

    def sign_in(self, key: str, run: str, *, user: str = "U1", name: str = "sign-in") -> Outcome:
        return self.bench.desk.sign_in(key, run, name, user)

    @property
    def held(self) -> str | None:
        found = self.safe.find(self.INTO.path, self.INTO.field)
        return None if found is None else found.reveal()

    def told(self, user: str = "U1") -> list[str]:
        """What was told this person alone."""
        query = sa.select(messages.message).where(messages.message.c.channel == user)
        return [row.note["text"] for row in self.bench.shop.read(lambda conn: conn.execute(query).all())]


@pytest.fixture
def make_wanting() -> type[Wanting]:
    """For benches of the test's own."""
    return Wanting


@pytest.fixture
def wanting(bench: Bench, canary: Callable[[str], str]) -> Wanting:
    """An engine by hand whose answer wants secrets."""
    return Wanting(bench, canary)
