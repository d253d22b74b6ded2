"""Faults that were ordered of a stand-in, and how often each is still to happen."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar


class Timed(Protocol):
    @property
    def times(self) -> int:
        """How often it happens; 0: always."""
        ...


F = TypeVar("F", bound=Timed)


class Faults(Generic[F]):
    """Thread-safe; the newest fault that fits wins."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._faults: list[tuple[F, int]] = []  # and how often it is still to happen

    def add(self, fault: F) -> None:
        with self._lock:
            self._faults.append((fault, fault.times))

    def clear(self) -> None:
        with self._lock:
            self._faults.clear()

    def hit(self, fits: Callable[[F], bool]) -> F | None:
        """The fault that fits a request, if any, counted."""
        with self._lock:
            at = next((i for i in range(len(self._faults) - 1, -1, -1) if fits(self._faults[i][0])), None)
            if at is None:
                return None
            fault, left = self._faults[at]
            if left == 1:
                del self._faults[at]
            elif left:
                self._faults[at] = (fault, left - 1)
            return fault
