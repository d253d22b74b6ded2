"""A schedule under a standing approval, as the channel sees it: nothing, the trouble, that it is over, nothing."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from playground.kubernetes_answers import Answer, status
from playground.kubernetes_faults import Fault
from playground.kubernetes_kinds import SECRET
from playground.people import ONCALL_CHANNEL
from playground.pull_secrets import DEV, EXPIRES, REGISTRY, WRITTEN

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

ASK = {"env": ["dev"], "restart": False}


def yearly(settings: dict[str, Any]) -> None:
    """It fires when the test says so."""
    one = {**settings["schedules"]["ecr"], "ask": ASK, "every_minutes": 525600, "jitter_minutes": 0, "catch_up": False}
    settings["schedules"] = {"ecr": one}
    settings["standing"] = {"ecr": {**settings["standing"]["ecr"], "ask": ASK}}


@pytest.fixture
def scene(started: Callable[..., Any], watched: Callable[[Any], Any]) -> Any:
    made = watched(started(1, name="quiet", adjust=yearly))
    made.demo.pulls.start_over()
    return made


def no() -> Answer:
    return status(403, "Forbidden", 'secrets "ecr-secret" is forbidden', {})


def due(scene: Any) -> None:
    """The login is ours, and ends soon."""
    now = time.time()
    written, ends = (time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at)) for at in (now - 41400, now + 1800))
    found = scene.demo.pulls.clusters[DEV].get(SECRET, "ecr-secret", "cf-dev")
    found["metadata"]["annotations"] = {WRITTEN: written, EXPIRES: ends, "hivekeeper/registry": REGISTRY}
    scene.demo.pulls.clusters[DEV].put(SECRET, found)


def fire(scene: Any, system: Any) -> str:
    """The schedule's time has come: its new run, once it has ended and Slack shows all it should."""
    due(scene)
    known = {row.id for row in scene.rows("SELECT id FROM run")}
    with scene.db.begin() as conn:
        conn.exec_driver_sql("UPDATE schedule SET next_at = 1")
    query = "SELECT id, state FROM run WHERE source = 'schedule'"
    new = system.until(
        lambda: [one for one in scene.rows(query) if one.id not in known and one.state not in system.OPEN],
        60,
        scene.log,
    )
    system.until(scene.quiet, 60, scene.log)
    return str(new[0].id)


def said(scene: Any, run: str) -> list[str]:
    """What stands in Slack of this run, oldest first: the names of its messages."""
    keys = [(one.get("metadata") or {}).get("event_payload", {}).get("key", "")
            for one in list(scene.space.messages.get(ONCALL_CHANNEL, ()))]  # fmt: skip
    return [key.removeprefix(f"{run}/") for key in keys if key.startswith(f"{run}/")]


def test_the_channel_hears_of_trouble_and_of_its_end_only(scene: Any, system: Any, kills: Any) -> None:
    """The first run is in every list and in no channel. The second one fails: it is posted whole, once, though the
    bot is killed as it posts. The third tells in one line that it is well again, the fourth nothing."""
    cluster = scene.demo.pulls.clusters[DEV]
    first = fire(scene, system)
    assert (scene.state(first), said(scene, first)) == ("done", []), scene.about(first)
    assert first in scene.type(system.ASKER, "/hivekeeper", "runs")
    assert "Refresh 1 ECR pull secret" in scene.type(system.ASKER, "/hivekeeper", f"show {first}")

    cluster.faults.add(Fault("update", "secrets", answer=no()))  # its plan is made before: it may
    killed = kills.when_slack(scene, lambda entry: entry["what"] == "chat.postMessage")
    second = fire(scene, system)
    assert killed.is_set()
    scene.connected()
    assert (scene.state(second), said(scene, second)) == ("stopped", ["head", "note-end"]), scene.about(second)
    report = scene.text(second)
    assert "rosa-dev" in report
    assert "Refresh 1 ECR pull secret" in report
    assert scene.button(second, "again")

    cluster.heal()
    third = fire(scene, system)
    assert (scene.state(third), said(scene, third)) == ("done", ["note-well"]), scene.about(third)
    told = str(scene.space.messages[ONCALL_CHANNEL][-1])
    assert "The schedule ecr is well again" in told
    assert second in told

    fourth = fire(scene, system)
    assert (scene.state(fourth), said(scene, fourth)) == ("done", []), scene.about(fourth)
    scene.sound()
