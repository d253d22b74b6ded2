"""OCM, asked no more often than clusters themselves would: what it said is remembered for those who need not know anew.

In memory only, and never a document: while a window is open, each question is asked. While OCM then does
not say, the transfer that it showed last is told with the trouble, for its time runs on.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Protocol

from bot.core.ocm import Offered, Transfer, Window, Wish
from bot.core.ports import Fingerprints
from bot.core.secret import Secret
from bot.tools import ocm_support

FIRST, STEPS = 24, 5  # the operator's backoff: at first a 24th of the interval, then five times twice as long
KEPT_SECONDS = 7 * 86400.0
Key = tuple[str, str, str]


class Asked(Protocol):
    def offered(self, cluster_id: str, auth: Secret, *, endpoint: str = "") -> Offered: ...


@dataclass(frozen=True)
class Answered:
    """`failures`: how often it failed in a row, this time included."""

    at: float
    window: Window
    failures: int

    def good_for(self, within: float) -> float:
        """Seconds that it need not be asked again."""
        if not self.failures:
            return within
        return float(min(within, within / FIRST * 2 ** min(self.failures - 1, STEPS)))


class RememberedOcm:
    """Implements `bot.core.ocm.Ocm`. Thread-safe."""

    def __init__(self, asked: Asked, fingerprints: Fingerprints, ticks: Callable[[], float] = time.monotonic) -> None:
        self._asked, self._fingerprints, self._ticks = asked, fingerprints, ticks
        self._lock = threading.Lock()
        self._known: dict[Key, Answered] = {}
        self._open: dict[Key, tuple[float, Transfer]] = {}  # when it was seen last

    def offered(self, cluster_id: str, auth: Secret, *, endpoint: str = "", within: float = 0) -> Offered:
        key = cluster_id, self._fingerprints.of(auth), endpoint
        known = self._known.get(key)
        if known is not None and self._ticks() - known.at < known.good_for(within):
            return Offered(known.window)
        found = self._asked.offered(cluster_id, auth, endpoint=endpoint)
        return self._remember(key, found, known)

    def wished(self, support: Mapping[str, Secret]) -> Wish:
        return ocm_support.wished(support)

    def _remember(self, key: Key, found: Offered, before: Answered | None) -> Offered:
        failed = found.window.degraded or found.window.reason == "Disconnected"
        failures = (before.failures if before else 0) + 1 if failed else 0
        now = self._ticks()
        with self._lock:
            self._tidy(now)
            if not found.window.said and key in self._open:
                found = replace(found, window=found.window.model_copy(update={"transfer": self._open[key][1]}))
            elif found.window.transfer is not None:
                self._open[key] = now, found.window.transfer
            else:
                self._open.pop(key, None)
            if found.document is None:
                self._known[key] = Answered(now, found.window, failures)
            else:
                self._known.pop(key, None)
        return found

    def _tidy(self, now: float) -> None:
        for known in [key for key, one in self._known.items() if now - one.at > KEPT_SECONDS]:
            del self._known[known]
        for seen in [key for key, (at, _) in self._open.items() if now - at > KEPT_SECONDS]:
            del self._open[seen]
