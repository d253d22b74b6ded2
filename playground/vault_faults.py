"""Faults to order: which requests they hit, how often, and what happens to those."""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace

from playground.vault_answers import Answer, Asked


@dataclass(frozen=True)
class Fault:
    """Hits requests below `path` (empty: all) that need one of `capabilities` (empty: any), `times` times (0: always).

    `answer` replaces Vault's own, `delay` holds it back (seconds), `cut` closes the connection after so many bytes of
    its body (what was asked has been done then).
    """

    path: str = ""
    capabilities: tuple[str, ...] = ()
    times: int = 0
    answer: Answer | None = None
    delay: float = 0
    cut: int | None = None

    def fits(self, asked: Asked, capability: str) -> bool:
        # "sd-uhc/sandbox" is also reached as "sd-uhc/data/sandbox" in version 2 of the engine
        plain = asked.path.replace("/data/", "/", 1)
        below = not self.path or any((p + "/").startswith(self.path.rstrip("/") + "/") for p in (asked.path, plain))
        return below and (not self.capabilities or capability in self.capabilities)


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

    def hit(self, asked: Asked, capability: str) -> Fault | None:
        """The fault of this request, if any, counted."""
        with self._lock:
            at = next(
                (i for i in range(len(self._faults) - 1, -1, -1) if self._faults[i].fits(asked, capability)), None
            )
            if at is None:
                return None
            fault = self._faults[at]
            if fault.times == 1:
                del self._faults[at]
            elif fault.times:
                self._faults[at] = replace(fault, times=fault.times - 1)
            return fault
