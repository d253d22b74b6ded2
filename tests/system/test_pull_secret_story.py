"""Clusters that change their owner, from Slack to the last machine; killed where it hurts, and with OCM away."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Callable
from typing import Any

import pytest

from playground.kubernetes_kinds import MACHINE_CONFIG_POOL, SECRET
from playground.pull_secrets import DEV, PROD
from playground.transfers import KEPT, MIRROR, NAME, NAMESPACE, cluster_id

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

KILLS = [("before it writes", "before", 1), ("after it wrote", "after", 1), ("while OCM is asked", "asked", 1)]


def impatient(settings: dict[str, Any]) -> None:
    """The inventory looks every few seconds, and asks OCM each time; machines are given six seconds."""
    settings["inventory"] = {"every_minutes": 0.1}
    for cluster in settings["commands"]["pull-secret"]["settings"]["clusters"].values():
        cluster |= {"interval_hours": 0.0001, "watch_minutes": 0.1}


@pytest.fixture
def scene(started: Callable[..., Any], watched: Callable[[Any], Any], canary: Any) -> Any:
    """Every cluster is its first owner's. No login that was ever given out may be found anywhere afterwards."""
    made = watched(started(1, name="transfers", adjust=impatient))
    made.demo.pulls.transfers.start_over()
    yield made
    for cluster in made.demo.pulls.clusters.values():
        cluster.on_write = cluster.on_request = None
    made.demo.pulls.transfers.mend()
    for number, secret in enumerate(made.demo.pulls.transfers.secrets):
        canary.add(f"pull secret {number}", secret)


def auths(scene: Any, cluster: str, name: str = NAME) -> dict[str, Any]:
    found = scene.demo.pulls.clusters[cluster].get(SECRET, name, NAMESPACE)
    return dict(json.loads(base64.b64decode(found["data"][".dockerconfigjson"]))["auths"])


def wrote(scene: Any, cluster: str) -> int:
    """How often the pull secret was written, its backup apart."""
    log = list(scene.demo.pulls.clusters[cluster].log)
    return len([one for one in log if one.verb == "update" and one.path.endswith(f"/{NAME}") and one.status < 300])


def offered(scene: Any, cluster: str) -> dict[str, Any]:
    """The pull secret that a new transfer brings."""
    transfers = scene.demo.pulls.transfers
    transfers.transfer(cluster)
    return dict(json.loads(transfers.ocm.accepted(cluster_id(cluster))[0].document)["auths"])


def proposed(scene: Any, system: Any, cluster: str) -> str:
    run = str(scene.ask(text=f"sync {cluster}", command="/pull-secret"))
    system.until(lambda: scene.button(run, "approve"), 60, lambda: scene.about(run))
    return run


def synced(scene: Any, run: str, cluster: str, before: dict[str, Any], new: dict[str, Any], writes: int) -> str:
    """Done, written once; OCM's logins came beside the owner's own."""
    report = str(scene.ended(run, "done"))
    assert wrote(scene, cluster) == writes + 1, scene.about(run)
    assert auths(scene, cluster) == {**new, MIRROR: before[MIRROR]}
    assert auths(scene, cluster, KEPT) == before
    assert len(scene.heads(run)) == 1
    scene.sound()
    return report


def test_from_the_transfer_to_the_last_machine(scene: Any, system: Any) -> None:
    """Checked, planned, approved; killed while the machines take it, the bot goes on watching, and every pool has it."""
    before, writes, prod = auths(scene, PROD), wrote(scene, PROD), scene.demo.pulls.clusters[PROD]
    new, killed = offered(scene, PROD), threading.Event()
    checked = scene.ended(scene.ask(text=f"check {PROD}", command="/pull-secret"), "answered")
    for words in ("1 transfer open", "joe → jack", "47 h", "2 replaced, 1 added", "2 logins accepted"):
        assert words in checked
    run = proposed(scene, system, PROD)
    assert wrote(scene, PROD) == writes
    watching = "SELECT 1 FROM run_step WHERE run = :run AND stage = 2 AND state = 'running'"

    def kill(_: Any) -> None:
        if not killed.is_set() and scene.rows(watching, run=run):
            killed.set()
            scene.demo.bot.kill()

    prod.on_request = kill
    scene.approve(run)
    assert killed.wait(60), scene.about(run)
    report = synced(scene, run, PROD, before, new, writes)
    assert "master all 3; worker all 2" in report
    pools = [prod.get(MACHINE_CONFIG_POOL, name)["status"] for name in ("master", "worker")]
    assert [one["updatedMachineCount"] for one in pools] == [3, 2]
    assert "Nothing to do" in scene.ended(scene.ask(text=f"sync {PROD}", command="/pull-secret"), "answered")


@pytest.mark.parametrize(("when", "stage"), [one[1:] for one in KILLS], ids=[one[0] for one in KILLS])
def test_killed(scene: Any, system: Any, when: str, stage: int) -> None:
    """Killed at any step, the run ends as without: written once, accepted, watched."""
    before, writes, dev = auths(scene, DEV), wrote(scene, DEV), scene.demo.pulls.clusters[DEV]
    new, killed = offered(scene, DEV), threading.Event()
    run = proposed(scene, system, DEV)
    at_work = "SELECT 1 FROM run_step WHERE run = :run AND stage = :stage AND state = 'running'"

    def on_write(entry: Any, moment: str) -> None:
        if moment == when and entry.path.endswith(f"/{NAME}") and not killed.is_set():
            killed.set()
            scene.demo.bot.kill()
            if moment == "before":
                raise ConnectionAbortedError

    def on_request(_: Any) -> None:
        if when == "asked" and not killed.is_set() and scene.rows(at_work, run=run, stage=stage):
            killed.set()
            scene.demo.bot.kill()

    dev.on_write, dev.on_request = on_write, on_request
    scene.approve(run)
    assert killed.wait(60), scene.about(run)
    assert "no pools" in synced(scene, run, DEV, before, new, writes)


def test_the_window_closes_before_the_approval(scene: Any, system: Any) -> None:
    """What was shown is not there any more: nothing is written, and a new look takes the plan's place."""
    before, writes = auths(scene, DEV), wrote(scene, DEV)
    offered(scene, DEV)
    run = proposed(scene, system, DEV)
    scene.demo.pulls.transfers.end(DEV)
    scene.approve(run)
    assert "Things moved since this plan was shown" in scene.ended(run, "superseded")
    after = scene.rows("SELECT superseded_by FROM run WHERE id = :run", run=run)[0][0]
    assert "Nothing to do" in scene.ended(after, "answered")
    assert (auths(scene, DEV), wrote(scene, DEV)) == (before, writes)
    scene.sound()


def states(scene: Any) -> set[str]:
    """How the inventory has the clusters."""
    rows = scene.rows("SELECT credential FROM holding WHERE command = 'pull-secret'")
    return {json.loads(row[0])["state"] for row in rows}


def test_ocm_is_away(scene: Any, system: Any) -> None:
    """Nobody is told that all is well: degraded, on App Home and at the terminal, until OCM is back."""
    system.until(lambda: states(scene) == {"fresh"}, 30, scene.log)
    scene.demo.pulls.transfers.down()
    system.until(lambda: states(scene) == {"degraded"}, 30, scene.log)
    assert "degraded" in scene.line("inventory").stdout
    scene.space.homes.pop(system.ASKER, None)
    scene.post(system.ASKER, "home")
    home = json.dumps(system.until(lambda: scene.space.homes.get(system.ASKER)))
    assert f"{PROD}/pull-secret" in home
    assert "degraded" in home
    asked = scene.ask(text="status", command="/pull-secret")
    assert "Trouble with 2 of 2 clusters" in scene.ended(asked, "answered")
    scene.demo.pulls.transfers.mend()
    system.until(lambda: states(scene) == {"fresh"}, 30, scene.log)
