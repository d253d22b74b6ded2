"""What the page shows of a played cluster: how its workloads, pull secrets and pools are, by fingerprint."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from playground.cluster_pulls import KEYS, entries, login
from playground.kubernetes import KubernetesStandIn
from playground.kubernetes_kinds import DEPLOYMENT, MACHINE_CONFIG_POOL, POD, SECRET

Json = dict[str, Any]


def facts(cluster: KubernetesStandIn, fingerprint: Callable[[str], str]) -> Json:
    """`{workloads: [{namespace, name, wanted, available, waiting}], pull_secrets: [{namespace, name, type,
    logins: [{host, fingerprint}]}], pools: [{name, machines, updated, paused, degraded}]}`; no values."""
    with cluster.store.lock:
        return {
            "workloads": [_workload(cluster, one) for one in cluster.store.each(DEPLOYMENT)],
            "pull_secrets": [_pull_secret(one, fingerprint) for one in cluster.store.each(SECRET) if _has_logins(one)],
            "pools": [_pool(one) for one in cluster.store.each(MACHINE_CONFIG_POOL)],
        }


def _workload(cluster: KubernetesStandIn, one: Json) -> Json:
    metadata, labels = one["metadata"], one["spec"]["selector"]["matchLabels"].items()
    pods = [
        pod
        for pod in cluster.store.each(POD, metadata["namespace"])
        if labels <= (pod["metadata"].get("labels") or {}).items()
    ]
    states = [each["state"] for pod in pods for each in pod.get("status", {}).get("containerStatuses", ())]
    waiting = sorted({state["waiting"]["reason"] for state in states if "waiting" in state})
    return {"namespace": metadata["namespace"], "name": metadata["name"], "wanted": one["spec"]["replicas"],
            "available": one.get("status", {}).get("availableReplicas", 0), "waiting": waiting}  # fmt: skip


def _has_logins(one: Json) -> bool:
    """Also of a type that no pull reads: that is what went wrong then."""
    return one.get("type") in KEYS or any(key in (one.get("data") or {}) for key in KEYS.values())


def _pull_secret(one: Json, fingerprint: Callable[[str], str]) -> Json:
    found = [
        {"host": host, "fingerprint": fingerprint(login(entry)[1])}
        for host, entry in entries(one).items()
        if isinstance(entry, dict)
    ]
    metadata = one["metadata"]
    return {"namespace": metadata["namespace"], "name": metadata["name"], "type": one["type"], "logins": found}


def _pool(one: Json) -> Json:
    status = one.get("status", {})
    return {"name": one["metadata"]["name"], "machines": status.get("machineCount", 0),
            "updated": status.get("updatedMachineCount", 0), "paused": bool(one["spec"].get("paused")),
            "degraded": bool(status.get("degradedMachineCount"))}  # fmt: skip
