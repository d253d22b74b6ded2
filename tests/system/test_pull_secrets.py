"""ECR pull secrets refreshed by the real bot, asked for in Slack, and killed where it hurts."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from playground.kubernetes_kinds import DEPLOYMENT, SECRET

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

Start = Callable[..., Any]


@pytest.fixture
def scene(started: Start, watched: Callable[[Any], Any], canary: Any) -> Any:
    """All pods run; the logins end within the hour, and none of them may be found anywhere afterwards."""
    made = watched(started(1, name="pull secrets"))
    made.demo.pulls.start_over()
    yield made
    for password in made.demo.pulls.aws._passwords:
        canary.add("password", password)
    for cluster in made.demo.pulls.clusters.values():
        cluster.on_write = cluster.on_request = None


def refresh(scene: Any, system: Any, text: str = "dev") -> str:
    run = str(scene.ask(text=text, command="/refresh-ecr"))
    system.until(lambda: scene.button(run, "approve"), 60, lambda: scene.about(run))
    return run


def wrote(scene: Any, verb: str, name: str) -> int:
    """How often that was written in cluster dev, backups apart."""
    log = list(scene.demo.pulls.clusters["rosa-dev"].log)
    return len([one for one in log if one.verb == verb and one.path.endswith(f"/{name}") and one.status < 300])


def ran(scene: Any) -> bool:
    """Do all pods of cf-dev run?"""
    cluster = scene.demo.pulls.clusters["rosa-dev"]
    found = [cluster.get(DEPLOYMENT, name, "cf-dev") for name in ("frontend", "naming-server-new")]
    return all(one["status"].get("availableReplicas") == 2 for one in found)


def done_once(scene: Any, run: str, *, written: int, restarted: int) -> str:
    report = scene.ended(run, "done")
    assert wrote(scene, "update", "ecr-secret") == written + 1, scene.about(run)
    assert wrote(scene, "patch", "frontend") == restarted + 1
    assert ran(scene)
    assert len(scene.heads(run)) == 1
    scene.sound()
    return str(report)


def test_a_refresh_in_slack(scene: Any, system: Any) -> None:
    """The plan names what is due and what restarts; after the approval the pods pull, the report tells the next
    refresh, and asking again finds nothing to do."""
    scene.demo.pulls.expire()
    system.until(lambda: not ran(scene))
    written, restarted = wrote(scene, "update", "ecr-secret"), wrote(scene, "patch", "frontend")
    run = refresh(scene, system)
    assert "Refresh 1 ECR pull secret and restart 2 Deployments" in scene.text(run)
    assert wrote(scene, "update", "ecr-secret") == written
    scene.approve(run)
    report = done_once(scene, run, written=written, restarted=restarted)
    assert "Next refresh needed" in report
    again = scene.ask(text="dev", command="/refresh-ecr")
    assert "Fresh, nothing to do" in scene.ended(again, "answered")
    system.until(lambda: "dev/cf-dev/ecr-secret" in scene.line("inventory").stdout, 30)


def test_killed_between_writing_and_restarting(scene: Any, system: Any) -> None:
    """Killed when the secret was written and before it hears so, the bot goes on with the restart, and writes nothing
    again."""
    cluster, killed = scene.demo.pulls.clusters["rosa-dev"], threading.Event()
    run = refresh(scene, system)
    written, restarted = wrote(scene, "update", "ecr-secret"), wrote(scene, "patch", "frontend")

    def kill(entry: Any, when: str) -> None:
        if entry.verb == "update" and when == "after" and not killed.is_set():
            killed.set()
            scene.demo.bot.kill()

    cluster.on_write = kill
    scene.approve(run)
    assert killed.wait(60), scene.about(run)
    done_once(scene, run, written=written, restarted=restarted)
    secret = cluster.get(SECRET, "ecr-secret", "cf-dev")
    assert secret["metadata"]["annotations"]["hivekeeper/run"] == run


def test_killed_in_a_rollout(scene: Any, system: Any) -> None:
    """Killed while it watches, the bot goes on watching, and restarts nothing a second time."""
    cluster, killed = scene.demo.pulls.clusters["rosa-dev"], threading.Event()
    run = refresh(scene, system)
    written, restarted = wrote(scene, "update", "ecr-secret"), wrote(scene, "patch", "frontend")

    def kill(entry: Any) -> None:
        watching = scene.rows("SELECT 1 FROM run_step WHERE run = :run AND stage = 2 AND state = 'running'", run=run)
        if watching and not killed.is_set():
            killed.set()
            scene.demo.bot.kill()

    cluster.on_request = kill
    scene.approve(run)
    assert killed.wait(60), scene.about(run)
    done_once(scene, run, written=written, restarted=restarted)
