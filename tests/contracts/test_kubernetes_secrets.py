"""What the bot relies on in Kubernetes for Secrets, asked of the clusters of conftest.py."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from bot.core.errors import Drifted, Refused
from bot.core.kubernetes import (
    SERVICE_ACCOUNT,
)
from bot.tools.kubernetes import KubernetesClusters
from tests.contracts.in_clusters import BINARY, b64, made, plain, raw, wanted
from tests.kube import Kube


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
        bot.write_secret("c", wanted(space, "moved", mine="new"), was=version, backup_for="r-1")
    assert plain(bot.secret("c", space, "moved"))["mine"] == "theirs now"
    assert bot.secret("c", space, "moved-before-hivekeeper") is None
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
    bot.write_secret("c", wanted(space, "undone", mine="new"), was=version, backup_for="r-1")
    copy = raw(place, space, "undone-before-hivekeeper")
    assert (copy["data"], copy["type"]) == (before["data"], before["type"])
    assert copy["metadata"]["annotations"]["hivekeeper/backup-of"] == "undone"
    assert "team" not in copy["metadata"]["labels"]
    for _ in range(2):
        bot.restore_secret("c", space, "undone", run="r-1")
        now = raw(place, space, "undone")
        assert (now["data"], now["type"]) == (before["data"], before["type"])
        assert now["metadata"]["labels"] == {"team": "a"}
        assert now["metadata"]["annotations"] == {"note": "b"}


def test_undo_of_another_type(place: Kube, bot: KubernetesClusters, space: str) -> None:
    """Backed up, deleted and made anew with another type: undo brings the old one back, also from the middle."""
    version = made(place, space, "retyped")
    before = raw(place, space, "retyped")["data"]
    bot.back_up_secret("c", space, "retyped", was=version, run="r-1")
    bot.delete_secret("c", space, "retyped", was=version)
    bot.restore_secret("c", space, "retyped", run="r-1")  # killed in the middle
    now = raw(place, space, "retyped")
    assert now["data"] == before
    bot.delete_secret("c", space, "retyped", was=now["metadata"]["resourceVersion"])
    new = wanted(space, "retyped", "kubernetes.io/dockerconfigjson", **{".dockerconfigjson": '{"auths": {}}'})
    bot.write_secret("c", new, was=None)
    bot.restore_secret("c", space, "retyped", run="r-1")
    now = raw(place, space, "retyped")
    assert (now["type"], now["data"]) == ("Opaque", before)


def test_undo_removes_what_was_new(place: Kube, bot: KubernetesClusters, space: str) -> None:
    """Without a backup there was nothing before; and what is gone stays gone."""
    bot.write_secret("c", wanted(space, "fresh", a="1"), was=None)
    for _ in range(2):
        bot.restore_secret("c", space, "fresh", run="r-1")
        assert bot.secret("c", space, "fresh") is None


def test_undo_leaves_alone_what_others_wrote(place: Kube, bot: KubernetesClusters, space: str) -> None:
    """Another run's, and what somebody changed under our annotation."""
    version = made(place, space, "others")
    bot.write_secret("c", wanted(space, "others", mine="new"), was=version, backup_for="r-1")
    bot.restore_secret("c", space, "others", run="r-2")
    assert plain(bot.secret("c", space, "others"))["mine"] == "new"
    place.must("PATCH", f"/api/v1/namespaces/{space}/secrets/others", {"data": {"mine": b64("theirs")}})
    bot.restore_secret("c", space, "others", run="r-1")
    assert plain(bot.secret("c", space, "others"))["mine"] == "theirs"


def test_the_first_backup_stays(place: Kube, bot: KubernetesClusters, space: str) -> None:
    """A run that writes again does not keep what it wrote itself."""
    version = made(place, space, "twice")
    bot.write_secret("c", wanted(space, "twice", mine="one"), was=version, backup_for="r-1")
    version = raw(place, space, "twice")["metadata"]["resourceVersion"]
    bot.write_secret("c", wanted(space, "twice", mine="two"), was=version, backup_for="r-1")
    assert plain(bot.secret("c", space, "twice-before-hivekeeper"))["mine"] == "old"


def test_a_big_secret(place: Kube, bot: KubernetesClusters, space: str) -> None:
    """Nearly 1 MiB is written and read; more is refused in words."""
    bot.write_secret("c", wanted(space, "big", a="x" * 1_000_000), was=None)
    assert len(plain(bot.secret("c", space, "big"))["a"]) == 1_000_000
    with pytest.raises(Refused, match=r"\((413|422)\)"):
        bot.write_secret("c", wanted(space, "bigger", a="x" * 1_100_000), was=None)
    with pytest.raises(Refused, match=r"\((413|422)\)"):
        bot.write_secret("c", wanted(space, "biggest", a="x" * 4_000_000), was=None)
