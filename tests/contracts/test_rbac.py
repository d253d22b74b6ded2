"""deploy/rbac grants exactly what the bot asks clusters for: each call is allowed with it, and with one verb less it is
refused by that verb's name. Asked of the stand-in, and of a real API server (slow)."""

from __future__ import annotations

import copy
import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from bot.clusters import Cluster
from bot.core.errors import Refused
from bot.core.kubernetes import (
    CLUSTER_VERSION,
    CONFIG_MAP,
    DEPLOYMENT,
    EVENT,
    MACHINE_CONFIG_POOL,
    NAMESPACE,
    NODE,
    POD,
    REPLICA_SET,
    SERVICE_ACCOUNT,
    Access,
    SecretObject,
)
from bot.core.secret import Secret
from bot.settings import FromEnv
from bot.tools.fingerprints import KeyedFingerprints
from bot.tools.kubernetes import KubernetesClusters, open_clusters
from tests.kube import Kube, rbac_path, until

FOLDER = Path(__file__).parents[2] / "deploy" / "rbac"
Call = Callable[[KubernetesClusters], object]
Right = tuple[str, str, str]  # verb, group, resource
POD_SPEC = {"containers": [{"name": "main", "image": "registry.example.com/web:1"}]}


@dataclass
class Granted:
    """A cluster with a manifest applied, and the bot's account in it."""

    place: Kube
    bot: KubernetesClusters
    documents: list[dict[str, Any]]

    def rights(self) -> set[Right]:
        rules = [rule for document in self.documents for rule in document.get("rules", ())]
        return {
            (v, g, r) for rule in rules for v in rule["verbs"] for g in rule["apiGroups"] for r in rule["resources"]
        }

    def without(self, right: Right) -> Callable[[], None]:
        """Take one right from the roles; what is given puts it back."""
        verb, group, resource = right
        changed = []
        for document in self.documents:
            less = copy.deepcopy(document)
            for rule in less.get("rules", ()):
                if group in rule["apiGroups"] and resource in rule["resources"] and verb in rule["verbs"]:
                    rule["verbs"].remove(verb)
            less["rules"] = [rule for rule in less.get("rules", ()) if rule["verbs"]]
            if "rules" in document and less != document:
                changed.append(document)
                self._put(less)
        assert changed
        return lambda: [self._put(document) for document in changed] and None

    def _put(self, document: dict[str, Any]) -> None:
        self.place.must("PUT", f"{rbac_path(document)}/{document['metadata']['name']}", document)


def granted(place: Kube, manifest: str, words: dict[str, str]) -> Granted:
    home = place.namespace()
    token = place.account(home, "hivekeeper")
    mark = secrets.token_hex(4)
    documents = place.apply(FOLDER / manifest, {"namespace: hivekeeper": f"namespace: {home}",
                                                "name: hivekeeper-": f"name: {mark}-", **words})  # fmt: skip
    cluster = Cluster(address=place.url, ca_file=place.ca_file, token=FromEnv(env="T"), timeout=20)
    marks = KeyedFingerprints(Secret("a key for these tests only"))
    return Granted(place, open_clusters({"c": cluster}, lambda _: Secret(token), marks), documents)


@pytest.fixture(scope="module")
def ecr(place: Kube) -> tuple[Granted, str]:
    space = place.namespace()
    found = granted(place, "ecr.yaml", {"cf-dev": space})
    place.deployment(space, "web", wait=False)
    until(lambda: place.ask("GET", f"/api/v1/namespaces/{space}/serviceaccounts/default").is_success, 60)
    return found, space


def secret_calls(space: str, name: str) -> dict[Right, Call]:
    """Writing with a backup, and removing the backup."""
    empty = SecretObject(space, name, "Opaque", {"a": Secret("1")}, "", 0)

    def write(bot: KubernetesClusters, **new: Any) -> None:
        """What is there already is made anew by hand: who may not read may still be held to the other verbs."""
        found = bot.secret("c", space, name)
        if found is None:
            bot.write_secret("c", empty, was=None)
            found = bot.secret("c", space, name)
        assert found
        bot.write_secret("c", replace(empty, **new), was=found.resource_version, backup_for="r-1")

    return {
        ("get", "", "secrets"): lambda bot: bot.secret("c", space, name),
        ("create", "", "secrets"): lambda bot: bot.write_secret("c", replace(empty, name=_fresh()), was=None),
        ("update", "", "secrets"): write,
        ("delete", "", "secrets"): lambda bot: bot.drop_backup("c", space, name, run="r-1"),
    }


def _fresh() -> str:
    return f"s-{secrets.token_hex(4)}"


def ecr_calls(space: str) -> dict[Right, Call]:
    stamp = {"spec": {"template": {"metadata": {"annotations": {"kubectl.kubernetes.io/restartedAt": "2026"}}}}}
    given = {"imagePullSecrets": [{"name": "ecr-secret"}]}
    return {
        **secret_calls(space, "ecr-secret"),
        ("get", "", "namespaces"): lambda bot: bot.find("c", NAMESPACE, space),
        ("get", "", "pods"): lambda bot: bot.find("c", POD, "none", space),
        ("list", "", "pods"): lambda bot: bot.all("c", POD, space),
        ("create", "", "pods"): lambda bot: bot.create("c", POD, {"metadata": {"name": _fresh()}, "spec": POD_SPEC}, space),
        ("delete", "", "pods"): lambda bot: bot.delete("c", POD, "none", space),
        ("list", "", "events"): lambda bot: bot.all("c", EVENT, space),
        ("get", "apps", "replicasets"): lambda bot: bot.find("c", REPLICA_SET, "none", space),
        ("list", "apps", "replicasets"): lambda bot: bot.all("c", REPLICA_SET, space),
        ("get", "", "serviceaccounts"): lambda bot: bot.find("c", SERVICE_ACCOUNT, "default", space),
        ("list", "", "serviceaccounts"): lambda bot: bot.all("c", SERVICE_ACCOUNT, space),
        ("patch", "", "serviceaccounts"): lambda bot: bot.patch("c", SERVICE_ACCOUNT, "default", given, space),
        ("get", "apps", "deployments"): lambda bot: bot.find("c", DEPLOYMENT, "web", space),
        ("list", "apps", "deployments"): lambda bot: bot.all("c", DEPLOYMENT, space),
        ("patch", "apps", "deployments"): lambda bot: bot.patch("c", DEPLOYMENT, "web", stamp, space),
        ("list", "", "nodes"): lambda bot: bot.all("c", NODE),
    }  # fmt: skip


def pull_secret_calls(space: str, insights: str) -> dict[Right, Call]:
    return {
        **secret_calls(space, "pull-secret"),
        ("get", "", "configmaps"): lambda bot: bot.find("c", CONFIG_MAP, "insights-config", insights),
        ("get", "config.openshift.io", "clusterversions"): lambda bot: bot.find("c", CLUSTER_VERSION, "version"),
        ("list", "machineconfiguration.openshift.io", "machineconfigpools"): lambda bot: bot.all("c", MACHINE_CONFIG_POOL),
    }  # fmt: skip


def test_ecr(ecr: tuple[Granted, str]) -> None:
    """All that /refresh-ecr, /diagnose-image-pull and /test-pull ask a cluster for, and nothing else, is granted."""
    found, space = ecr
    each_is_needed(found, ecr_calls(space))


def test_ecr_stays_in_its_namespace(ecr: tuple[Granted, str], place: Kube) -> None:
    """Elsewhere nothing is allowed, and other Secrets of the namespace cannot be replaced."""
    found, space = ecr
    other = place.namespace()
    for verb in ("get", "create", "update", "delete", "list"):
        assert not found.bot.allowed("c", Access(verb=verb, resource="secrets", namespace=other))
    assert not found.bot.allowed("c", Access(verb="list", resource="secrets", namespace=space))
    assert not found.bot.allowed("c", Access(verb="update", resource="secrets", namespace=space, name="other"))
    assert found.bot.allowed("c", Access(verb="update", resource="secrets", namespace=space, name="ecr-secret"))


def test_pull_secret(place: Kube) -> None:
    """The same of /pull-secret."""
    for kind in (CLUSTER_VERSION, MACHINE_CONFIG_POOL):
        place.define(kind.group, kind.kind)
    space, insights = place.namespace(), place.namespace()
    words = {
        "namespace: openshift-config": f"namespace: {space}",
        "namespace: openshift-insights": f"namespace: {insights}",
    }
    each_is_needed(granted(place, "pull-secret.yaml", words), pull_secret_calls(space, insights))


def each_is_needed(found: Granted, calls: dict[Right, Call]) -> None:
    assert found.rights() == set(calls)
    until(lambda: not refused(lambda: calls[("update", "", "secrets")](found.bot)), 10)
    for call in calls.values():
        call(found.bot)
    for right, call in calls.items():
        verb, group, resource = right
        put_back = found.without(right)
        until(lambda call=call: bool(refused(lambda: call(found.bot))), 10)  # type: ignore[misc]  # lambda
        assert f" {verb} {resource}{'.' + group if group else ''}" in refused(lambda call=call: call(found.bot))  # type: ignore[misc]  # lambda
        put_back()
        until(lambda call=call: not refused(lambda: call(found.bot)), 10)  # type: ignore[misc]  # lambda


def refused(call: Callable[[], object]) -> str:
    """The refusal's sentence; "" if there was none."""
    try:
        call()
    except Refused as error:
        return error.what
    return ""
