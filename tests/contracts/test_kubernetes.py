"""What the bot relies on in Kubernetes, asked of the clusters of conftest.py."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from bot.core.errors import Drifted, Refused
from bot.core.kubernetes import (
    CONFIG_MAP,
    DEPLOYMENT,
    MACHINE_CONFIG_POOL,
    NAMESPACE,
    POD,
    SERVICE_ACCOUNT,
    Access,
    Kind,
)
from bot.tools.kubernetes import KubernetesClusters
from tests.contracts.in_clusters import LIVE, made, opened, wanted
from tests.kube import Kube, until


def test_version_and_login(place: Kube, bot: KubernetesClusters, space: str) -> None:
    """/version answers whoever is accepted, and refuses a token that is none."""
    assert bot.version("c").startswith("v1.")
    assert bot.reader.who("c").name in (None, f"system:serviceaccount:{space}:bot")
    with pytest.raises(Refused, match=r"does not accept the bot's login \(401\)"):
        opened(place, "nobodys").version("c")


def test_what_is_not_there_is_none(place: Kube, bot: KubernetesClusters, space: str) -> None:
    """An object, and a group of kinds that the cluster does not have (for whom may look at it: rights come first)."""
    assert bot.secret("c", space, "none") is None
    assert bot.find("c", CONFIG_MAP, "none", space) is None
    unknown = Kind(group="nobody.example.com", version="v1", plural="things", kind="Thing")
    admin = opened(place, place.admin)
    assert admin.find("c", unknown, "none", space) is None
    assert admin.all("c", unknown, space) == ()
    old = Kind(group="apps", version="v1beta9", plural="deployments", kind="Deployment")
    assert admin.all("c", old, space) == ()
    strange = Kind(group="", version="v1", plural="things", kind="Thing")
    assert admin.all("c", strange, space) == ()


def test_kinds_of_openshift(place: Kube, space: str) -> None:
    """MachineConfigPools are read where there are any; a cluster without them has none."""
    admin = opened(place, place.admin)
    before = admin.all("c", MACHINE_CONFIG_POOL)
    if place.url != LIVE.rstrip("/"):
        place.define(MACHINE_CONFIG_POOL.group, MACHINE_CONFIG_POOL.kind)
    assert admin.find("c", MACHINE_CONFIG_POOL, "none") is None
    assert len(admin.all("c", MACHINE_CONFIG_POOL)) >= len(before)


def test_objects_come_as_they_are(place: Kube, bot: KubernetesClusters, space: str) -> None:
    """`find` and `all` give the JSON of the API; selectors choose."""
    for number in range(3):
        metadata = {"name": f"look-{number}", "labels": {"look": "yes", "odd": str(number % 2)}}
        bot.create("c", CONFIG_MAP, {"metadata": metadata, "data": {"n": str(number)}}, space)
    found = bot.find("c", CONFIG_MAP, "look-1", space)
    assert found
    assert found["data"] == {"n": "1"}
    names = [item["metadata"]["name"] for item in bot.all("c", CONFIG_MAP, space, labels="look=yes")]
    assert names == ["look-0", "look-1", "look-2"]
    assert len(bot.all("c", CONFIG_MAP, space, labels="look=yes,odd=0")) == 2
    assert len(bot.all("c", CONFIG_MAP, space, fields="metadata.name=look-2")) == 1


def test_lists_come_in_pages(place: Kube, bot: KubernetesClusters, space: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many pages there are, each object comes once, in order."""
    for number in range(7):
        bot.create("c", CONFIG_MAP, {"metadata": {"name": f"page-{number}", "labels": {"page": "yes"}}}, space)
    monkeypatch.setattr("bot.tools.kubernetes_reader.PAGE", 2)
    names = [item["metadata"]["name"] for item in bot.all("c", CONFIG_MAP, space, labels="page=yes")]
    assert names == [f"page-{number}" for number in range(7)]


def test_namespaces_and_their_lack(place: Kube, space: str) -> None:
    """A namespace is an object; writing into one that is not there is told as that."""
    admin = opened(place, place.admin)
    assert admin.find("c", NAMESPACE, space)
    assert admin.find("c", NAMESPACE, "no-such-namespace") is None
    with pytest.raises(Refused, match="has no namespace no-such-namespace"):
        admin.write_secret("c", wanted("no-such-namespace", "s", a="1"), was=None)


def test_rights_are_told(place: Kube, bot: KubernetesClusters, limited: KubernetesClusters, space: str) -> None:
    """SelfSubjectAccessReview tells each apart: verb, resource, group, namespace."""
    assert bot.allowed("c", Access(verb="update", resource="secrets", namespace=space))
    assert bot.allowed("c", Access(verb="patch", resource="deployments", group="apps", namespace=space))
    assert not bot.allowed("c", Access(verb="patch", resource="deployments", namespace=space))
    assert not bot.allowed("c", Access(verb="list", resource="secrets", namespace=space))
    assert not bot.allowed("c", Access(verb="get", resource="secrets", namespace="kube-system"))
    assert limited.allowed("c", Access(verb="get", resource="secrets", namespace=space, name="x"))
    assert not limited.allowed("c", Access(verb="update", resource="secrets", namespace=space))


def test_patching(place: Kube, bot: KubernetesClusters, space: str) -> None:
    """A merge patch changes what it names, null removes; the restart annotation makes a new generation."""
    place.deployment(space, "web", wait=False)
    before = bot.find("c", DEPLOYMENT, "web", space)
    assert before
    stamp = {"kubectl.kubernetes.io/restartedAt": "2026-01-01T00:00:00Z"}
    change = {"spec": {"template": {"metadata": {"annotations": stamp}}}}
    patiently(lambda: bot.patch("c", DEPLOYMENT, "web", change, space,
                                was=bot.find("c", DEPLOYMENT, "web", space)["metadata"]["resourceVersion"]))  # type: ignore[index]  # it is there  # fmt: skip
    now = bot.find("c", DEPLOYMENT, "web", space)
    assert now
    assert now["spec"]["template"]["metadata"]["annotations"] == stamp
    assert now["metadata"]["generation"] == before["metadata"]["generation"] + 1
    none = {"spec": {"template": {"metadata": {"annotations": {"kubectl.kubernetes.io/restartedAt": None}}}}}
    bot.patch("c", DEPLOYMENT, "web", none, space)
    now = bot.find("c", DEPLOYMENT, "web", space)
    assert now
    assert not now["spec"]["template"]["metadata"].get("annotations")
    with pytest.raises(Drifted, match="not there any more"):
        bot.patch("c", DEPLOYMENT, "none", none, space)


def patiently(write: Callable[[], None]) -> None:
    """The controller writes the status of what is new; a few tries meet a quiet moment."""
    for _ in range(20):
        try:
            return write()
        except Drifted:
            time.sleep(0.05)  # the controller's turn, not ours
    raise AssertionError("no quiet moment")


@pytest.mark.slow
def test_a_rollout_by_hand(kube: Kube) -> None:
    """With the tests' own hand for a kubelet, a real Deployment becomes available, is restarted, and can be stuck."""
    admin, space = opened(kube, kube.admin), kube.namespace()
    kube.deployment(space, "web", replicas=2)
    kube.running(space, "web")

    def state() -> tuple[Any, ...]:
        found = admin.find("c", DEPLOYMENT, "web", space)
        assert found
        told = found["status"]
        return (told.get("observedGeneration") == found["metadata"]["generation"], told.get("updatedReplicas"),
                told.get("availableReplicas"))  # fmt: skip

    until(lambda: state() == (True, 2, 2))
    stamp = {"kubectl.kubernetes.io/restartedAt": "2026-01-01T00:00:00Z"}
    admin.patch("c", DEPLOYMENT, "web", {"spec": {"template": {"metadata": {"annotations": stamp}}}}, space)
    until(lambda: state()[:2] == (True, 1))
    new = [pod for pod in admin.all("c", POD, space) if pod["metadata"].get("annotations", {}).items() >= stamp.items()]
    assert len(new) == 1
    kube.failing(space, "web", reason="ErrImagePull", message="no basic auth credentials")
    waiting = [pod["status"]["containerStatuses"][0]["state"]["waiting"] for pod in admin.all("c", POD, space)]
    assert {"reason": "ErrImagePull", "message": "no basic auth credentials"} in waiting

    def settled() -> bool:
        kube.running(space, "web")
        kube.gone(space)
        return state() == (True, 2, 2)

    until(settled)


def test_creating_and_deleting(place: Kube, bot: KubernetesClusters, space: str) -> None:
    """A second of the same name is Drifted; a delete of what is gone is nothing."""
    body = {"metadata": {"name": "once"}, "data": {"a": "1"}}
    bot.create("c", CONFIG_MAP, body, space)
    with pytest.raises(Drifted, match="There is already configmaps/once"):
        bot.create("c", CONFIG_MAP, body, space)
    for _ in range(2):
        bot.delete("c", CONFIG_MAP, "once", space)
        assert bot.find("c", CONFIG_MAP, "once", space) is None


def test_a_pod_is_gone_at_once(place: Kube, bot: KubernetesClusters, space: str) -> None:
    """Without grace: nobody waits for a kubelet."""
    spec = {"containers": [{"name": "main", "image": "registry.example.com/web:1"}], "restartPolicy": "Never",
            "automountServiceAccountToken": False}  # fmt: skip
    patiently_found(lambda: bot.find("c", SERVICE_ACCOUNT, "default", space))
    bot.create("c", POD, {"metadata": {"name": "short"}, "spec": spec}, space)
    assert bot.find("c", POD, "short", space)
    bot.delete("c", POD, "short", space)
    assert bot.find("c", POD, "short", space) is None


def patiently_found(find: Callable[[], Any]) -> None:
    end = time.monotonic() + 60
    while not find():
        assert time.monotonic() < end
        time.sleep(0.1)


def test_each_lacking_right_is_named(place: Kube, limited: KubernetesClusters, space: str) -> None:
    """Who, which verb, what and where."""
    version = made(place, space, "locked")
    tries: dict[str, Callable[[], object]] = {
        "update secrets/locked": lambda: limited.write_secret("c", wanted(space, "locked", a="1"), was=version),
        "create secrets/fresh2": lambda: limited.write_secret("c", wanted(space, "fresh2", a="1"), was=None),
        "delete secrets/locked": lambda: limited.delete_secret("c", space, "locked"),
        "list pods": lambda: limited.all("c", POD, space),
        "get deployments.apps/web": lambda: limited.find("c", DEPLOYMENT, "web", space),
        "patch deployments.apps/web": lambda: limited.patch("c", DEPLOYMENT, "web", {}, space),
    }
    for said, attempt in tries.items():
        with pytest.raises(Refused) as caught:
            attempt()
        who = f"system:serviceaccount:{space}:limited"
        assert f"does not let {who} {said} in namespace {space} (403)" in caught.value.what
        assert "deploy/rbac" in caught.value.now
