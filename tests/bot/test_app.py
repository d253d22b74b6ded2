"""What the composition root puts together for a command that is only looked at."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from bot import app
from bot.core.handler import Ask, Handler, HandlerSettings
from bot.core.plan import Answer
from bot.core.ports import ReadTools
from bot.engine import schema, store
from bot.engine.records import StoredRecords
from bot.settings import Settings, parse


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """With one command, /recall, that looks up what is remembered unless it is told not to."""
    handler = Handler("recall", "Recall", Recall, HandlerSettings, plan, ())
    monkeypatch.setattr(app, "HANDLERS", (handler,))
    return parse({"data_dir": str(tmp_path / "data"), "commands": {"recall": {}}}, "test")


class Recall(Ask):
    key: str = "nova"


def plan(ask: Any, settings: Any, tools: ReadTools) -> Answer:
    if not ask.key:
        return Answer(command="recall", title="not asked")
    assert not hasattr(tools.records, "put")
    found = tools.records.get("uid", ask.key)
    return Answer(command="recall", title=str(found.value if found else "nothing"))


def test_a_look_recalls_what_the_bot_remembers(settings: Settings) -> None:
    """Also before the bot has ever run."""
    assert app.look(settings, "recall", "") == Answer(command="recall", title="nothing")
    engine = store.connect(settings)
    schema.migrate(engine)
    StoredRecords(lambda: engine, lambda: 1.0, threading.Semaphore(1)).put("uid", "nova", {"uid": 1}, run="r-1")
    assert app.look(settings, "/recall", "") == Answer(command="recall", title="{'uid': 1}")
    engine.dispose()


def test_a_look_that_recalls_nothing_needs_no_store(settings: Settings, tmp_path: Path) -> None:
    """No file is made for it."""
    assert app.look(settings, "recall", "key=''").title == "not asked"
    assert not (tmp_path / "data" / "hivekeeper.sqlite").exists()
