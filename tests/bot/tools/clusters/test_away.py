"""A cluster that is away keeps nobody waiting."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from bot.clusters import Cluster
from bot.core.errors import Transient
from bot.core.secret import Secret
from bot.sources import FromEnv
from bot.tools.kubernetes import KubernetesClusters, open_clusters
from playground import broken
from tests.bot.tools.clusters.servers import (
    MARKS,
    answering,
    served,
    told_by,
)

Opened = Callable[..., KubernetesClusters]


def test_a_silent_cluster_is_waited_for_once(opened: Opened, clock: Any, token: str) -> None:
    """After a timeout, other calls get the same error at once for five seconds; then it is tried again."""
    with broken.broken(broken.silent) as server:
        clusters = opened(server.url, timeout=0.2)
        first = told_by(lambda: clusters.version("dev"), Transient, token)
        began = time.monotonic()
        for _ in range(300):
            assert told_by(lambda: clusters.secret("dev", "cf-dev", "x"), Transient, token) == first
        assert time.monotonic() - began < 20, "a minute if each of them waited"
        assert server.came(1) == 1
        clock.now = 5.1
        told_by(lambda: clusters.version("dev"), Transient, token)
        assert server.came(2) == 2


def test_a_cluster_that_comes_back(opened: Opened, clock: Any, token: str) -> None:
    """A closed port counts as away; the first answer ends that."""
    port = broken.unused_port()
    clusters = opened(f"http://127.0.0.1:{port}")
    told_by(lambda: clusters.version("dev"), Transient, token)
    with served(port, broken.answer(200, b'{"gitVersion": "v1.33.1"}')):
        told_by(lambda: clusters.version("dev"), Transient, token)
        clock.now = 5.1
        assert clusters.version("dev") == clusters.version("dev") == "v1.33.1"


def test_a_reset_is_no_absence(opened: Opened, token: str) -> None:
    """What is told at once keeps nobody waiting: the next call tries again."""
    with broken.broken(broken.reset) as server:
        clusters = opened(server.url)
        for _ in range(3):
            told_by(lambda: clusters.version("dev"), Transient, token)
        assert server.heard == 3


def test_one_dead_cluster_delays_no_other(token: str) -> None:
    """Looks over ten clusters, sixty of them at a silent one: all others have their answer, and those who wait for the
    silent one fail together, not one after the other, which would take half a minute."""
    good = broken.answer(200, b'{"gitVersion": "v1.33.1"}')
    with answering(good) as alive, broken.broken(broken.silent) as dead:
        known = {f"c{n}": Cluster(address=alive.url, token=FromEnv(env="T"), timeout=60) for n in range(9)}
        known["dead"] = Cluster(address=dead.url, token=FromEnv(env="T"), timeout=0.5)
        clusters = open_clusters(known, lambda _: Secret(token), MARKS)
        began, done = time.monotonic(), []

        def look(name: str) -> str:
            try:
                return clusters.version(name)
            except Transient:
                return "away"
            finally:
                done.append((name, time.monotonic() - began))

        with ThreadPoolExecutor(100) as pool:
            found = list(pool.map(look, [name for _ in range(20) for name in (*known, "dead", "dead")]))
        assert (found.count("away"), found.count("v1.33.1")) == (60, 180)
        assert max(seconds for name, seconds in done if name == "dead") < 15
        assert dead.heard <= 16


def test_at_most_sixteen_at_a_time(opened: Opened) -> None:
    """More calls than that wait their turn."""
    under_way, most, lock = [0], [0], threading.Lock()

    def slow(connection: Any, stopped: threading.Event) -> None:
        with lock:
            under_way[0] += 1
            most[0] = max(most[0], under_way[0])
        stopped.wait(0.02)
        with lock:
            under_way[0] -= 1
        connection.sendall(broken.answer(200, b'{"gitVersion": "v1.33.1"}'))

    with broken.broken(slow) as server, ThreadPoolExecutor(40) as pool:
        clusters = opened(server.url)
        assert set(pool.map(lambda _: clusters.version("dev"), range(80))) == {"v1.33.1"}
    assert 1 < most[0] <= 16
