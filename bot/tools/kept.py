"""Values that are kept by key while they are good, and made by one caller while the others wait for it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from copy import copy
from typing import Generic, TypeVar

from bot.core.errors import Told

V = TypeVar("V")


class Kept(Generic[V]):
    """In memory only. Thread-safe; making one value holds up no other."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._values: dict[Hashable, V] = {}
        self._making: dict[Hashable, Future[V | Told]] = {}

    def get(self, key: Hashable, good: Callable[[V], bool], make: Callable[[], V]) -> V:
        """The value at hand if it is good, else what `make` gives or raises: to all who want it meanwhile."""
        with self._lock:
            if key in self._values and good(self._values[key]):
                return self._values[key]
            awaited = self._making.get(key)
            mine: Future[V | Told] = Future()
            if awaited is None:
                self._making[key] = mine
        if awaited is None:
            self._make(key, mine, make)
        came = (awaited or mine).result()
        if isinstance(came, Told):
            raise copy(came)  # each its own: a raised error gathers where it passed
        return came

    def forget(self, key: Hashable) -> None:
        with self._lock:
            self._values.pop(key, None)

    def _make(self, key: Hashable, mine: Future[V | Told], make: Callable[[], V]) -> None:
        try:
            came: V | Told = make()
        except Told as told:
            came = told
        except BaseException as problem:
            self._settle(key)
            mine.set_exception(problem)
            raise
        self._settle(key, *(() if isinstance(came, Told) else (came,)))
        mine.set_result(came)

    def _settle(self, key: Hashable, *values: V) -> None:
        with self._lock:
            del self._making[key]
            for value in values:
                self._values[key] = value
