"""Clusters of the demo that change their owner: OCM, the clusters' own pull secrets, and whose logins those are
(seed 001)."""

from __future__ import annotations

import json
import secrets
import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from playground.cluster_pulls import NODES_OWN
from playground.cluster_seed import DOCKER_CONFIG, encoded
from playground.kubernetes import KubernetesStandIn
from playground.kubernetes_kinds import MACHINE_CONFIG_POOL, SECRET
from playground.ocm import HOST, OcmStandIn
from playground.ocm_answers import error
from playground.ocm_faults import Fault
from playground.registry import RegistryStandIn

REGISTRIES = ("quay.io", "registry.redhat.io")
MIRROR = "mirror.example.com"  # the cluster owner's own, of which OCM knows nothing
OWNER, RECIPIENT = "joe", "jack"
WINDOW = 47 * 3600.0  # seconds
NAMESPACE, NAME = NODES_OWN
KEPT = f"{NAME}-before-hivekeeper"
IN_CONFIG = [
    {"apiGroups": [""], "resources": ["secrets"], "resourceNames": [NAME, KEPT, "support"], "verbs": ["get"]},
    {"apiGroups": [""], "resources": ["secrets"], "resourceNames": [NAME, KEPT], "verbs": ["update"]},
    {"apiGroups": [""], "resources": ["secrets"], "resourceNames": [KEPT], "verbs": ["delete"]},
    {"apiGroups": [""], "resources": ["secrets"], "verbs": ["create"]},
]
ELSEWHERE = {
    "openshift-insights": [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get"]}],
    "kube-system": [{"apiGroups": [""], "resources": ["secrets"], "resourceNames": ["global-pull-secret"],
                     "verbs": ["get"]}],
    "": [{"apiGroups": ["config.openshift.io"], "resources": ["clusterversions"], "verbs": ["get"]},
         {"apiGroups": ["machineconfiguration.openshift.io"], "resources": ["machineconfigpools"], "verbs": ["list"]}],
}  # fmt: skip  # deploy/rbac/pull-secret.yaml
ROLE = "hivekeeper-pull-secret"
SOON = {"interval_hours": 0.01, "watch_minutes": 5}  # OCM is asked anew with every look, so that people see a change


def cluster_id(name: str) -> str:
    """OCM knows clusters by UUID."""
    return str(uuid.uuid5(uuid.NAMESPACE_DNS, f"{name}.example.com"))


class Transfers:
    """`bot`: who is given the rights that a sync needs. `start_over` fills the clusters, once they are there."""

    def __init__(
        self, clusters: Mapping[str, KubernetesStandIn], bot: str, now: Callable[[], float] = time.time
    ) -> None:
        self.ocm = OcmStandIn(now)
        self.registries = {host: RegistryStandIn(host, self._whose, kind="quay") for host in REGISTRIES}
        self.secrets: list[str] = []  # every password that was given out, also as a pull secret writes it
        self._clusters, self._bot, self._now = clusters, bot, now

    def start_over(self) -> None:
        """Every cluster is its first owner's."""
        self.mend()
        for name, cluster in self._clusters.items():
            auths = self._auths((HOST, REGISTRIES[0], MIRROR))
            auths[MIRROR]["email"] = "ops@example.com"
            self.ocm.accept(cluster_id(name), auths[HOST]["auth"])
            cluster.namespace(NAMESPACE)
            cluster.put(SECRET, {"metadata": {"name": NAME, "namespace": NAMESPACE}, "type": DOCKER_CONFIG,
                                 "data": {".dockerconfigjson": encoded(json.dumps({"auths": auths}))}})  # fmt: skip
            for namespace, rules in {NAMESPACE: IN_CONFIG, **ELSEWHERE}.items():
                cluster.rules.grant(self._bot, rules, namespace, ROLE)

    def good(self, password: str) -> bool:
        """Was it given out by OCM or a registry of ours?"""
        return password in self.secrets

    def _whose(self, user: str, password: str) -> str | None:
        return user if self.good(password) else None

    def _auths(self, hosts: Iterable[str]) -> dict[str, dict[str, str]]:
        return {host: {"auth": self._auth(host.partition(".")[0])} for host in hosts}

    def _auth(self, user: str) -> str:
        password = secrets.token_hex(16)
        self.secrets += [password, encoded(f"{user}:{password}")]
        return self.secrets[-1]

    # --- what happens to them --------------------------------------------------------------------------------

    def transfer(self, cluster: str, seconds: float = WINDOW) -> None:
        """The recipient accepted: the new pull secret waits for so long. An earlier transfer is over."""
        self.end(cluster)
        document = json.dumps({"auths": self._auths((HOST, *REGISTRIES))})
        self.ocm.open_window(cluster_id(cluster), OWNER, RECIPIENT, document, self._now() + seconds)

    def end(self, cluster: str) -> None:
        self.ocm.close(cluster_id(cluster))

    def corrupt(self, cluster: str) -> None:
        """What waits breaks off in the middle."""
        if not self.ocm.accepted(cluster_id(cluster)):
            self.transfer(cluster)
        self.ocm.corrupt(cluster_id(cluster))

    def down(self) -> None:
        self.ocm.faults.add(Fault(answer=error(503)))

    def pause(self, cluster: str, *, paused: bool = True) -> None:
        """The machines of its workers take no new configuration (or do again)."""
        store = self._clusters[cluster].store
        with store.lock:
            found = store.get(MACHINE_CONFIG_POOL, "worker")
            if found and found["spec"].get("paused", False) != paused:
                found["spec"]["paused"] = paused
                store.replace(MACHINE_CONFIG_POOL, found)

    def mend(self) -> None:
        """OCM answers, no transfer is open, no pool is paused. Pull secrets are as they were."""
        self.ocm.faults.clear()
        for name in self._clusters:
            self.end(name)
            if MACHINE_CONFIG_POOL in self._clusters[name].kinds:
                self.pause(name, paused=False)

    def settings(self, serve: Callable[[Any], Any]) -> dict[str, Any]:
        """The bot's settings for all this."""
        return {
            "ocm": {"address": serve(self.ocm.app()).url},
            "registries": {host: {"address": serve(one.app()).url} for host, one in self.registries.items()},
            "commands": {
                "pull-secret": {
                    "approve": ["app-sre", "platform-owners"],
                    "settings": {"clusters": {name: dict(SOON) for name in self._clusters}},
                }
            },
        }
