"""What goes wrong in a played cluster, for the demo's buttons: pull secrets and MachineConfigPools.

Running pods pull nothing, so whatever is done to a pull secret is followed by new pods, as when nodes are drained.
What breaks the API itself is in `playground.kubernetes`: down, slow, deny.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from playground.cluster_life import Life
from playground.cluster_pulls import entries, login
from playground.cluster_seed import encoded
from playground.kubernetes_kinds import DEPLOYMENT, MACHINE_CONFIG_POOL, POD, SECRET, SERVICE_ACCOUNT

Json = dict[str, Any]
TYPES = ("kubernetes.io/dockerconfigjson", "kubernetes.io/dockercfg")


class Troubles:
    """`on_expire` is called with each password that is to be one that was good once: the registry should agree."""

    def __init__(self, life: Life, on_expire: Callable[[str], None] | None = None) -> None:
        self._life, self._cluster, self._store = life, life.cluster, life.cluster.store
        self._on_expire = on_expire

    def expire_pull_secret(self, namespace: str, name: str = "") -> None:
        """The logins in a namespace's pull secrets (or in one of them) are expired."""
        for secret in self._pull_secrets(namespace, name):
            for entry in entries(secret).values():
                if isinstance(entry, dict):
                    self._expire(login(entry)[1])
        self.evict(namespace)

    def delete_secret(self, namespace: str, name: str) -> None:
        self._store.remove(SECRET, name, namespace)
        self.evict(namespace)

    def wrong_type(self, namespace: str, name: str) -> None:
        """Somebody made it anew with `kubectl create secret generic`: the same content, as an Opaque Secret."""
        for secret in self._pull_secrets(namespace, name):
            self._store.remove(SECRET, name, namespace)
            metadata = {"name": name, "namespace": namespace}
            self._store.add(SECRET, {**secret, "metadata": metadata, "type": "Opaque"})
        self.evict(namespace)

    def wrong_host(self, namespace: str, name: str, host: str = "registry.example.com") -> None:
        """Its logins are good, but stand under another registry's name."""
        for secret in self._pull_secrets(namespace, name):
            text = json.dumps({"auths": {host: next(iter(entries(secret).values()), {})}})
            self._store.replace(SECRET, {**secret, "data": {".dockerconfigjson": encoded(text)}})
        self.evict(namespace)

    def unreference(self, namespace: str, name: str) -> None:
        """No Deployment and no service account of the namespace names it any more."""
        with self._store.lock:
            for deployment in self._store.all(DEPLOYMENT, namespace):
                if _dropped(deployment["spec"]["template"]["spec"], name):
                    self._store.replace(DEPLOYMENT, deployment)
            for account in self._store.all(SERVICE_ACCOUNT, namespace):
                if _dropped(account, name):
                    self._store.replace(SERVICE_ACCOUNT, account)
        self.evict(namespace)

    def evict(self, namespace: str) -> None:
        """All pods of a namespace go; those that a controller owns come back, and pull."""
        for pod in self._store.all(POD, namespace):
            self._store.remove(POD, pod["metadata"]["name"], namespace)

    def pause_pool(self, name: str, *, paused: bool = True) -> None:
        self._pool(name, paused=paused)

    def degrade_pool(self, name: str, node: str = "") -> None:
        """One node of it takes no new configuration any more."""
        self._life.pools.degraded[name] = node or f"{name}-0"

    def mend(self) -> None:
        """Pools go on, none is degraded, and the API answers as it should. Secrets stay as they are."""
        self._life.pools.degraded.clear()
        for pool in self._store.all(MACHINE_CONFIG_POOL):
            self._pool(pool["metadata"]["name"], paused=False)
        self._cluster.heal()

    def _pool(self, name: str, *, paused: bool) -> None:
        with self._store.lock:
            pool = self._store.get(MACHINE_CONFIG_POOL, name)
            if pool:
                self._store.replace(MACHINE_CONFIG_POOL, {**pool, "spec": {**pool["spec"], "paused": paused}})

    def _expire(self, password: str) -> None:
        self._life.pulls.expire(password)
        if self._on_expire:
            self._on_expire(password)

    def _pull_secrets(self, namespace: str, name: str) -> list[Json]:
        found = self._store.all(SECRET, namespace)
        return [each for each in found if each.get("type") in TYPES and name in ("", each["metadata"]["name"])]


def _dropped(one: Json, name: str) -> bool:
    """Was the pull secret named there?"""
    before = one.get("imagePullSecrets") or []
    left = [each for each in before if each["name"] != name]
    one["imagePullSecrets"] = left
    return len(left) < len(before)
