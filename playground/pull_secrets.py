"""ECR pull secrets in the demo: Amazon, its registry, and two clusters whose pods pull from there (seed 004)."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from playground.aws import AwsStandIn
from playground.cluster_life import Life
from playground.cluster_seed import openshift, pull_secret, workload
from playground.cluster_troubles import Troubles
from playground.kubernetes import KubernetesStandIn
from playground.registry import RegistryStandIn

ACCOUNT, REGION = "123456789012", "us-east-1"
REGISTRY = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com"
SECRET = "ecr-secret"
BOT = "system:serviceaccount:hivekeeper:hivekeeper"
NEEDED = [
    {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get", "create", "update", "delete"]},
    {"apiGroups": [""], "resources": ["namespaces"], "verbs": ["get"]},
    {"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list", "create", "delete"]},
    {"apiGroups": [""], "resources": ["events"], "verbs": ["list"]},
    {"apiGroups": [""], "resources": ["serviceaccounts"], "verbs": ["get", "list", "patch"]},
    {"apiGroups": ["apps"], "resources": ["replicasets"], "verbs": ["get", "list"]},
    {"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["get", "list", "patch"]},
]  # deploy/rbac/ecr.yaml
CLUSTERS = {"dev": ("cf-dev", "cf-test"), "prod": ("cf-prod",)}
WORKLOADS = {  # namespace -> Deployment, repository, replicas, paused
    "cf-dev": (("naming-server-new", "naming-server", 2, False), ("frontend", "frontend", 2, False)),
    "cf-test": (("frontend", "frontend", 1, False),),
    "cf-prod": (("frontend", "frontend", 3, False), ("config-server", "config-server", 1, True)),
}
REPOSITORIES = ("frontend", "naming-server", "config-server")


class PullSecrets:
    """`start` lets the clusters live until `close`. Somebody else wrote the secrets, and nobody renews them."""

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self.aws = AwsStandIn(ACCOUNT, now=now)
        self.keys = self.aws.user("hivekeeper")
        self.registry = RegistryStandIn(REGISTRY, self._whose)
        self.clusters = {name: KubernetesStandIn(now=now) for name in CLUSTERS}
        self.lives = {name: Life(cluster, {REGISTRY: self.registry.good}) for name, cluster in self.clusters.items()}
        self.troubles = {name: Troubles(life, self._expire) for name, life in self.lives.items()}
        self._tokens = {name: secrets.token_urlsafe(24) for name in CLUSTERS}
        self.start_over()

    def start(self) -> None:
        for life in self.lives.values():
            life.start()

    def close(self) -> None:
        for life in self.lives.values():
            life.close()

    def start_over(self) -> None:
        """Every pod runs, with a login that ends within the hour."""
        self.mend()
        for name, cluster in self.clusters.items():
            cluster.store.clear()
            cluster.namespace("default")
            openshift(cluster, cluster_id=f"{name}-0000", machines={"worker": 2})
            cluster.tokens.accept(self._tokens[name], BOT)
            for namespace in CLUSTERS[name]:
                self._fill(cluster, namespace)

    def _fill(self, cluster: KubernetesStandIn, namespace: str) -> None:
        cluster.namespace(namespace)
        cluster.rules.grant(BOT, NEEDED, namespace)
        password = self.aws.password(self.keys, seconds=2700)
        pull_secret(cluster, namespace, SECRET, {REGISTRY: ("AWS", password)})
        for name, repository, replicas, paused in WORKLOADS[namespace]:
            image = f"{REGISTRY}/consultingfirm/{repository}:latest"
            workload(cluster, namespace, name, image, replicas=replicas, pull_secrets=(SECRET,), paused=paused)

    def _whose(self, user: str, password: str) -> str | None:
        return self.aws.password_good(password) if user == "AWS" else None

    def _expire(self, password: str) -> None:
        """The registry agrees with the nodes."""
        self.aws.expire(password)

    def expire(self, cluster: str = "dev", namespace: str = "cf-dev") -> None:
        """The logins end, and the pods are moved to other nodes."""
        self.troubles[cluster].expire_pull_secret(namespace)

    def wrong_type(self) -> None:
        self.troubles["dev"].wrong_type("cf-dev", SECRET)

    def deny(self) -> None:
        """The registry's account lets somebody else pull, and no longer us."""
        self._let(f"arn:aws:iam::{ACCOUNT}:role/somebody-else")

    def mend(self) -> None:
        """All but the secrets."""
        self._let(self.keys.arn)
        self.registry.state, self.aws.fault = "up", ""
        for troubles in self.troubles.values():
            troubles.mend()

    def _let(self, principal: str) -> None:
        for repository in REPOSITORIES:
            self.registry.add(f"consultingfirm/{repository}", "latest", pullers=(principal,))

    def settings(self, serve: Callable[[Any], Any], keep: Callable[[str, str], Path]) -> dict[str, Any]:
        """The bot's settings for all this. `serve` runs an application, `keep` puts a secret into a file."""
        addresses = {name: serve(cluster.app()).url for name, cluster in self.clusters.items()}
        tokens = {name: str(keep(f"cluster-{name}", token)) for name, token in self._tokens.items()}
        keys = {
            "method": "static",
            "access_key_id": {"file": str(keep("aws-key-id", self.keys.key_id))},
            "secret_access_key": {"file": str(keep("aws-key", self.keys.secret))},
        }
        return {
            "clusters": {name: {"address": addresses[name], "token": {"file": tokens[name]}} for name in CLUSTERS},
            "aws": {"default": {"auth": keys, "region": REGION, "endpoint_url": serve(self.aws.app()).url}},
            "registries": {REGISTRY: {"address": serve(self.registry.app()).url}},
            "commands": {
                "refresh-ecr": {"approve": ["app-sre", "platform-owners"], "settings": {"environments": environments()}}
            },
        }


def environments() -> dict[str, Any]:
    """dev and test share a cluster; prod restarts only when somebody asks for it."""
    common = {"registry": REGISTRY, "region": REGION, "secret_name": SECRET, "image": "consultingfirm/frontend:latest"}
    return {
        "dev": {**common, "cluster": "dev", "namespaces": ["cf-dev"], "restart": True},
        "test": {**common, "cluster": "dev", "namespaces": ["cf-test"], "restart": True},
        "prod": {**common, "cluster": "prod", "namespaces": ["cf-prod"]},
    }
