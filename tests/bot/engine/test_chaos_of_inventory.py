"""Killed while it looks after credentials, the bot looks again, and asks once for what cannot wait."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet

from bot.core.handler import HandlerSettings
from bot.engine import audit, desk, store
from bot.settings import parse
from tests.bot.engine.zygote import Zygote

pytestmark = [pytest.mark.slow, pytest.mark.timeout(200)]
KILLED = -9
Run = Callable[[dict[str, Any]], int]


@pytest.fixture(scope="module")
def run(zygote: Zygote) -> Run:
    return lambda order: zygote.run(**order)


def order(folder: Path) -> dict[str, Any]:
    folder.mkdir()
    return {"folder": str(folder), "keeps": True, "ask": {}, "key": Fernet.generate_key().decode(), "kill": 0}


def check(folder: Path, world: Any) -> None:
    """It was looked at; one run came of it, with one message; the schedule's tick stays; the audit is whole."""
    assert json.loads((folder / "outcome").read_text()) == ["dev/a"]
    assert [path.name.endswith("_head") for path in (folder / "slack").iterdir()] == [True]
    settings = parse(world.document(folder) | {"schedules": world.KEEPER_PLANS}, "world")
    beside = desk.submit_only(settings, {"world": world.KEEPER}, {"world": HandlerSettings()}, world.Friends(),
                              cipher=Fernet(Fernet.generate_key()))  # fmt: skip
    try:
        (view,), (plan,) = beside.desk.runs(), beside.desk.schedules()
        assert (view.asker, plan.last_run) == ("schedule:world", view.id)
        assert plan.last_at is not None
        assert plan.next_at > plan.last_at
        with store.reading(beside.store) as conn:
            whats = [entry.what for entry in audit.entries(conn, limit=100, run=view.id)]
        assert sorted(whats) == ["asked", "fired_early", "proposed"]
        assert audit.verify(beside.store).ok
    finally:
        beside.stop()


def test_killed_while_it_looks_or_tells(run: Run, world: Any, tmp_path: Path) -> None:
    """In the look (which then comes again), and before and after the post to Slack."""
    assert run(order(tmp_path / "calm")) == 0
    check(tmp_path / "calm", world)
    for kill in (1, 3):
        folder = tmp_path / f"kill-{kill}"
        document = order(folder)
        if run(document | {"kill": kill}) == KILLED:
            assert run(document) == 0
        check(folder, world)


def test_killed_at_any_moment_again_and_again(run: Run, world: Any, tmp_path: Path) -> None:
    """Moments drawn by chance hit the transactions too."""
    chance, document = random.Random(7), order(tmp_path / "world")
    for _ in range(5):
        if run(document | {"after": chance.uniform(0.3, 2.0)}) == 0:
            break
    else:
        assert run(document) == 0
    check(tmp_path / "world", world)
