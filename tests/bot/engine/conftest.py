"""The world of the engine's tests, and an engine without its executor: a workshop on a fresh copy of a store."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from cryptography.fernet import Fernet

from bot.core.handler import HandlerSettings
from bot.core.intake import Decision, Outcome, Request
from bot.core.view import RunView, State
from bot.engine import applying, desk, planning, store
from bot.engine.durable import Queues
from bot.engine.workshop import Patience, Workshop
from bot.settings import Settings, parse

QUICK = Patience(attempts=3, first=0.001, most=0.002)


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


class Bench:
    """An engine by hand: the works are called by the test, and time stands still until the test moves it."""

    def __init__(self, world: ModuleType, folder: Path, settings: Settings) -> None:
        self.now = 1_000_000.0
        self.folder, self.world = folder, world
        engine = store.connect(settings)
        tools = world.tools(lambda: self.now)
        self.shop = Workshop(
            engine, Queues(engine, Fernet(Fernet.generate_key())), settings, {"world": world.HANDLER},
            {"world": HandlerSettings()}, tools, tools, world.Friends(), lambda: self.now, QUICK,
        )  # fmt: skip
        self.desk = desk.StoredDesk(self.shop)

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
