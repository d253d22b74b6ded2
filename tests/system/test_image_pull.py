"""Why pods cannot pull, asked for in Slack, and a test pull by the real bot, killed where it hurts."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from playground.kubernetes_kinds import POD

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

Start = Callable[..., Any]


@pytest.fixture
def scene(started: Start, watched: Callable[[Any], Any], canary: Any) -> Any:
    """All pods run. No login may be found anywhere afterwards."""
    made = watched(started(1, name="image pull"))
    made.demo.pulls.start_over()
    yield made
    for password in made.demo.pulls.aws._passwords:
        canary.add("password", password)
    for cluster in made.demo.pulls.clusters.values():
        cluster.on_write = cluster.on_request = None


def dev(scene: Any) -> Any:
    return scene.demo.pulls.clusters["rosa-dev"]


def trial_pods(scene: Any) -> list[str]:
    pods = dev(scene).store.all(POD, "cf-dev")
    return [one["metadata"]["name"] for one in pods if "hivekeeper/test-pull" in one["metadata"].get("labels", {})]


def created(scene: Any) -> int:
    log = list(dev(scene).log)
    return len([one for one in log if one.verb == "create" and one.path.endswith("/pods") and one.status < 300])


def propose(scene: Any, system: Any) -> str:
    run = str(scene.ask(text="dev", command="/test-pull"))
    system.until(lambda: scene.button(run, "approve"), 60, lambda: scene.about(run))
    return run


def test_from_trouble_to_cure(scene: Any, system: Any) -> None:
    """The login ends and the pods move: the answer names it, and offers the refresh of just this secret."""
    scene.demo.pulls.expire()

    def told() -> str:
        run = scene.ask(text="cf-dev", command="/diagnose-image-pull")
        return str(scene.ended(run, "answered"))

    text = system.until(lambda: found if "has expired" in (found := told()) else "", 60)
    assert "they need no restart" in text
    assert "Refresh dev/cf-dev" in text


def test_killed_with_the_pod_there(scene: Any, system: Any) -> None:
    """Killed when the pod is made and before it hears so, the bot makes no second one, watches it, and removes it."""
    cluster, killed, before = dev(scene), threading.Event(), created(scene)
    run = propose(scene, system)
    assert trial_pods(scene) == []

    def kill(entry: Any, when: str) -> None:
        if entry.verb == "create" and entry.path.endswith("/pods") and when == "after" and not killed.is_set():
            killed.set()
            scene.demo.bot.kill()

    cluster.on_write = kill
    scene.approve(run)
    assert killed.wait(60), scene.about(run)
    assert len(trial_pods(scene)) == 1
    scene.ended(run, "done")
    assert (created(scene), trial_pods(scene)) == (before + 1, [])
    scene.sound()


def test_killed_while_it_fails(scene: Any, system: Any) -> None:
    """The login has ended: killed while it watches, the bot still tells why, and removes the pod."""
    cluster, killed = dev(scene), threading.Event()
    scene.demo.pulls.expire()
    run = propose(scene, system)

    def kill(entry: Any) -> None:
        watching = scene.rows("SELECT 1 FROM run_step WHERE run = :run AND stage = 1 AND state = 'running'", run=run)
        if watching and not killed.is_set():
            killed.set()
            scene.demo.bot.kill()

    cluster.on_request = kill
    scene.approve(run)
    assert killed.wait(60), scene.about(run)
    assert "has expired" in scene.ended(run, "undone")
    assert trial_pods(scene) == []
    scene.sound()
