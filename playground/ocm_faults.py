"""Faults to order for the stand-in for OCM: which requests they hit, how often, and what happens to those."""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace

from playground.ocm_answers import Answer


@dataclass(frozen=True)
class Fault:
    """Hits the requests made as this cluster (empty: all), `times` times (0: always).

    `answer` replaces OCM's own, `delay` holds it back (seconds), `cut` closes the connection after so many bytes of the
    body.
    """

    cluster: str = ""
    times: int = 0
    answer: Answer | None = None
    delay: float = 0
    cut: int | None = None


class Faults:
    """Thread-safe; the newest fault that fits wins."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._faults: list[Fault] = []

    def add(self, fault: Fault) -> None:
        with self._lock:
            self._faults.append(fault)

    def clear(self) -> None:
        with self._lock:
            self._faults.clear()

    def hit(self, cluster: str) -> Fault | None:
        """The fault of a request made as this cluster, if any, counted."""
        with self._lock:
            fits = [at for at, fault in enumerate(self._faults) if fault.cluster in ("", cluster)]
            if not fits:
                return None
            fault = self._faults[fits[-1]]
            if fault.times == 1:
                del self._faults[fits[-1]]
            elif fault.times:
                self._faults[fits[-1]] = replace(fault, times=fault.times - 1)
            return fault
