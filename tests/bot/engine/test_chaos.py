"""Killed anywhere, started again: every effect once, the right end, an unbroken audit, and the message says so.

Plans are generated. First a run that nobody kills counts the places where it could be; then the bot is killed with
SIGKILL at such a place (a step boundary, inside a step before or after its write, inside an undo, around a post to
Slack) or at a moment drawn by chance, and started again until the run has ended.
"""

from __future__ import annotations

import json
import os
import random
import shutil
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet

from bot.core.view import RunView, State
from bot.engine import audit, store
from bot.settings import parse
from tests.bot.engine.zygote import Zygote

pytestmark = pytest.mark.slow
KILLED = -9
PLACES = int(os.environ.get("HIVEKEEPER_CHAOS", "4"))  # per plan; more of them take a while


def generated(seed: int) -> dict[str, Any]:
    """A plan, and the moods that make its steps fail, from a seed."""
    chance = random.Random(seed)
    sizes = [chance.randint(1, 3) for _ in range(chance.randint(1, 3))]
    names = iter(f"s{n}" + ("!" if chance.random() < 0.2 else "") for n in range(sum(sizes)))
    stages = [[next(names) for _ in range(size)] for size in sizes]
    flat = [name.rstrip("!") for stage in stages for name in stage]
    moods = {}
    for name in flat:
        if chance.random() < 0.25:
            verb = chance.choice(["do", "after", "do"])
            moods[f"mood-{verb}-{name}"] = chance.choice(["refused", "transient 1", "transient 2", "boom"])
    before = [name for name in flat if chance.random() < 0.15]
    on_failure = chance.choice(["undo", "undo", "stop", "go_on"])
    return {"stages": stages, "on_failure": on_failure, "moods": moods, "before": before}


def prepared(folder: Path, plan: dict[str, Any], world: Any, store: Path | None = None) -> dict[str, Any]:
    """A fresh world for a plan, and the order to run it; with a store that is there already, or none yet."""
    folder.mkdir(parents=True)
    if store:
        (folder / "data").mkdir(mode=0o700)
        shutil.copy(store, folder / "data")
    for name, text in plan["moods"].items():
        (folder / name).write_text(text)
    for name in plan["before"]:
        world.add(str(folder), name, "before")
    ask = {"folder": str(folder), "stages": plan["stages"], "on_failure": plan["on_failure"]}
    return {"folder": str(folder), "ask": ask, "key": Fernet.generate_key().decode(), "kill": 0}


def ended(folder: Path) -> RunView:
    document = json.loads((folder / "outcome").read_text())
    return RunView.model_validate(document | {"plan": None})  # its steps' classes are the program's


def check(folder: Path, plan: dict[str, Any], world: Any) -> RunView:
    """All that must hold after the end, however often the bot was killed on the way."""
    view = ended(folder)
    lines = world.lines(str(folder))
    written = dict(lines)
    assert len(written) == len(lines), "an effect happened twice"
    steps = {step.says.removeprefix("write "): step for step in view.steps}
    for name, step in steps.items():
        expected = {"already": "before", "done": view.id}.get(step.state)
        assert written.get(name) == expected or step.state == "failed", (name, step, lines)
        assert step.state != "failed" or not step.reversible or plan["on_failure"] != "undo"
        assert step.state != "running"
    assert {name for name, who in lines if who == "before"} == set(plan["before"]), "what was so before was touched"
    assert_end(view)
    settings = parse(world.document(folder), "world")
    engine = store.connect(settings)
    assert audit.verify(engine).ok
    shown = json.loads((folder / "slack" / f"{view.id}_head").read_text())
    assert (shown["state"], shown["revision"]) == (view.state, view.revision)
    engine.dispose()
    return view


def assert_end(view: RunView) -> None:
    good = [step.state in ("done", "already") for step in view.steps]
    if all(good):
        assert view.state in (State.DONE, State.ANSWERED)
    else:
        assert view.state in (State.UNDONE, State.STOPPED, State.PARTLY)
        assert view.trouble
    reported = view.report is not None and bool(view.report.notes)
    assert reported or view.state not in (State.DONE, State.PARTLY)
    assert not any(step.progress for step in view.steps)
    if view.state == State.UNDONE:
        assert view.report is None
        assert not any(step.state == "done" for step in view.steps)


@pytest.mark.timeout(400)
@pytest.mark.parametrize("seed", range(5))
def test_killed_at_any_place_it_ends_the_same(
    zygote: Zygote, world: Any, tmp_path: Path, empty_store: Path, seed: int
) -> None:
    """At each place in turn (so many of them per plan as PLACES says, drawn by chance): the end is the one without a kill."""
    plan = generated(seed)
    order = prepared(tmp_path / "calm", plan, world, empty_store)
    assert zygote.run(**order) == 0
    calm = check(tmp_path / "calm", plan, world)
    events = int((tmp_path / "calm" / "events").read_text())
    places = range(1, events + 1)
    for kill in sorted(random.Random(seed).sample(places, min(events, PLACES))):
        folder = tmp_path / f"kill-{kill}"
        order = prepared(folder, plan, world, empty_store)
        first = zygote.run(**order | {"kill": kill})
        assert first in (KILLED, 0)  # side by side, a run can need an event less
        if first == KILLED:
            assert zygote.run(**order) == 0
        view = check(folder, plan, world)
        assert same_end(view, calm, plan), (kill, view.state, calm.state)


def same_end(view: RunView, calm: RunView, plan: dict[str, Any]) -> bool:
    """A step that fails and one beside it may or may not both begin: then the states may differ, not the checks."""
    racing = any(len(stage) > 1 for stage in plan["stages"]) or any("transient" in m for m in plan["moods"].values())
    return racing or view.state == calm.state


@pytest.mark.timeout(400)
@pytest.mark.parametrize("seed", range(100, 103))
def test_killed_at_any_moment_again_and_again(zygote: Zygote, world: Any, tmp_path: Path, seed: int) -> None:
    """Moments drawn by chance hit the transactions between the steps too; five times in one run."""
    chance, plan = random.Random(seed), generated(seed)
    order = prepared(tmp_path / "world", plan, world)
    for _ in range(5):
        if zygote.run(**order | {"after": chance.uniform(0.05, 0.7)}) == 0:
            break
    else:
        assert zygote.run(**order) == 0
    check(tmp_path / "world", plan, world)
