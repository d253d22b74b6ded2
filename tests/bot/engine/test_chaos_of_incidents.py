"""Killed anywhere between the alert and its end, the bot goes on with the same story in the same thread."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet

from bot.core.incident import IncidentView
from bot.engine import audit, store
from bot.settings import parse
from tests.bot.engine.zygote import Zygote

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]
KILLED = -9
PLACES = int(os.environ.get("HIVEKEEPER_CHAOS", "4"))
Run = Callable[[dict[str, Any]], int]


@pytest.fixture(scope="module")
def run(zygote: Zygote) -> Run:
    return lambda order: zygote.run(**order)


def order(folder: Path) -> dict[str, Any]:
    folder.mkdir()
    return {"folder": str(folder), "alarm": True, "ask": {}, "key": Fernet.generate_key().decode(), "kill": 0}


def check(folder: Path, world: Any) -> None:
    """One incident with one message; what changed and that it ended are told once each; the audit is whole."""
    view = IncidentView.model_validate_json((folder / "outcome").read_text())
    files = sorted(path.name for path in (folder / "slack").iterdir())
    assert {name.split("_")[0] for name in files} == {view.id}
    assert files.count(f"{view.id}_head") == 1
    told = [json.loads((folder / "slack" / name).read_text())["text"] for name in files if "_note-" in name]
    assert len(told) == 2
    assert any(text.startswith("Now good (silent)") for text in told)
    assert any("closed" in text for text in told)
    assert json.loads((folder / "slack" / f"{view.id}_head").read_text())["state"] == "closed"
    engine = store.connect(parse(world.document(folder), "world"))
    assert audit.verify(engine).ok
    with store.reading(engine) as conn:
        whats = [entry.what for entry in audit.entries(conn, limit=100, run=view.id)]
    assert whats == ["incident_opened", "diagnosed", "diagnosed", "incident_closed"]
    engine.dispose()


def test_killed_at_any_place_the_story_goes_on(run: Run, world: Any, tmp_path: Path) -> None:
    """While a handler looks, and before and after every call to Slack."""
    assert run(order(tmp_path / "calm")) == 0
    check(tmp_path / "calm", world)
    events = int((tmp_path / "calm" / "events").read_text())
    for kill in sorted(random.Random(3).sample(range(1, events + 1), min(events, PLACES))):
        folder = tmp_path / f"kill-{kill}"
        document = order(folder)
        if run(document | {"kill": kill}) == KILLED:
            assert run(document) == 0
        check(folder, world)


@pytest.mark.parametrize("seed", range(3))
def test_killed_at_any_moment_again_and_again(run: Run, world: Any, tmp_path: Path, seed: int) -> None:
    """Moments drawn by chance hit the transactions too."""
    chance, document = random.Random(seed), order(tmp_path / "world")
    for _ in range(5):
        if run(document | {"after": chance.uniform(0.05, 0.8)}) == 0:
            break
    else:
        assert run(document) == 0
    check(tmp_path / "world", world)
