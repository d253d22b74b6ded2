"""ECR pull secrets over several clusters: in part, by schedule, and with one of the clusters away."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any

import pytest

from playground.kubernetes_kinds import SECRET
from playground.pull_secrets import CLUSTERS, EXPIRES, PROD, REGISTRY, WRITTEN

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

Start = Callable[..., Any]
YEAR = 525600  # minutes
SPACES = [(cluster, space) for cluster, spaces in CLUSTERS.items() for space in spaces]


def two_schedules(settings: dict[str, Any]) -> None:
    """Both would look after cf-dev; their next ticks are months away."""
    one = {**settings["schedules"]["ecr"], "every_minutes": YEAR, "jitter_minutes": 0}
    dev = {"env": ["dev"]}
    settings["schedules"] = {"ecr": one, "ecr-dev": {**one, "ask": dev}}
    settings["standing"]["ecr-dev"] = {**settings["standing"]["ecr"], "ask": dev}


@pytest.fixture
def scene(started: Start, watched: Callable[[Any], Any], canary: Any) -> Any:
    """All pods run with logins that somebody else wrote. No login, key or token may be found anywhere afterwards."""
    made = watched(started(1, name="ecr", adjust=two_schedules))
    pulls = made.demo.pulls
    pulls.start_over()
    for name in ("aws-key", *(f"cluster-{name}" for name in CLUSTERS)):
        canary.add(name, (made.demo.folder / name).read_text())
    yield made
    for password in pulls.aws._passwords:
        canary.add("password", password)


def wrote(scene: Any, cluster: str, space: str) -> int:
    """How often the pull secret was written, backups apart."""
    log = list(scene.demo.pulls.clusters[cluster].log)
    path = f"/namespaces/{space}/secrets/ecr-secret"
    return len([one for one in log if one.verb == "update" and one.path.endswith(path) and one.status < 300])


def written(scene: Any) -> dict[str, int]:
    return {space: wrote(scene, cluster, space) for cluster, space in SPACES}


def refreshed(scene: Any, system: Any, text: str = "") -> str:
    """A run that was asked for and has its plan."""
    run = str(scene.ask(text=text, command="/refresh-ecr"))
    system.until(lambda: scene.button(run, "approve"), 60, lambda: scene.about(run))
    return run


def test_an_unreachable_cluster_delays_none(scene: Any, system: Any) -> None:
    """What is in the way of one is said in the plan; all others are refreshed, and in less than a minute."""
    before = written(scene)
    scene.demo.pulls.clusters[PROD].down()
    run = refreshed(scene, system)
    assert "Refresh 2 ECR pull secrets" in scene.text(run)
    assert "prod/cf-prod: left out." in scene.text(run)
    scene.approve(run)
    scene.ended(run, "done")
    assert written(scene) == {**before, "cf-dev": before["cf-dev"] + 1, "cf-test": before["cf-test"] + 1}
    scene.sound()


def test_what_failed_and_nothing_else_is_tried_again(scene: Any, system: Any) -> None:
    """One of three secrets cannot be written: the others are, the report names it, and the button tries just this."""
    before, prod = written(scene), scene.demo.pulls.clusters[PROD]
    run = refreshed(scene, system)
    assert "Refresh 3 ECR pull secrets" in scene.text(run)
    prod.deny("update", "secrets")
    scene.approve(run)
    report = scene.ended(run, "partly")
    assert "Not written: prod/cf-prod." in report
    assert re.search(r"Cluster rosa-prod at [\d.]+ does not let system:serviceaccount:\S+ update secrets", report)
    assert "failed again" in report
    assert "Retry prod" not in report, "one button does it"
    assert written(scene) == {**before, "cf-dev": before["cf-dev"] + 1, "cf-test": before["cf-test"] + 1}
    prod.heal()
    scene.press(system.ASKER, scene.button(run, "again"))
    again = system.until(lambda: scene.rows("SELECT id FROM run WHERE retry_of = :run", run=run))[0][0]
    system.until(lambda: scene.button(again, "approve"), 60, lambda: scene.about(again))
    assert "Refresh 1 ECR pull secret" in scene.text(again)
    scene.approve(again)
    scene.ended(again, "done")
    assert written(scene) == {space: count + 1 for space, count in before.items()}
    assert "Fresh, nothing to do" in scene.ended(scene.ask(command="/refresh-ecr"), "answered")
    scene.sound()


def spelled(at: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at))


def age(scene: Any, seconds: float) -> None:
    """Every login is ours, and ends in so many seconds."""
    now = time.time()
    notes = {WRITTEN: spelled(now + seconds - 43200), EXPIRES: spelled(now + seconds), "hivekeeper/registry": REGISTRY}
    for cluster, space in SPACES:
        found = scene.demo.pulls.clusters[cluster].get(SECRET, "ecr-secret", space)
        found["metadata"]["annotations"] = notes
        scene.demo.pulls.clusters[cluster].put(SECRET, found)


def scheduled(scene: Any) -> list[Any]:
    query = "SELECT id, asker, state FROM run WHERE asker LIKE 'schedule:%' ORDER BY asked_at"
    return list(scene.rows(query))


def test_schedules_catch_up_at_start_one_after_the_other(scene: Any, system: Any) -> None:
    """Logins that would end before the next tick are renewed when the bot starts, without a click, by both schedules
    that look after them, never at once, and each secret is written once. The next start finds nothing to do."""
    before = written(scene)
    scene.demo.bot.hold()
    age(scene, 1800)
    scene.demo.bot.start()
    runs = system.until(
        lambda: len(found := scheduled(scene)) == 2 and all(one.state not in system.OPEN for one in found) and found,
        60,
        lambda: f"{scheduled(scene)} {scene.log()}",
    )
    assert {one.asker for one in runs} == {"schedule:ecr", "schedule:ecr-dev"}
    assert {one.state for one in runs} <= {"done", "answered"}
    assert written(scene) == {space: count + 1 for space, count in before.items()}
    at_work = [(row.run, row.what) for row in scene.rows("SELECT run, what FROM audit ORDER BY number")
               if row.run in {one.id for one in runs} and row.what in ("applying", "done")]  # fmt: skip
    assert [what for _, what in at_work] == ["applying", "done"] * (len(at_work) // 2)
    assert all(one[0] == other[0] for one, other in zip(at_work[::2], at_work[1::2], strict=True))
    looked = "SELECT 1 FROM holding WHERE command = 'refresh-ecr' AND looked_at > :since"
    since = time.time()
    scene.kill()
    system.until(lambda: len(scene.rows(looked, since=since)) == len(SPACES), 30, scene.log)
    assert len(scheduled(scene)) == 2
    scene.sound()
