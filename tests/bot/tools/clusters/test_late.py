"""What a cluster does after its answer was given up, and what cannot be known of it."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from bot.core.errors import Transient
from bot.core.kubernetes import DEPLOYMENT, SecretObject
from bot.core.secret import Secret
from bot.tools.kubernetes import KubernetesClusters
from playground import broken
from playground import kubernetes as playing
from playground import kubernetes_kinds as kinds
from playground.kubernetes import KubernetesStandIn
from playground.kubernetes_answers import Answer
from playground.kubernetes_faults import Fault, unavailable

Opened = Callable[..., KubernetesClusters]
PATCH = {"spec": {"paused": True}}
RUN = "r-1"


@pytest.fixture
def served(opened: Opened) -> Iterator[tuple[KubernetesStandIn, Callable[[], KubernetesClusters]]]:
    """A cluster, and the bot's own way to it; a second such stands for an earlier try that is still on its way."""
    with playing.serve() as (cluster, server):
        yield cluster, lambda: opened(server.url, text=cluster.admin)


def patch(clusters: KubernetesClusters) -> None:
    clusters.patch("dev", DEPLOYMENT, "ocm", PATCH, "default")


def test_nothing_is_sent_after_its_time(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that is slow to resolve: who was told that there is no answer must not be surprised by a write."""
    resolved, slow = socket.getaddrinfo, threading.Event()

    def slowly(*args: Any, **named: Any) -> Any:
        slow.wait(10)
        return resolved(*args, **named)

    monkeypatch.setattr(socket, "getaddrinfo", slowly)
    with broken.broken(broken.cut(broken.answer(200, b"{}"))) as server:
        clusters = opened(server.url, timeout=0.1)
        with pytest.raises(Transient, match=r"did not answer within 0\.1 s"):
            patch(clusters)
        late = [thread for thread in threading.enumerate() if thread.name == "look"]
        slow.set()
        for thread in late:
            thread.join(10)
        assert server.heard == 0


UNKNOWN = [
    (Fault(verb="patch", answer=Answer(500, {"kind": "Status"})), True),
    (Fault(verb="patch", answer=Answer(504, {"kind": "Status"})), True),
    (Fault(verb="patch", cut=0), True),
    (Fault(verb="patch", answer=unavailable()), False),
    (Fault(verb="get", answer=Answer(504, {"kind": "Status"})), False),
    (Fault(verb="get", cut=0), False),
]


@pytest.mark.parametrize(("fault", "unheard"), UNKNOWN)
def test_what_came_of_a_change_may_be_unknown(fault: Fault, unheard: bool, served: Any) -> None:
    """After a cut, or when the server gave up waiting for its own store; not when it was not even let in, and never
    for a look."""
    cluster, way = served
    cluster.put(kinds.DEPLOYMENT, {"metadata": {"name": "ocm", "namespace": "default"}, "spec": {}})
    cluster.faults.add(fault)
    with pytest.raises(Transient) as told:
        patch(way()) if fault.verb == "patch" else way().find("dev", DEPLOYMENT, "ocm", "default")
    assert told.value.unheard is unheard


def test_silence_after_a_change_is_unknown(opened: Opened) -> None:
    """It may have been carried out; where nobody listens it was not."""
    with broken.broken(broken.silent) as server, pytest.raises(Transient) as told:
        patch(opened(server.url, timeout=0.2))
    assert told.value.unheard
    with pytest.raises(Transient) as told:
        patch(opened(f"http://127.0.0.1:{broken.unused_port()}"))
    assert not told.value.unheard


def wanted(name: str, text: str) -> SecretObject:
    return SecretObject("default", name, "Opaque", {"mine": Secret(text)}, "", 0, {}, {"hivekeeper/run": RUN})


def write(way: KubernetesClusters, name: str, text: str = "ours") -> None:
    now = way.secret("dev", "default", name)
    assert now
    way.write_secret("dev", wanted(name, text), was=now.resource_version, backup_for=RUN)


@pytest.mark.parametrize("earlier", [False, True], ids=["none before", "an earlier run's"])
def test_our_own_backup_that_lands_late_is_no_drift(earlier: bool, served: Any) -> None:
    """A try that was given up keeps its copy just when the next one does: it is this run's, and that is what counts."""
    cluster, way = served
    bot, before = way(), way()
    bot.write_secret("dev", replace(wanted("s", "old"), annotations={}), was=None)
    now = bot.secret("dev", "default", "s")
    if earlier:
        bot.back_up_secret("dev", "default", "s", was=now.resource_version, run="r-0")

    def lands(entry: Any, moment: str) -> None:
        cluster.on_write = None
        before.back_up_secret("dev", "default", "s", was=now.resource_version, run=RUN)

    cluster.on_write = lands
    write(bot, "s")
    assert bot.secret("dev", "default", "s").data["mine"].reveal() == "ours"
    assert bot.kept_secret("dev", "default", "s", run=RUN).data["mine"].reveal() == "old"


def test_a_backup_that_comes_late_is_no_doubt(served: Any) -> None:
    """Nothing was changed in the Secret itself, and nothing will be."""
    cluster, way = served
    bot = way()
    bot.write_secret("dev", replace(wanted("s", "old"), annotations={}), was=None)
    cluster.faults.add(Fault(verb="create", resource="secrets", answer=Answer(504, {"kind": "Status"})))
    with pytest.raises(Transient) as told:
        write(bot, "s")
    assert not told.value.unheard


def test_what_others_wrote_between_two_tries_comes_back(served: Any) -> None:
    """The first try kept a copy and could not write; somebody else wrote, and that is what undo has to put back."""
    cluster, way = served
    bot = way()
    bot.write_secret("dev", replace(wanted("s", "old"), annotations={}), was=None)
    cluster.faults.add(Fault(verb="update", resource="secrets", name="s", times=1, answer=unavailable()))
    with pytest.raises(Transient):
        write(bot, "s")
    theirs, was = replace(wanted("s", "theirs"), annotations={}), bot.secret("dev", "default", "s").resource_version
    bot.write_secret("dev", theirs, was=was)
    write(bot, "s")
    bot.restore_secret("dev", "default", "s", run=RUN)
    assert bot.secret("dev", "default", "s").data["mine"].reveal() == "theirs"


def test_a_second_write_of_one_run_keeps_what_was_before_the_first(served: Any) -> None:
    """Two steps of one run at one Secret: what was there before the run comes back."""
    _, way = served
    bot = way()
    bot.write_secret("dev", replace(wanted("s", "old"), annotations={}), was=None)
    write(bot, "s", "first")
    write(bot, "s", "second")
    bot.restore_secret("dev", "default", "s", run=RUN)
    assert bot.secret("dev", "default", "s").data["mine"].reveal() == "old"
