"""The same on PostgreSQL, where several replicas may share the work and a dead one's work is taken over."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from playground.world import CONFIG, HANDOVER

pytestmark = pytest.mark.slow

Start = Callable[..., Any]


@pytest.fixture
def scene(started: Start, watched: Callable[[Any], Any], postgresql: str) -> Any:
    return watched(started(2, store=postgresql))


def test_hand_over(scene: Any, system: Any) -> None:
    """The story ends as on SQLite."""
    run, since = scene.proposed(), scene.asked
    assert "may not decide" in scene.type(system.NEWCOMER, "/hivekeeper", f"approve {run}")
    scene.approve(run)
    scene.once(run, since)
    assert scene.line("audit", "verify").returncode == 0


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("path", [HANDOVER, CONFIG])
def test_killed_at_a_write(path: str, when: str, scene: Any, kills: Any) -> None:
    """Killed at a write, the run is taken over when the dead replica's time is up, and each write happened once."""
    run, since, before = scene.proposed(), scene.asked, scene.versions()
    killed = kills.at(scene, path, when)
    scene.approve(run)
    assert killed.wait(60), scene.about(run)
    kills.age_the_dead(scene)
    scene.once(run, since)
    assert scene.versions() == [number + 1 for number in before]
