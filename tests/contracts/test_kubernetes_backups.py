"""The one backup beside a Secret, for runs that come one after another; asked of the clusters of conftest.py."""

from __future__ import annotations

import secrets as chance
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from bot.core.errors import Drifted, Refused, Told, Transient
from bot.core.kubernetes import backup_name
from bot.tools.kubernetes import KubernetesClusters
from playground import kubernetes as playing
from playground.kubernetes import KubernetesStandIn
from tests.contracts.in_clusters import b64, made, opened, plain, raw, wanted
from tests.kube import Kube

DOCKER = "kubernetes.io/dockerconfigjson"
FIRST, SECOND = "r-first22", "r-second"


@pytest.fixture
def name(place: Kube, space: str) -> str:
    """Of a Secret that holds mine=old, and what is no text."""
    made(place, space, name := f"s-{chance.token_hex(4)}")
    return name


def write(bot: KubernetesClusters, space: str, name: str, run: str) -> None:
    """What a run's step does: it looks, and puts its own name there."""
    now = bot.secret("c", space, name)
    new = replace(wanted(space, name, mine=f"by {run}"), annotations={"hivekeeper/run": run})
    bot.write_secret("c", new, was=now.resource_version if now else None, backup_for=run if now else "")


def mine(bot: KubernetesClusters, space: str, name: str) -> str | None:
    return plain(bot.secret("c", space, name)).get("mine")


def kept(bot: KubernetesClusters, space: str, name: str, run: str) -> str | None:
    return plain(bot.kept_secret("c", space, name, run=run)).get("mine")


def test_a_later_run_takes_the_place(bot: KubernetesClusters, space: str, name: str) -> None:
    """There is one backup: the last run's, of what the run before it wrote."""
    write(bot, space, name, FIRST)
    assert kept(bot, space, name, FIRST) == "old"
    write(bot, space, name, SECOND)
    assert kept(bot, space, name, FIRST) is None
    assert kept(bot, space, name, SECOND) == mine(bot, space, backup_name(name)) == f"by {FIRST}"


def test_undo_of_the_second(place: Kube, bot: KubernetesClusters, space: str, name: str) -> None:
    """What the first run wrote comes back, to the byte; as often as it is asked for."""
    write(bot, space, name, FIRST)
    before = raw(place, space, name)
    write(bot, space, name, SECOND)
    for _ in range(2):
        bot.restore_secret("c", space, name, run=SECOND)
        now = raw(place, space, name)
        assert (now["data"], now["metadata"]["annotations"]) == (before["data"], before["metadata"]["annotations"])


def test_undo_of_the_first_comes_too_late(bot: KubernetesClusters, space: str, name: str) -> None:
    """A later run's backup is not taken for one's own: it says whose stands there, and changes nothing."""
    write(bot, space, name, FIRST)
    now = bot.secret("c", space, name)
    assert now
    bot.back_up_secret("c", space, name, was=now.resource_version, run=SECOND)  # begun, and not written yet
    for written in (FIRST, SECOND):
        with pytest.raises(Refused, match=rf"Run {SECOND} has worked on the Secret {space}/{name} since") as told:
            bot.restore_secret("c", space, name, run=FIRST)
        assert "new plan" in told.value.now
        assert mine(bot, space, name) == f"by {written}"
        assert kept(bot, space, name, SECOND) == f"by {FIRST}"
        write(bot, space, name, SECOND)


def test_retire_of_the_first_leaves_the_second(bot: KubernetesClusters, space: str, name: str) -> None:
    """Only its own run removes a backup; then it is gone, and removing it again is nothing."""
    write(bot, space, name, FIRST)
    write(bot, space, name, SECOND)
    bot.drop_backup("c", space, name, run=FIRST)
    assert kept(bot, space, name, SECOND) == f"by {FIRST}"
    for _ in range(2):
        bot.drop_backup("c", space, name, run=SECOND)
        assert bot.secret("c", space, backup_name(name)) is None
    assert mine(bot, space, name) == f"by {SECOND}"


def test_what_was_new_goes_past_an_old_backup(bot: KubernetesClusters, space: str, name: str) -> None:
    """A run that found nothing removes what it made, and does not put back what an earlier run had kept."""
    write(bot, space, name, FIRST)
    bot.delete_secret("c", space, name)
    bot.restore_secret("c", space, name, run=SECOND)  # it never began
    assert bot.secret("c", space, name) is None
    write(bot, space, name, SECOND)
    for _ in range(2):
        bot.restore_secret("c", space, name, run=SECOND)
        assert bot.secret("c", space, name) is None
    assert kept(bot, space, name, FIRST) == "old"
    bot.restore_secret("c", space, name, run=FIRST)  # whose it is may still have it
    assert mine(bot, space, name) == "old"


def test_of_another_type(bot: KubernetesClusters, space: str, name: str) -> None:
    """An earlier run's backup of another type is replaced all the same."""
    write(bot, space, name, FIRST)
    bot.delete_secret("c", space, name)
    bot.write_secret("c", wanted(space, name, DOCKER, **{".dockerconfigjson": "{}"}), was=None)
    now = bot.secret("c", space, name)
    assert now
    bot.back_up_secret("c", space, name, was=now.resource_version, run=SECOND)
    copy = bot.kept_secret("c", space, name, run=SECOND)
    assert copy
    assert (copy.type, plain(copy)) == (DOCKER, {".dockerconfigjson": "{}"})


def test_a_secret_of_somebody_else_in_the_way(place: Kube, bot: KubernetesClusters, space: str, name: str) -> None:
    """It is neither taken for a backup nor written over nor removed, and nothing is written without a backup."""
    made(place, space, backup_name(name))
    before = raw(place, space, backup_name(name))
    with pytest.raises(Refused, match=f"{space}/{backup_name(name)} is where the backup of {name} goes"):
        write(bot, space, name, FIRST)
    bot.restore_secret("c", space, name, run=FIRST)
    bot.drop_backup("c", space, name, run=FIRST)
    assert bot.kept_secret("c", space, name, run=FIRST) is None
    assert mine(bot, space, name) == "old"
    bot.delete_secret("c", space, name)
    write(bot, space, name, FIRST)
    with pytest.raises(Refused, match=f"{space}/{backup_name(name)} is where the backup of {name} goes"):
        bot.restore_secret("c", space, name, run=FIRST)
    assert mine(bot, space, name) == f"by {FIRST}"
    assert raw(place, space, backup_name(name)) == before


def test_a_backup_that_somebody_wrote_at_the_same_time(place: Kube, bot: KubernetesClusters, space: str, name: str) -> None:  # fmt: skip
    """It is replaced as it was seen, or not at all."""
    write(bot, space, name, FIRST)
    seen = raw(place, space, backup_name(name))
    place.must("PATCH", f"/api/v1/namespaces/{space}/secrets/{backup_name(name)}", {"data": {"mine": b64("moved")}})
    new = {**raw(place, space, backup_name(name)), "data": {}}
    with pytest.raises(Drifted, match="Somebody else changed"):
        bot._replace("c", new | {"metadata": {"name": backup_name(name), "namespace": space}}, seen)
    with pytest.raises(Drifted, match="Somebody else changed"):
        bot._replace("c", new | {"type": DOCKER, "metadata": {"name": backup_name(name), "namespace": space}}, seen)
    assert mine(bot, space, backup_name(name)) == "moved"


# --- killed at any write ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def played() -> Iterator[tuple[KubernetesStandIn, Kube]]:
    with playing.serve() as (cluster, server):
        yield cluster, Kube(server.url, cluster.admin)


def killed(cluster: KubernetesStandIn, call: Callable[[], None], at: int) -> bool:
    """The call, with nothing coming through after its write number `at`; was there such a write?"""
    writes = 0

    def goes(_: object, when: str) -> None:
        nonlocal writes
        writes += when == "after"
        if (writes, when) == (at, "after"):
            cluster.down()

    cluster.on_write = goes
    try:
        call()
    except Told as told:
        assert isinstance(told, Transient), told
    cluster.on_write = None
    cluster.heal()
    return writes >= at


@pytest.mark.parametrize("earlier", ["none", "same type", "other type"])
def test_killed_and_begun_again(played: tuple[KubernetesStandIn, Kube], earlier: str) -> None:
    """Between any two writes, of doing and of undoing, the run goes on where it was: it is written once more or is
    there, what was before comes back as it was, and the backup is the run's own, of just that."""
    cluster, place = played
    space = place.namespace()
    bot = opened(place, cluster.admin)
    for at in range(1, 6):
        made(place, space, name := f"s-{at}")
        if earlier != "none":
            write(bot, space, name, FIRST)
        if earlier == "other type":
            bot.delete_secret("c", space, name)
            bot.write_secret("c", wanted(space, name, DOCKER, **{".dockerconfigjson": "{}"}), was=None)
        before = raw(place, space, name)

        def do(name: str = name) -> None:
            now = bot.secret("c", space, name)
            assert now
            if now.annotations.get("hivekeeper/run") != SECOND:
                new = replace(now, annotations={"hivekeeper/run": SECOND})
                bot.write_secret("c", new, was=now.resource_version, backup_for=SECOND)

        def undo(name: str = name) -> None:
            bot.restore_secret("c", space, name, run=SECOND)

        more = killed(cluster, do, at)
        do()
        copy = raw(place, space, backup_name(name))
        assert (copy["data"], copy["type"]) == (before["data"], before["type"])
        assert raw(place, space, name)["metadata"]["annotations"]["hivekeeper/run"] == SECOND
        killed(cluster, undo, at)
        undo()
        now = raw(place, space, name)
        assert (now["data"], now["type"]) == (before["data"], before["type"])
        assert now["metadata"].get("annotations") == before["metadata"].get("annotations")
        if not more:
            break
    assert not more, "it never came to an end"
    assert at == {"none": 3, "same type": 3, "other type": 4}[earlier], "the kills were between the writes"
