"""A program for a test: stop an engine while a step runs, start it again, and see the run end."""

from __future__ import annotations

import importlib.util
import sys
import threading
import time
from pathlib import Path
from typing import Any

from cryptography.fernet import Fernet

from bot.core.handler import HandlerSettings
from bot.core.intake import Decision, Request
from bot.engine import desk
from bot.settings import parse

spec = importlib.util.spec_from_file_location("engine_world", Path(__file__).with_name("world.py"))
assert spec
assert spec.loader
world: Any = importlib.util.module_from_spec(spec)
sys.modules["engine_world"] = world
spec.loader.exec_module(world)
world.die_with_parent()

folder, key = Path(sys.argv[1]), Fernet.generate_key()
reached, go_on, mood = threading.Event(), threading.Event(), world.mood


def begin() -> desk.Running:
    return desk.start(
        parse(world.document(folder), "world"), {"world": world.HANDLER}, {"world": HandlerSettings()},
        world.tools(), world.tools(), world.Friends(), None, cipher=Fernet(key),
    )  # fmt: skip


def wait_in_b(where: str, name: str, verb: str) -> None:
    if (name, verb) == ("b", "do"):
        reached.set()
        go_on.wait(60)
    mood(where, name, verb)


def state(running: desk.Running, run: str) -> str:
    view = running.desk.run(run)
    assert view is not None
    return view.state.value


def until(running: desk.Running, run: str, wanted: str) -> None:
    deadline = time.monotonic() + 60
    while state(running, run) != wanted:
        assert time.monotonic() < deadline, state(running, run)
        time.sleep(0.02)


world.mood = wait_in_b
first = begin()
run = first.desk.ask(
    Request(key="k", command="world", ask={"folder": str(folder), "stages": [["a"], ["b"], ["c"]]}, asker="U1")
)
until(first, run, "proposed")
first.desk.decide(Decision(key="d", run=run, verdict="approve", user="U2"))
assert reached.wait(60)
stopping = threading.Thread(target=first.stop)
stopping.start()
time.sleep(0)
go_on.set()
stopping.join(30)
assert not stopping.is_alive()
left = world.lines(str(folder))
assert [name for name, _ in left] == ["a", "b"], left
world.mood = mood
second = begin()
assert state(second, run) in ("applying", "done"), state(second, run)
until(second, run, "done")
second.stop()
