"""How long things take and how often they fail, counted in this process since it began."""

from __future__ import annotations

import threading
import time
from bisect import bisect_left
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import accumulate

from bot.core.errors import Told
from bot.core.grid import Took

BOUNDS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 30.0, 60.0)  # seconds
MOST = 10_000  # series; what comes after is not counted, as names may come from a file


class Meter:
    """`bot.core.grid.Meter`. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counted: dict[tuple[str, str], _Counts] = {}

    @contextmanager
    def timing(self, what: str, service: str = "") -> Iterator[None]:
        begun = time.perf_counter()
        failed = False
        try:
            yield
        except Told:
            failed = True
            raise
        finally:
            self._count((what, service), time.perf_counter() - begun, failed=failed)

    def took(self) -> tuple[Took, ...]:
        with self._lock:
            return tuple(one.told(*key) for key, one in sorted(self._counted.items()))

    def _count(self, key: tuple[str, str], seconds: float, *, failed: bool) -> None:
        with self._lock:
            if key in self._counted or len(self._counted) < MOST:
                self._counted.setdefault(key, _Counts()).add(seconds, failed=failed)


class _Counts:
    def __init__(self) -> None:
        self.within = [0] * (len(BOUNDS) + 1)
        self.seconds, self.failed = 0.0, 0

    def add(self, seconds: float, *, failed: bool) -> None:
        self.within[bisect_left(BOUNDS, seconds)] += 1
        self.seconds += seconds
        self.failed += failed

    def told(self, what: str, service: str) -> Took:
        within = tuple(zip((*BOUNDS, float("inf")), accumulate(self.within), strict=True))
        return Took(what=what, service=service, within=within, seconds=self.seconds, failed=self.failed)
