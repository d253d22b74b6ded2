"""Deployments of the played cluster go through the same states, with the same words, as those of the real controllers:
of a real API server 1.20 where ../shared/tools/kube-apiserver can build one (slow).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from playground.cluster_life import Life
from playground.kubernetes import serve
from tests.kube import BUILD, Kube, until

PLACES: list[Any] = ["stand-in"]
if BUILD.exists():  # its first build takes four minutes
    PLACES.append(pytest.param("kube-apiserver", marks=[pytest.mark.slow, pytest.mark.timeout(900)]))
RESTARTED = "kubectl.kubernetes.io/restartedAt"
COUNTS = ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas", "unavailableReplicas")


@pytest.fixture(scope="module", params=PLACES)
def place(request: pytest.FixtureRequest) -> Iterator[Kube]:
    if request.param == "kube-apiserver":
        yield request.getfixturevalue("kube")
        return
    with serve(version="v1.20.2") as (cluster, server), Life(cluster, nodes=False, every=0.01):
        yield Kube(server.url, cluster.admin)


@pytest.fixture(scope="module")
def space(place: Kube) -> str:
    return place.namespace()


def test_a_deployment_from_birth_to_restart(place: Kube, space: str) -> None:
    """Counts, reasons and words while pods come, while a restart rolls, when it is paused and when it is late."""
    path = f"/apis/apps/v1/namespaces/{space}/deployments/roll"
    place.deployment(space, "roll", replicas=3)
    until(lambda: reason(place, path) == "ReplicaSetUpdated")
    new = place.must("GET", path)["status"]
    assert {name: new.get(name) for name in COUNTS} == dict(zip(COUNTS, (3, 3, None, None, 3), strict=True))
    assert condition(new, "Available")["message"] == "Deployment does not have minimum availability."
    place.running(space, "roll")
    until(lambda: reason(place, path) == "NewReplicaSetAvailable")
    grown = place.must("GET", path)["status"]
    assert {name: grown.get(name) for name in COUNTS} == dict(zip(COUNTS, (3, 3, 3, 3, None), strict=True))
    assert condition(grown, "Progressing")["message"].endswith("has successfully progressed.")
    restart(place, path, "1")
    rolling = until(lambda: larger(place, path))
    assert {name: rolling.get(name) for name in COUNTS} == dict(zip(COUNTS, (4, 1, 3, 3, 1), strict=True))
    # a real one tells the former for as long as its ReplicaSet's pods were counted together with its making
    assert condition(rolling, "Progressing")["reason"] in ("NewReplicaSetCreated", "ReplicaSetUpdated")
    until(lambda: rolled(place, space, path))


def test_a_paused_deployment_and_a_late_one(place: Kube, space: str) -> None:
    """Paused: nothing new is made, and it says so. Late: the deadline is told when no pod comes up in time."""
    path = f"/apis/apps/v1/namespaces/{space}/deployments/late"
    place.deployment(space, "late", replicas=1)
    place.running(space, "late")
    until(lambda: reason(place, path) == "NewReplicaSetAvailable")
    place.must("PATCH", path, {"spec": {"paused": True}})
    restart(place, path, "1")
    until(lambda: reason(place, path) == "DeploymentPaused" and "updatedReplicas" not in status(place, path))
    assert condition(status(place, path), "Progressing")["status"] == "Unknown"
    place.must("PATCH", path, {"spec": {"paused": False, "progressDeadlineSeconds": 1}})
    until(lambda: reason(place, path) == "ProgressDeadlineExceeded")
    late = condition(status(place, path), "Progressing")
    assert (late["status"], late["message"].endswith("has timed out progressing.")) == ("False", True)


def larger(place: Kube, path: str) -> Any:
    """The status of the second generation, once there is a pod more."""
    found = status(place, path)
    return found if found.get("replicas") == 4 and found["observedGeneration"] == 2 else None


def status(place: Kube, path: str) -> Any:
    return place.must("GET", path)["status"]


def condition(found: Any, kind: str) -> Any:
    return next((each for each in found.get("conditions", ()) if each["type"] == kind), {})


def reason(place: Kube, path: str) -> str:
    return str(condition(status(place, path), "Progressing").get("reason", ""))


def restart(place: Kube, path: str, when: str) -> None:
    place.must("PATCH", path, {"spec": {"template": {"metadata": {"annotations": {RESTARTED: when}}}}})


def rolled(place: Kube, space: str, path: str) -> bool:
    """Every pod that comes is made to run, until all are new."""
    place.running(space, "roll")
    place.gone(space)
    now = status(place, path)
    return [now.get(name) for name in COUNTS] == [3, 3, 3, 3, None]
