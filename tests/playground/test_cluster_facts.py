"""What the page shows of a played cluster."""

from __future__ import annotations

import json
from typing import Any

from playground import cluster_seed as seed
from playground.cluster_facts import facts
from playground.cluster_life import Life
from playground.cluster_troubles import Troubles
from playground.kubernetes import KubernetesStandIn


def test_the_state_without_values(canary: Any) -> None:
    """Workloads with what they wait for, pull secrets by fingerprint, pools; no password."""
    password, now = canary("password"), [1_800_000_000.0]
    cluster = KubernetesStandIn(now=lambda: now[0])
    life = Life(cluster, {"r.example.com": lambda user, *_: "ok" if user else "unauthorized"})
    seed.openshift(cluster, cluster_id="c", machines={"worker": 2})
    seed.pull_secret(cluster, "team", "ecr", {"https://r.example.com/v1/": ("AWS", password)})
    seed.workload(cluster, "team", "app", "r.example.com/app:1", pull_secrets=("ecr",))

    def live() -> dict[str, Any]:
        for _ in range(30):
            now[0] += 0.1
            life.step()
        return facts(cluster, lambda value: f"{len(value)} characters")

    found = live()
    canary.watch("the facts", lambda: json.dumps(found))
    assert found["workloads"] == [
        {"namespace": "team", "name": "app", "wanted": 2, "available": 2, "waiting": []},
    ]
    (shown,) = found["pull_secrets"]
    assert (shown["name"], shown["logins"]) == (
        "ecr", [{"host": "https://r.example.com/v1/", "fingerprint": f"{len(password)} characters"}])  # fmt: skip
    assert found["pools"] == [{"name": "worker", "machines": 2, "updated": 2, "paused": False, "degraded": False}]
    Troubles(life).delete_secret("team", "ecr")
    found = live()
    assert (found["workloads"][0]["available"], found["workloads"][0]["waiting"]) == (0, ["ImagePullBackOff"])
    assert found["pull_secrets"] == []
