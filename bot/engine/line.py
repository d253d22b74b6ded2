"""A line: one thread at a time, in the order in which they came. A lock would let some wait for very long."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from bot.core.errors import Transient


class Line:
    """Whoever stands first has the turn."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._waiting: deque[threading.Event] = deque()

    @contextmanager
    def turn(self, timeout: float) -> Iterator[None]:
        """Wait for the turn and have it. Transient when it does not come in so many seconds."""
        mine = threading.Event()
        with self._guard:
            self._waiting.append(mine)
            self._waiting[0].set()
        try:
            if not mine.wait(timeout):
                raise Transient("The store is busy.", "Nothing was changed; try again in a minute.")
            yield
        finally:
            with self._guard:
                self._waiting.remove(mine)
                if self._waiting:
                    self._waiting[0].set()
