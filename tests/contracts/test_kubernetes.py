"""What the bot relies on in Kubernetes. Always asked of the stand-in; of a real API server 1.20 where
../shared/tools/kube-apiserver can build one (slow); and of your own when HIVEKEEPER_LIVE_CLUSTER (its address) and
HIVEKEEPER_LIVE_CLUSTER_ADMIN (the token of somebody who may do everything) are set, with HIVEKEEPER_LIVE_CLUSTER_CA for
its CA file. There it makes namespaces of random names and removes them."""

from __future__ import annotations

import base64
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bot.clusters import Cluster
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
    SecretObject,
)
from bot.core.secret import Secret
from bot.settings import FromEnv
from bot.tools.fingerprints import KeyedFingerprints
from bot.tools.kubernetes import KubernetesClusters, open_clusters
from playground import kubernetes as playing
from tests.kube import BUILD, Kube

LIVE, ADMIN, CA = (os.environ.get(f"HIVEKEEPER_LIVE_CLUSTER{part}", "") for part in ("", "_ADMIN", "_CA"))
PLACES: list[Any] = ["stand-in"]
if BUILD.exists():  # its first build takes four minutes
    PLACES.append(pytest.param("kube-apiserver", marks=[pytest.mark.slow, pytest.mark.timeout(900)]))
if LIVE and ADMIN:
    PLACES.append("live")
FINGERPRINTS = KeyedFingerprints(Secret("a key for these tests only"))
RUN = {"hivekeeper/run": "r-1"}
SECRETS = {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get", "create", "update", "delete"]}
OTHERS = {"apiGroups": [""], "resources": ["configmaps", "serviceaccounts", "pods"],
          "verbs": ["get", "list", "create", "patch", "delete"]}  # fmt: skip
APPS = {"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["get", "list", "patch"]}
BINARY = bytes(range(256))


@pytest.fixture(scope="module", params=PLACES)
def place(request: pytest.FixtureRequest) -> Iterator[Kube]:
    if request.param == "stand-in":
        with playing.serve() as (cluster, server):
            yield Kube(server.url, cluster.admin)
    elif request.param == "kube-apiserver":
        yield request.getfixturevalue("kube")
    else:
        live = Kube(LIVE.rstrip("/"), ADMIN, Path(CA) if CA else None)
        yield live
        live.clear()


def opened(place: Kube, token: str) -> KubernetesClusters:
    cluster = Cluster(address=place.url, ca_file=place.ca_file, token=FromEnv(env="T"), timeout=20)
    return open_clusters({"c": cluster}, lambda _: Secret(token), FINGERPRINTS)


@pytest.fixture(scope="module")
def space(place: Kube) -> str:
    return place.namespace()


@pytest.fixture(scope="module")
def bot(place: Kube, space: str) -> KubernetesClusters:
    return opened(place, place.account(space, rules=[SECRETS, OTHERS, APPS]))


@pytest.fixture(scope="module")
def limited(place: Kube, space: str) -> KubernetesClusters:
    """May only get Secrets."""
    return opened(place, place.account(space, "limited", rules=[{**SECRETS, "verbs": ["get"]}]))


def wanted(space: str, name: str, kind: str = "Opaque", **data: str) -> SecretObject:
    return SecretObject(space, name, kind, {key: Secret(value) for key, value in data.items()}, "", 0,
                        {"app.kubernetes.io/managed-by": "hivekeeper"}, RUN)  # fmt: skip


def raw(place: Kube, space: str, name: str) -> dict[str, Any]:
    return place.must("GET", f"/api/v1/namespaces/{space}/secrets/{name}")


def plain(found: SecretObject | None) -> dict[str, str]:
    return {key: value.reveal() for key, value in found.data.items()} if found else {}


def b64(value: bytes | str) -> str:
    return base64.b64encode(value.encode() if isinstance(value, str) else value).decode()


def made(place: Kube, space: str, name: str, **more: Any) -> str:
    """A Secret of somebody else's; its resourceVersion."""
    body = {"type": "Opaque", "data": {"mine": b64("old"), "theirs": b64(BINARY)}, **more}
    metadata = {"name": name, "labels": {"team": "a"}, "annotations": {"note": "b"}}
    path = f"/api/v1/namespaces/{space}/secrets"
    return str(place.must("POST", path, {"metadata": metadata, **body})["metadata"]["resourceVersion"])


# --- looking ----------------------------------------------------------------------------------------------


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


# --- Secrets ----------------------------------------------------------------------------------------------


def test_a_secret_is_created_and_read(place: Kube, bot: KubernetesClusters, space: str) -> None:
    """Type, data, labels, annotations and the time of its creation come back; a second creation is Drifted."""
    began = time.time()
    bot.write_secret("c", wanted(space, "new", a="ä", b=""), was=None)
    found = bot.secret("c", space, "new")
    assert found
    assert plain(found) == {"a": "ä", "b": ""}
    assert (found.type, found.labels["app.kubernetes.io/managed-by"]) == ("Opaque", "hivekeeper")
    assert found.annotations["hivekeeper/run"] == "r-1"
    assert abs(found.created_at - began) < 60
    with pytest.raises(Drifted, match=rf"There is already secrets/new in namespace {space}"):
        bot.write_secret("c", wanted(space, "new", a="2"), was=None)


def test_neighbours_stay(place: Kube, bot: KubernetesClusters, space: str) -> None:
    """With `keep`, bytes that are no text stay as they are, and so do labels and annotations."""
    version = made(place, space, "kept")
    bot.write_secret("c", wanted(space, "kept", mine="new"), was=version)
    now = raw(place, space, "kept")
    assert now["data"] == {"mine": b64("new"), "theirs": b64(BINARY)}
    assert now["metadata"]["labels"] == {"team": "a", "app.kubernetes.io/managed-by": "hivekeeper"}
    assert now["metadata"]["annotations"]["note"] == "b"


def test_without_keeping(place: Kube, bot: KubernetesClusters, space: str) -> None:
    """Without `keep` only what is wanted is there; bytes that were read go back as they were."""
    version = made(place, space, "plain")
    before = bot.secret("c", space, "plain")
    assert before
    new = replace(wanted(space, "plain"), data={"again": before.data["theirs"]})
    bot.write_secret("c", new, was=version, keep=False)
    now = raw(place, space, "plain")
    assert now["data"] == {"again": b64(BINARY)}
    assert now["metadata"]["labels"] == {"app.kubernetes.io/managed-by": "hivekeeper"}


def test_what_has_changed_is_not_written_over(place: Kube, bot: KubernetesClusters, space: str) -> None:
    """Another resourceVersion than the one that was looked at, or nothing at all: Drifted, and nothing is written."""
    version = made(place, space, "moved")
    place.must("PATCH", f"/api/v1/namespaces/{space}/secrets/moved", {"data": {"mine": b64("theirs now")}})
    with pytest.raises(Drifted, match=f"Somebody else changed the Secret {space}/moved"):
        bot.write_secret("c", wanted(space, "moved", mine="new"), was=version, backup="moved-before")
    assert plain(bot.secret("c", space, "moved"))["mine"] == "theirs now"
    assert bot.secret("c", space, "moved-before") is None
    with pytest.raises(Drifted, match="not there any more"):
        bot.write_secret("c", wanted(space, "never", mine="new"), was=version)


def test_the_server_itself_refuses_an_old_version(place: Kube, bot: KubernetesClusters, space: str) -> None:
    """Between our look and our write somebody else may come: PUT, PATCH and DELETE of an old version are Drifted."""
    version = made(place, space, "race")
    place.must("PATCH", f"/api/v1/namespaces/{space}/secrets/race", {"data": {"mine": b64("2")}})
    old = {**raw(place, space, "race")}
    old["metadata"]["resourceVersion"] = version
    with pytest.raises(Drifted, match=f"Somebody else changed secrets/race in namespace {space}"):
        bot._put("c", old)
    with pytest.raises(Drifted, match="Somebody else changed"):
        bot.delete_secret("c", space, "race", was=version)
    account = bot.find("c", SERVICE_ACCOUNT, "bot", space)
    assert account
    place.must("PATCH", f"/api/v1/namespaces/{space}/serviceaccounts/bot", {"metadata": {"labels": {"a": "b"}}})
    change, version = {"metadata": {"labels": {"c": "d"}}}, account["metadata"]["resourceVersion"]
    with pytest.raises(Drifted, match="Somebody else changed serviceaccounts/bot"):
        bot.patch("c", SERVICE_ACCOUNT, "bot", change, space, was=version)


def test_a_type_stays(place: Kube, bot: KubernetesClusters, space: str) -> None:
    """Another type is refused by us, and would be by the server; a document that its type does not allow is too."""
    version = made(place, space, "typed")
    other = wanted(space, "typed", "kubernetes.io/dockerconfigjson", **{".dockerconfigjson": "{}"})
    with pytest.raises(Refused, match="of another type"):
        bot.write_secret("c", other, was=version)
    with pytest.raises(Refused, match=r"would not be valid \(422\): .*type"):
        bot._put("c", {**raw(place, space, "typed"), "type": "kubernetes.io/dockerconfigjson"})
    bad = wanted(space, "bad", "kubernetes.io/dockerconfigjson", **{".dockerconfigjson": "not JSON"})
    with pytest.raises(Refused, match="would not be valid"):
        bot.write_secret("c", bad, was=None)


def test_an_immutable_secret_is_refused(place: Kube, bot: KubernetesClusters, space: str) -> None:
    """It says so before it tries."""
    version = made(place, space, "stone", immutable=True)
    with pytest.raises(Refused, match="marked as immutable"):
        bot.write_secret("c", wanted(space, "stone", mine="new"), was=version)


def test_undo_puts_everything_back(place: Kube, bot: KubernetesClusters, space: str) -> None:
    """The backup holds every byte, the labels and the annotations; restored twice it is the same."""
    version = made(place, space, "undone")
    before = raw(place, space, "undone")
    bot.write_secret("c", wanted(space, "undone", mine="new"), was=version, backup="undone-before")
    copy = raw(place, space, "undone-before")
    assert (copy["data"], copy["type"]) == (before["data"], before["type"])
    assert copy["metadata"]["annotations"]["hivekeeper/backup-of"] == "undone"
    assert "team" not in copy["metadata"]["labels"]
    for _ in range(2):
        bot.restore_secret("c", space, "undone", backup="undone-before", ours="r-1")
        now = raw(place, space, "undone")
        assert (now["data"], now["type"]) == (before["data"], before["type"])
        assert now["metadata"]["labels"] == {"team": "a"}
        assert now["metadata"]["annotations"] == {"note": "b"}


def test_undo_of_another_type(place: Kube, bot: KubernetesClusters, space: str) -> None:
    """Backed up, deleted and made anew with another type: undo brings the old one back, also from the middle."""
    version = made(place, space, "retyped")
    before = raw(place, space, "retyped")["data"]
    bot.back_up_secret("c", space, "retyped", was=version, backup="retyped-before")
    bot.delete_secret("c", space, "retyped", was=version)
    bot.restore_secret("c", space, "retyped", backup="retyped-before", ours="r-1")  # killed in the middle
    now = raw(place, space, "retyped")
    assert now["data"] == before
    bot.delete_secret("c", space, "retyped", was=now["metadata"]["resourceVersion"])
    new = wanted(space, "retyped", "kubernetes.io/dockerconfigjson", **{".dockerconfigjson": '{"auths": {}}'})
    bot.write_secret("c", new, was=None)
    bot.restore_secret("c", space, "retyped", backup="retyped-before", ours="r-1")
    now = raw(place, space, "retyped")
    assert (now["type"], now["data"]) == ("Opaque", before)


def test_undo_removes_what_was_new(place: Kube, bot: KubernetesClusters, space: str) -> None:
    """Without a backup there was nothing before; and what is gone stays gone."""
    bot.write_secret("c", wanted(space, "fresh", a="1"), was=None)
    for _ in range(2):
        bot.restore_secret("c", space, "fresh", backup="fresh-before", ours="r-1")
        assert bot.secret("c", space, "fresh") is None


def test_undo_leaves_alone_what_others_wrote(place: Kube, bot: KubernetesClusters, space: str) -> None:
    """Another run's, and what somebody changed under our annotation."""
    version = made(place, space, "others")
    bot.write_secret("c", wanted(space, "others", mine="new"), was=version, backup="others-before")
    bot.restore_secret("c", space, "others", backup="others-before", ours="r-2")
    assert plain(bot.secret("c", space, "others"))["mine"] == "new"
    place.must("PATCH", f"/api/v1/namespaces/{space}/secrets/others", {"data": {"mine": b64("theirs")}})
    bot.restore_secret("c", space, "others", backup="others-before", ours="r-1")
    assert plain(bot.secret("c", space, "others"))["mine"] == "theirs"


def test_the_first_backup_stays(place: Kube, bot: KubernetesClusters, space: str) -> None:
    """A run that writes again does not keep what it wrote itself; a Secret that is no backup is not taken for one."""
    version = made(place, space, "twice")
    bot.write_secret("c", wanted(space, "twice", mine="one"), was=version, backup="twice-before")
    version = raw(place, space, "twice")["metadata"]["resourceVersion"]
    bot.write_secret("c", wanted(space, "twice", mine="two"), was=version, backup="twice-before")
    assert plain(bot.secret("c", space, "twice-before"))["mine"] == "old"
    version = raw(place, space, "twice")["metadata"]["resourceVersion"]
    made(place, space, "in-the-way")
    with pytest.raises(Refused, match=f"{space}/in-the-way is where the backup of twice goes"):
        bot.write_secret("c", wanted(space, "twice", mine="three"), was=version, backup="in-the-way")
    assert plain(bot.secret("c", space, "twice"))["mine"] == "two"


def test_a_big_secret(place: Kube, bot: KubernetesClusters, space: str) -> None:
    """Nearly 1 MiB is written and read; more is refused in words."""
    bot.write_secret("c", wanted(space, "big", a="x" * 1_000_000), was=None)
    assert len(plain(bot.secret("c", space, "big"))["a"]) == 1_000_000
    with pytest.raises(Refused, match=r"\((413|422)\)"):
        bot.write_secret("c", wanted(space, "bigger", a="x" * 1_100_000), was=None)
    with pytest.raises(Refused, match=r"\((413|422)\)"):
        bot.write_secret("c", wanted(space, "biggest", a="x" * 4_000_000), was=None)


# --- other objects ----------------------------------------------------------------------------------------


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
