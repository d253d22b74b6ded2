"""The world of the engine's tests, and engines by hand on fresh copies of a store."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest
from cryptography.fernet import Fernet

from bot.engine import desk, store
from bot.settings import Settings, parse
from tests.bot.engine.bench import Bench
from tests.bot.engine.hourly import Hourly
from tests.bot.engine.story import Story
from tests.bot.engine.wanting import Wanting
from tests.bot.engine.zygote import Zygote

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


@pytest.fixture
def story(bench: Bench) -> Story:
    """An engine by hand that answers alerts."""
    return Story(bench)


@pytest.fixture
def make_wanting() -> type[Wanting]:
    """For benches of the test's own."""
    return Wanting


@pytest.fixture
def wanting(bench: Bench, canary: Callable[[str], str]) -> Wanting:
    """An engine by hand whose answer wants secrets."""
    return Wanting(bench, canary)


@pytest.fixture
def hourly(bench: Bench) -> Hourly:
    """An engine by hand with an hourly schedule under a standing approval."""
    return Hourly(bench)


@pytest.fixture(scope="module")
def zygote() -> Iterator[Zygote]:
    """Forks bots, each of which carries out an order."""
    program = Zygote()
    yield program
    program.close()
