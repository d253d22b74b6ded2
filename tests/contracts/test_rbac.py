"""deploy/rbac grants exactly what the bot asks clusters for: each call is allowed with it, and with one verb less, for one
name less, it is refused by that verb's name. Asked of the stand-in, and of a real API server (slow)."""

from __future__ import annotations

import itertools
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
    SERVICE_ACCOUNT,
    Access,
    SecretObject,
    backup_name,
)
from bot.core.secret import Secret
from bot.settings import FromEnv
from bot.tools.fingerprints import KeyedFingerprints
from bot.tools.kubernetes import KubernetesClusters, open_clusters
from tests.contracts.in_clusters import made, raw
from tests.kube import Kube, rbac_path, until

FOLDER = Path(__file__).parents[2] / "deploy" / "rbac"
Call = Callable[[KubernetesClusters], object]
Right = tuple[str, str, str, str]  # verb, group, resource, and the name that a rule is for ("": all)
Rule = dict[str, Any]
POD_SPEC = {"containers": [{"name": "main", "image": "registry.example.com/web:1"}]}


@dataclass
class Granted:
    """A cluster with a manifest applied, and the bot's account in it."""

    place: Kube
    bot: KubernetesClusters
    documents: list[dict[str, Any]]

    def rights(self) -> set[Right]:
        return {right for document in self.documents for rule in document.get("rules", ()) for right in single(rule)}

    def without(self, right: Right) -> Callable[[], None]:
        """Take one right from the roles; what is given puts it back."""
        changed = [one for one in self.documents if any(right in single(rule) for rule in one.get("rules", ()))]
        assert changed
        for document in changed:
            rules = [rule for whole in document["rules"] for one, rule in single(whole).items() if one != right]
            self._put({**document, "rules": rules})

        def put_back() -> None:
            for document in changed:
                self._put(document)

        return put_back

    def _put(self, document: dict[str, Any]) -> None:
        self.place.must("PUT", f"{rbac_path(document)}/{document['metadata']['name']}", document)


def single(rule: Rule) -> dict[Right, Rule]:
    """A rule as many that grant one right each."""
    rights = itertools.product(rule["verbs"], rule["apiGroups"], rule["resources"], rule.get("resourceNames", [""]))
    return {
        (verb, group, resource, name): {"verbs": [verb], "apiGroups": [group], "resources": [resource],
                                        **({"resourceNames": [name]} if name else {})}
        for verb, group, resource, name in rights
    }  # fmt: skip


def granted(place: Kube, manifest: str, words: dict[str, str]) -> Granted:
    home = place.namespace()
    token = place.account(home, "hivekeeper")
    mark = secrets.token_hex(4)
    documents = place.apply(FOLDER / manifest, {"namespace: hivekeeper": f"namespace: {home}",
                                                "name: hivekeeper-": f"name: {mark}-", **words})  # fmt: skip
    cluster = Cluster(address=place.url, ca_file=place.ca_file, token=FromEnv(env="T"), timeout=60)
    marks = KeyedFingerprints(Secret("a key for these tests only"))
    return Granted(place, open_clusters({"c": cluster}, lambda _: Secret(token), marks), documents)


@pytest.fixture(scope="module")
def ecr(place: Kube) -> tuple[Granted, str]:
    space = place.namespace()
    found = granted(place, "ecr.yaml", {"cf-dev": space})
    place.deployment(space, "web", wait=False)
    until(lambda: place.ask("GET", f"/api/v1/namespaces/{space}/serviceaccounts/default").is_success)
    return found, space


def secret_calls(space: str, name: str) -> dict[Right, Call]:
    """Writing with a backup that takes the place of an earlier run's, and removing the backup."""
    empty, backup = SecretObject(space, name, "Opaque", {"a": Secret("1")}, "", 0), backup_name(name)

    def there(bot: KubernetesClusters) -> str:
        found = bot.secret("c", space, name)
        if found is None:
            bot.write_secret("c", empty, was=None)
            found = bot.secret("c", space, name)
        assert found
        return found.resource_version

    def back_up(bot: KubernetesClusters) -> str:
        bot.back_up_secret("c", space, name, was=there(bot), run=(run := _fresh()))
        return run

    return {
        ("create", "", "secrets", ""): lambda bot: bot.write_secret("c", replace(empty, name=_fresh()), was=None),
        ("get", "", "secrets", name): lambda bot: bot.secret("c", space, name),
        ("update", "", "secrets", name): lambda bot: bot.write_secret("c", empty, was=there(bot)),
        ("get", "", "secrets", backup): lambda bot: bot.restore_secret("c", space, name, run="r-1"),
        ("update", "", "secrets", backup): lambda bot: (back_up(bot), back_up(bot)),
        ("delete", "", "secrets", backup): lambda bot: bot.drop_backup("c", space, name, run=back_up(bot)),
    }


def _fresh() -> str:
    return f"s-{secrets.token_hex(4)}"


def ecr_calls(space: str) -> dict[Right, Call]:
    stamp = {"spec": {"template": {"metadata": {"annotations": {"kubectl.kubernetes.io/restartedAt": "2026"}}}}}
    given = {"imagePullSecrets": [{"name": "ecr-secret"}]}
    return {
        **secret_calls(space, "ecr-secret"),
        ("delete", "", "secrets", "ecr-secret"): lambda bot: bot.delete_secret("c", space, "ecr-secret"),
        ("get", "", "namespaces", space): lambda bot: bot.find("c", NAMESPACE, space),
        ("get", "", "pods", ""): lambda bot: bot.find("c", POD, "none", space),
        ("list", "", "pods", ""): lambda bot: bot.all("c", POD, space),
        ("create", "", "pods", ""): lambda bot: bot.create("c", POD, {"metadata": {"name": _fresh()}, "spec": POD_SPEC}, space),
        ("delete", "", "pods", ""): lambda bot: bot.delete("c", POD, "none", space),
        ("list", "", "events", ""): lambda bot: bot.all("c", EVENT, space),
        ("get", "", "serviceaccounts", ""): lambda bot: bot.find("c", SERVICE_ACCOUNT, "default", space),
        ("list", "", "serviceaccounts", ""): lambda bot: bot.all("c", SERVICE_ACCOUNT, space),
        ("patch", "", "serviceaccounts", ""): lambda bot: bot.patch("c", SERVICE_ACCOUNT, "default", given, space),
        ("get", "apps", "deployments", ""): lambda bot: bot.find("c", DEPLOYMENT, "web", space),
        ("list", "apps", "deployments", ""): lambda bot: bot.all("c", DEPLOYMENT, space),
        ("patch", "apps", "deployments", ""): lambda bot: bot.patch("c", DEPLOYMENT, "web", stamp, space),
        ("list", "", "nodes", ""): lambda bot: bot.all("c", NODE),
    }  # fmt: skip


def pull_secret_calls(space: str, insights: str, hosted: str) -> dict[Right, Call]:
    return {
        **secret_calls(space, "pull-secret"),
        ("get", "", "secrets", "support"): lambda bot: bot.secret("c", space, "support"),
        ("get", "", "secrets", "global-pull-secret"): lambda bot: bot.secret("c", hosted, "global-pull-secret"),
        ("get", "", "configmaps", "insights-config"): lambda bot: bot.find("c", CONFIG_MAP, "insights-config", insights),
        ("get", "config.openshift.io", "clusterversions", "version"): lambda bot: bot.find("c", CLUSTER_VERSION, "version"),
        ("list", "machineconfiguration.openshift.io", "machineconfigpools", ""): lambda bot: bot.all("c", MACHINE_CONFIG_POOL),
    }  # fmt: skip


def test_ecr(ecr: tuple[Granted, str], place: Kube) -> None:
    """All that /refresh-ecr, /diagnose-image-pull and /test-pull ask a cluster for, and nothing else, is granted."""
    found, space = ecr
    each_is_needed(found, ecr_calls(space))
    others(place, found, space, "ecr-secret")


def test_ecr_stays_in_its_namespace(ecr: tuple[Granted, str], place: Kube) -> None:
    """Elsewhere nothing is allowed."""
    found, _ = ecr
    other = place.namespace()
    for verb in ("get", "create", "update", "delete", "list"):
        assert not found.bot.allowed("c", Access(verb=verb, resource="secrets", namespace=other))


def test_image_pull(ecr: tuple[Granted, str], place: Kube) -> None:
    """Beside the other it lets the bot read Secrets of other names, and neither list nor change them."""
    _, space = ecr
    found = granted(place, "image-pull.yaml", {"cf-dev": space})
    others(place, found, space, "ecr-secret", but="get")


def others(place: Kube, found: Granted, space: str, name: str, but: str = "") -> None:
    """Secrets of other names are refused, by the bot's own calls and by a review; all but this verb."""
    made(place, space, other := _fresh())
    version = raw(place, space, other)["metadata"]["resourceVersion"]
    calls: dict[str, Call] = {
        "get": lambda bot: bot.secret("c", space, other),
        "update": lambda bot: bot._put("c", {**raw(place, space, other)}),
        "delete": lambda bot: bot.delete_secret("c", space, other, was=version),
    }
    until(lambda: not but or not refused(lambda: calls[but](found.bot)))
    for verb, call in calls.items():
        told = refused(lambda call=call: call(found.bot))  # type: ignore[misc]  # lambda
        assert (f" {verb} secrets/{other} " in told) == (verb != but)
        assert found.bot.allowed("c", Access(verb=verb, resource="secrets", namespace=space, name=other)) == (
            verb == but
        )
    for verb in ("list", "watch", "patch", "deletecollection"):
        for one in ("", name, other):
            assert not found.bot.allowed("c", Access(verb=verb, resource="secrets", namespace=space, name=one))
    assert raw(place, space, other)["metadata"]["resourceVersion"] == version


def test_pull_secret(place: Kube) -> None:
    """The same of /pull-secret."""
    for kind in (CLUSTER_VERSION, MACHINE_CONFIG_POOL):
        place.define(kind.group, kind.kind)
    space, insights, hosted = place.namespace(), place.namespace(), place.namespace()
    words = {
        "namespace: kube-system": f"namespace: {hosted}",
        "namespace: openshift-config": f"namespace: {space}",
        "namespace: openshift-insights": f"namespace: {insights}",
    }
    found = granted(place, "pull-secret.yaml", words)
    each_is_needed(found, pull_secret_calls(space, insights, hosted))
    others(place, found, space, "pull-secret")
    assert "delete secrets/pull-secret" in refused(lambda: found.bot.delete_secret("c", space, "pull-secret"))


def each_is_needed(found: Granted, calls: dict[Right, Call]) -> None:
    assert found.rights() == set(calls)
    for call in calls.values():
        until(lambda call=call: not refused(lambda: call(found.bot)), 10)  # type: ignore[misc]  # lambda
    for right, call in calls.items():
        verb, group, resource, name = right
        put_back = found.without(right)
        until(lambda call=call: bool(refused(lambda: call(found.bot))), 10)  # type: ignore[misc]  # lambda
        what = f" {verb} {resource}{'.' + group if group else ''}{'/' + name if name else ''}"
        assert what in refused(lambda call=call: call(found.bot))  # type: ignore[misc]  # lambda
        put_back()
        until(lambda call=call: not refused(lambda: call(found.bot)), 10)  # type: ignore[misc]  # lambda


def refused(call: Callable[[], object]) -> str:
    """The refusal's sentence; "" if there was none."""
    try:
        call()
    except Refused as error:
        return error.what
    return ""
