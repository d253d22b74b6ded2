"""What is put into a played cluster at first: an OpenShift's own objects, workloads, pull secrets."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any

from playground.cluster_pulls import NODES_OWN
from playground.kubernetes import KubernetesStandIn
from playground.kubernetes_checks import filled
from playground.kubernetes_kinds import (
    CLUSTER_VERSION,
    DEPLOYMENT,
    MACHINE_CONFIG_POOL,
    NODE,
    SECRET,
    SERVICE_ACCOUNT,
)
from playground.kubernetes_store import spelled

DOCKER_CONFIG = "kubernetes.io/dockerconfigjson"
Logins = Mapping[str, tuple[str, str]]  # by host: user and password


def openshift(
    cluster: KubernetesStandIn, *, cluster_id: str, version: str = "4.18.9", machines: Mapping[str, int] | None = None
) -> None:
    """ClusterVersion, nodes, and a pool for each of `machines` (pool → count) where the cluster knows pools."""
    cluster.namespace(NODES_OWN[0])
    now = spelled(cluster.store.now())
    history = [{"state": "Completed", "version": version, "startedTime": now, "completionTime": now}]
    conditions = [{"type": "Available", "status": "True", "lastTransitionTime": now}]
    cluster.put(CLUSTER_VERSION, {
        "metadata": {"name": "version"}, "spec": {"clusterID": cluster_id, "channel": f"stable-{version[:4]}"},
        "status": {"desired": {"version": version}, "history": history, "conditions": conditions},
    })  # fmt: skip
    for pool, count in (machines or {"master": 3, "worker": 3}).items():
        for number in range(count):
            _node(cluster, f"{pool}-{number}", pool, now)
        if MACHINE_CONFIG_POOL in cluster.kinds:
            cluster.put(MACHINE_CONFIG_POOL, {"metadata": {"name": pool}, "spec": {"paused": False},
                                              "status": {"machineCount": count}})  # fmt: skip


def workload(
    cluster: KubernetesStandIn, namespace: str, name: str, image: str, *, replicas: int = 2,
    pull_secrets: tuple[str, ...] = (), account: str = "default", paused: bool = False,
) -> None:  # fmt: skip
    """A Deployment of one container; its service account is there then, too."""
    cluster.namespace(namespace)
    if cluster.get(SERVICE_ACCOUNT, account, namespace) is None:
        cluster.put(SERVICE_ACCOUNT, {"metadata": {"name": account, "namespace": namespace}})
    pod: dict[str, Any] = {"containers": [{"name": name, "image": image}], "serviceAccountName": account}
    pod |= {"imagePullSecrets": [{"name": each} for each in pull_secrets]} if pull_secrets else {}
    spec: dict[str, Any] = {"replicas": replicas, "selector": {"matchLabels": {"app": name}},
                            "template": {"metadata": {"labels": {"app": name}}, "spec": pod}}  # fmt: skip
    spec |= {"paused": True} if paused else {}
    body = {"metadata": {"name": name, "namespace": namespace, "labels": {"app": name}}, "spec": spec, "status": {}}
    cluster.put(DEPLOYMENT, filled(DEPLOYMENT, body))


def pull_secret(
    cluster: KubernetesStandIn, namespace: str, name: str, logins: Logins, annotations: Mapping[str, str] | None = None
) -> None:
    """Of the right type, with these logins and no others."""
    cluster.namespace(namespace)
    metadata = {"name": name, "namespace": namespace, "annotations": dict(annotations or {})}
    cluster.put(SECRET, {"metadata": metadata, "type": DOCKER_CONFIG, "data": {".dockerconfigjson": document(logins)}})


def document(logins: Logins) -> str:
    """A credentials document, in base64 as a Secret holds it."""
    auths = {
        host: {"username": user, "password": password, "auth": encoded(f"{user}:{password}")}
        for host, (user, password) in logins.items()
    }
    return encoded(json.dumps({"auths": auths}))


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _node(cluster: KubernetesStandIn, name: str, role: str, now: str) -> None:
    ready = {"type": "Ready", "status": "True", "reason": "KubeletReady", "lastTransitionTime": now}
    cluster.put(NODE, {
        "metadata": {"name": name, "labels": {f"node-role.kubernetes.io/{role}": ""}}, "spec": {},
        "status": {"conditions": [ready], "nodeInfo": {"architecture": "amd64", "operatingSystem": "linux"}},
    })  # fmt: skip
