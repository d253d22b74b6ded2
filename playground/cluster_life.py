"""A played cluster that lives: its Deployments roll out, its pods pull images or cannot, its MachineConfigPools update.

    cluster = KubernetesStandIn()
    life = Life(cluster, {"registry.example.com": registry.good})
    life.step()                       # in tests, by the cluster's own clock: KubernetesStandIn(now=…)
    life.start(); …; life.close()     # in the demo: a thread

A registry's function decides for every pull with (user, password, repository, tag or digest), the first two empty for
nobody, and answers with an outcome that `playground.cluster_pull_texts` knows: ok, unauthorized, expired, denied,
no_repository, no_tag, no_platform, rate_limited, error, dns, tls, timeout or unreachable; after ": " may stand the
registry's own words.
"""

from __future__ import annotations

import threading
import time
from typing import Self

from playground.cluster_events import forget
from playground.cluster_pods import Kubelets
from playground.cluster_pools import Pools
from playground.cluster_pulls import Good, Pulls
from playground.cluster_rollouts import Controllers
from playground.kubernetes import KubernetesStandIn

EVERY = 0.1  # seconds
IDLE = 0.5  # seconds between two steps while nobody writes and nothing is due


class Life:
    """`registries`: by host, who decides; other hosts let everybody pull. `runtime`: whose words pods fail with.
    Without `nodes` pods stay pending until somebody writes their status, as at an API server in a test. `every`:
    seconds between two looks of the thread. As a context manager it is started and closed."""

    def __init__(
        self,
        cluster: KubernetesStandIn,
        registries: dict[str, Good] | None = None,
        runtime: str = "cri-o",
        *,
        nodes: bool = True,
        every: float = EVERY,
    ) -> None:
        self.cluster = cluster
        self.pulls = Pulls(cluster.store, registries or {}, runtime)
        self.kubelets = Kubelets(cluster.store, self.pulls)
        self.pools = Pools(cluster.store)
        self._controllers = Controllers(cluster.store)
        self._nodes, self._every = nodes, every
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def step(self) -> None:
        """What is due by now. A rollout takes several steps, as it takes several moves."""
        if self._nodes:
            self.kubelets.step()
        self._controllers.step()
        self.pools.step()
        forget(self.cluster.store)

    def start(self) -> None:
        self._thread = threading.Thread(target=self._go_on, name="cluster", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._ended.set()
        if self._thread:
            self._thread.join(5)

    def _go_on(self) -> None:
        seen, at = -1, 0.0
        while not self._ended.wait(self._every):
            busy = self.kubelets.busy or self.pools.busy or self.cluster.store.version != seen
            if busy or time.monotonic() >= at + IDLE:
                seen, at = self.cluster.store.version, time.monotonic()
                self.step()
