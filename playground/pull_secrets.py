"""ECR pull secrets in the demo: Amazon, its registry, and two clusters whose pods pull from there (seed 004)."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from playground import people
from playground.aws import AwsStandIn
from playground.cluster_facts import facts
from playground.cluster_life import Life
from playground.cluster_pods import PULL
from playground.cluster_seed import openshift, pull_secret, workload
from playground.cluster_troubles import Troubles
from playground.kubernetes import KubernetesStandIn
from playground.kubernetes_kinds import DEPLOYMENT
from playground.kubernetes_kinds import SECRET as SECRETS
from playground.kubernetes_store import spelled
from playground.registry import RegistryStandIn
from playground.transfers import Transfers, cluster_id

OURS, THEIRS, REGION = "606639739464", "818140567777", "us-east-1"  # accounts: the bot's, and the registry's
REGISTRY = f"{THEIRS}.dkr.ecr.{REGION}.amazonaws.com"
SECRET = "ecr-secret"
BOT = "system:serviceaccount:hivekeeper:hivekeeper"
NEEDED = [
    {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get", "create"]},
    {"apiGroups": [""], "resources": ["secrets"], "resourceNames": [SECRET, f"{SECRET}-before-hivekeeper"],
     "verbs": ["update", "delete"]},
    {"apiGroups": [""], "resources": ["namespaces"], "verbs": ["get"]},
    {"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list", "create", "delete"]},
    {"apiGroups": [""], "resources": ["events"], "verbs": ["list"]},
    {"apiGroups": [""], "resources": ["serviceaccounts"], "verbs": ["get", "list", "patch"]},
    {"apiGroups": ["apps"], "resources": ["replicasets"], "verbs": ["get", "list"]},
    {"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["get", "list", "patch"]},
]  # fmt: skip  # deploy/rbac/ecr.yaml and image-pull.yaml
DEV, PROD = "rosa-dev", "rosa-prod"
CLUSTERS = {DEV: ("cf-dev", "cf-test"), PROD: ("cf-prod",)}
MACHINES = {DEV: {"worker": 2}, PROD: {"master": 3, "worker": 2}}  # the control plane of dev is hosted elsewhere
WORKLOADS = {  # namespace -> Deployment, repository, replicas
    "cf-dev": (("naming-server-new", "naming-server", 2), ("frontend", "frontend", 2)),
    "cf-test": (("frontend", "frontend", 1),),
    "cf-prod": (("frontend", "frontend", 3), ("config-server", "config-server", 1)),
}
REPOSITORIES = ("frontend", "naming-server", "config-server")
TAG, PROVED = "latest", "consultingfirm/frontend"
WRITTEN, EXPIRES = "hivekeeper/written-at", "hivekeeper/expires-at"
VALIDITY = 12 * 3600  # seconds of Amazon's logins
LATEST = "2099-12-31"
SEEN = 1.0  # seconds between two looks at whether something changed


class PullSecrets:
    """`start` lets the clusters live until `close`. Somebody else wrote the secrets, and nobody renews them. `pull`:
    seconds that nodes take to pull an image."""

    def __init__(self, now: Callable[[], float] = time.time, *, pull: float = PULL) -> None:
        self.aws = AwsStandIn(OURS, now=now)
        self.keys = self.aws.user("hivekeeper")
        self.registry = RegistryStandIn(REGISTRY, self._whose)
        self.clusters = {name: KubernetesStandIn(hosted=name == DEV, now=now) for name in CLUSTERS}
        self.lives = {name: Life(cluster, {REGISTRY: self.registry.good}) for name, cluster in self.clusters.items()}
        self.troubles = {name: Troubles(life, self.aws.expire) for name, life in self.lives.items()}
        for life in self.lives.values():
            life.kubelets.pull = pull
        self.transfers = Transfers(self.clusters, BOT, now)
        self._tokens = {name: secrets.token_urlsafe(24) for name in CLUSTERS}
        self._now, self._ended = now, threading.Event()
        self.start_over()

    def start(self, changed: Callable[[], None] = lambda: None) -> None:
        """`changed` is called when something in a cluster has, at most once a second."""
        for life in self.lives.values():
            life.start()
        threading.Thread(target=self._look, args=(changed,), name="clusters seen", daemon=True).start()

    def close(self) -> None:
        self._ended.set()
        for life in self.lives.values():
            life.close()

    def _look(self, changed: Callable[[], None]) -> None:
        seen = self._version()
        while not self._ended.wait(SEEN):
            if (now := self._version()) != seen:
                seen = now
                changed()

    def _version(self) -> int:
        return sum(cluster.store.version for cluster in self.clusters.values())

    def start_over(self) -> None:
        """Every pod runs, with a login that ends within the hour."""
        for name, cluster in self.clusters.items():
            cluster.store.clear()
            cluster.namespace("default")
            openshift(cluster, cluster_id=cluster_id(name), machines=MACHINES[name])
            cluster.tokens.accept(self._tokens[name], BOT)
            cluster.rules.grant(BOT, [{"apiGroups": [""], "resources": ["nodes"], "verbs": ["list"]}])
            for namespace in CLUSTERS[name]:
                self._fill(cluster, namespace)
        self.transfers.start_over()
        self.mend()

    def _fill(self, cluster: KubernetesStandIn, namespace: str) -> None:
        cluster.namespace(namespace)
        cluster.rules.grant(BOT, NEEDED, namespace)
        password = self.aws.password(self.keys, seconds=2700)
        pull_secret(cluster, namespace, SECRET, {REGISTRY: ("AWS", password)})
        for name, repository, replicas in WORKLOADS[namespace]:
            image = f"{REGISTRY}/consultingfirm/{repository}:{TAG}"
            workload(cluster, namespace, name, image, replicas=replicas, pull_secrets=(SECRET,))

    def _whose(self, user: str, password: str) -> str | None:
        return self.aws.password_good(password) if user == "AWS" else None

    # --- what happens to them --------------------------------------------------------------------------------

    def expire(self, cluster: str = DEV, namespace: str = "cf-dev") -> None:
        """The logins end, as if written that long ago, and the pods are moved to other nodes."""
        store = self.clusters[cluster].store
        secret = store.get(SECRETS, SECRET, namespace)
        if secret and WRITTEN in (notes := secret["metadata"].get("annotations") or {}):
            ended = self._now() - 60
            notes |= {WRITTEN: spelled(ended - VALIDITY), EXPIRES: spelled(ended)}
            store.replace(SECRETS, secret)
        self.troubles[cluster].expire_pull_secret(namespace)

    def wrong_type(self) -> None:
        self.troubles[DEV].wrong_type("cf-dev", SECRET)

    def unname(self) -> None:
        """No Deployment of cf-dev names the secret."""
        self.troubles[DEV].unreference("cf-dev", SECRET)

    def lose_tag(self) -> None:
        """An image is there no more by the tag that pods ask for."""
        self.registry.repositories["consultingfirm/naming-server"].manifests.pop(TAG, None)
        self.troubles[DEV].evict("cf-dev")

    def deny(self) -> None:
        """The registry's account lets somebody else pull, and no longer us."""
        self._let(f"arn:aws:iam::{THEIRS}:role/somebody-else")
        self.troubles[DEV].evict("cf-dev")

    def pause(self) -> None:
        self._change("cf-dev", "naming-server-new", paused=True)

    def mend(self) -> None:
        """All but the secrets."""
        self._let(self.keys.arn)
        self.registry.state, self.aws.fault, self.aws.faulty = "up", "", frozenset()
        for troubles in self.troubles.values():
            troubles.mend()
        for namespace, deployments in WORKLOADS.items():
            for name, *_ in deployments:
                self._change(namespace, name, paused=False, pull_secrets=[{"name": SECRET}])

    def _let(self, principal: str) -> None:
        for repository in REPOSITORIES:
            known = self.registry.repositories.get(f"consultingfirm/{repository}")
            tags = () if known and TAG in known.manifests else (TAG,)
            self.registry.add(f"consultingfirm/{repository}", *tags, pullers=(principal,))

    def _change(self, namespace: str, name: str, *, paused: bool, pull_secrets: list[Any] | None = None) -> None:
        cluster = self.clusters[next(one for one, names in CLUSTERS.items() if namespace in names)]
        with cluster.store.lock:
            found = cluster.store.get(DEPLOYMENT, name, namespace)
            if found is None:
                return
            was = found["spec"].get("paused", False), found["spec"]["template"]["spec"].get("imagePullSecrets")
            if was == (paused, pull_secrets or was[1]):
                return
            found["spec"]["paused"] = paused
            if pull_secrets:
                found["spec"]["template"]["spec"]["imagePullSecrets"] = pull_secrets
            cluster.store.replace(DEPLOYMENT, found)

    def waiting(self, namespace: str) -> bool:
        """Does a pod there wait for its image?"""
        found = (each for cluster in self.clusters.values() for each in facts(cluster, str)["workloads"])
        return any("Pull" in reason for each in found if each["namespace"] == namespace for reason in each["waiting"])

    def facts(self, fingerprint: Callable[[str], str]) -> list[dict[str, Any]]:
        """What the page shows of each cluster, and of each login whether the registry takes it; no values."""
        good: dict[str, bool] = {}

        def mark(password: str) -> str:
            made = fingerprint(password)
            taken = self.registry.good("AWS", password, PROVED, TAG) == "ok"
            good[made] = taken or self.transfers.good(password)
            return made

        found = [{"cluster": name, **facts(cluster, mark)} for name, cluster in self.clusters.items()]
        for one in (login for each in found for secret in each["pull_secrets"] for login in secret["logins"]):
            one["ok"] = good[one["fingerprint"]]
        return found

    def settings(self, serve: Callable[[Any], Any], keep: Callable[[str, str], Path]) -> dict[str, Any]:
        """The bot's settings for all this. `serve` runs an application, `keep` puts a secret into a file."""
        addresses = {name: serve(cluster.app()).url for name, cluster in self.clusters.items()}
        tokens = {name: str(keep(f"cluster-{name}", token)) for name, token in self._tokens.items()}
        keys = {
            "method": "static",
            "access_key_id": {"file": str(keep("aws-key-id", self.keys.key_id))},
            "secret_access_key": {"file": str(keep("aws-key", self.keys.secret))},
        }
        approve = {"approve": ["app-sre", "platform-owners"]}
        known = {"settings": {"environments": environments()}}
        transfers = self.transfers.settings(serve)
        return {
            "clusters": {name: {"address": addresses[name], "token": {"file": tokens[name]}} for name in CLUSTERS},
            "aws": {"default": {"auth": keys, "region": REGION, "endpoint_url": serve(self.aws.app()).url}},
            "ocm": transfers["ocm"],
            "registries": {REGISTRY: {"address": serve(self.registry.app()).url}, **transfers["registries"]},
            "alerts": {"handlers": {"image-pull": known}},
            "commands": {
                "refresh-ecr": {**approve, **known},
                "diagnose-image-pull": known,
                "test-pull": {**approve, **known},
                **transfers["commands"],
            },
            "schedules": {
                "ecr": {"command": "refresh-ecr", "every_minutes": 600, "jitter_minutes": 15, "catch_up": True,
                        "channel": people.ONCALL_CHANNEL},
            },
            "standing": {"ecr": {"owner": people.OWNER, "command": "refresh-ecr", "until": LATEST}},
        }  # fmt: skip


def environments() -> dict[str, Any]:
    """dev and test share a cluster; prod restarts only when somebody asks for it."""
    common = {"registry": REGISTRY, "region": REGION, "secret_name": SECRET, "image": f"{PROVED}:{TAG}"}
    return {
        "dev": {**common, "cluster": DEV, "namespaces": ["cf-dev"], "restart": True},
        "test": {**common, "cluster": DEV, "namespaces": ["cf-test"], "restart": True},
        "prod": {**common, "cluster": PROD, "namespaces": ["cf-prod"]},
    }
