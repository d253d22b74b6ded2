"""What was approved is what runs: also when the code, or the world, has moved since the plan was shown."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from playground.world import CONFIG, HANDOVER

pytestmark = pytest.mark.slow

Start = Callable[..., Any]
ROOT = Path(__file__).parents[2]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A copy of the bot's source that a test may edit."""
    for package in ("bot", "handlers"):
        shutil.copytree(ROOT / package, tmp_path / "source" / package, ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path / "source"


def edit(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert text.count(old) == 1, f"{file.name} has changed: edit another place"
    file.write_text(text.replace(old, new))


def test_the_old_plan_runs_on_new_code(source: Path, started: Start, watched: Callable[[Any], Any]) -> None:
    """Edited while a plan waits, the handler would plan only the hand-over; approved, the plan as shown is what runs."""
    scene = watched(started(1, environment={"PYTHONPATH": str(source)}, name="copy"))
    run, steps = scene.proposed(), "SELECT says FROM run_step WHERE run = :run ORDER BY stage, place"
    shown, planned = scene.text(run), scene.rows(steps, run=run)
    scene.demo.bot.hold()
    handler = source / "handlers" / "rotate_hive_tokens.py"
    edit(handler, 'title=f"Hand {stale} hive', 'title=f"Deployed since: {stale} hive')
    edit(handler, "steps = (hand_over(settings, found), patch(", "steps = (hand_over(settings, found),) or (patch(")
    scene.demo.bot.start()
    scene.connected()
    since = scene.asked
    second = scene.proposed()
    assert "Deployed since" in scene.text(second), "the new code is at work"
    assert len(scene.rows(steps, run=second)) == 1
    assert scene.text(run) == shown
    scene.approve(run)
    scene.once(run, since)
    assert scene.rows(steps, run=run) == planned
    assert "Deployed since" not in scene.text(run)


def test_drift(started: Start, watched: Callable[[Any], Any], system: Any) -> None:
    """The config was edited while the plan waited: nothing is written, a new plan takes its place and keeps the edit."""
    scene = watched(started(1))
    run, since = scene.proposed(), scene.asked
    stale = scene.button(run, "approve")
    scene.post(system.ASKER, "scenario", name="edit-config")
    scene.approve(run)
    told = scene.ended(run, "superseded")
    assert scene.writes(since) == []
    assert scene.button(run, "approve") is None
    new = scene.rows("SELECT superseded_by FROM run WHERE id = :run", run=run)[0][0]
    assert new in told
    system.until(lambda: scene.button(new, "approve"), 30, lambda: scene.about(new))
    before = len(scene.told(system.OWNER))
    scene.press(system.OWNER, stale, stale=True)
    system.until(lambda: scene.told(system.OWNER)[before:])
    assert "newer plan stands in this one's place" in scene.told(system.OWNER)[-1]
    assert scene.state(new) == "proposed"
    edits = scene.config().splitlines()[-2:]
    scene.approve(new)
    scene.once(new, since)
    assert scene.config().splitlines()[-2:] == edits == ["# edited by hand, 1", "feature_1: true"]


def test_edited_while_it_writes(started: Start, watched: Callable[[Any], Any], system: Any) -> None:
    """The config is edited after the first write: it is put back, and nobody's edit is overwritten."""
    scene = watched(started(2))
    run, since = scene.proposed(), scene.asked

    def meddle(path: str, when: str) -> None:
        if (path, when) == ("sd-uhc/data/sandbox-tokens", "after"):
            scene.vault.on_write = None
            scene.world.edit_config()

    scene.vault.on_write = meddle
    before = scene.vault.get(HANDOVER)
    scene.approve(run)
    told = scene.ended(run, "undone")
    assert "has changed since the plan was shown" in told
    assert scene.vault.get(HANDOVER) == before
    assert CONFIG not in scene.writes(since)
    again = scene.proposed()
    scene.approve(again)
    scene.ended(again, "done")
    assert scene.handed_over()
    assert "feature_1: true" in scene.config()
    scene.sound()
