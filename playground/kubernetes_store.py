"""The objects of a stand-in for Kubernetes, in memory, with the marks that the API server puts on them."""

from __future__ import annotations

import marshal
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any, TypeVar, cast

from playground.kubernetes_kinds import Kind

Json = dict[str, Any]
T = TypeVar("T")


class Store:
    """`now` gives seconds since the epoch. What goes in and what comes out are copies, but for `each`. Thread-safe:
    hold `lock` to do several things as one."""

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self.now = now
        self.lock = threading.RLock()
        self.version = 100
        self._objects: dict[Kind, dict[tuple[str, str], Json]] = {}

    def get(self, kind: Kind, name: str, namespace: str = "") -> Json | None:
        with self.lock:
            return copied(self._objects.get(kind, {}).get((namespace, name)))

    def all(self, kind: Kind, namespace: str = "") -> list[Json]:
        """Of one namespace or of all, in the order of their keys."""
        with self.lock:
            return [copied(one) for one in self.each(kind, namespace)]

    def each(self, kind: Kind, namespace: str = "") -> Iterator[Json]:
        """The same without copying: only to be looked at, under the lock."""
        for (space, _), one in sorted(self._objects.get(kind, {}).items()):
            if not namespace or space == namespace:
                yield one

    def add(self, kind: Kind, body: Json) -> Json:
        """A new object; KeyError when there is one of that name."""
        with self.lock:
            one = copied(body)
            metadata = one.setdefault("metadata", {})
            key = (metadata.get("namespace", ""), metadata["name"])
            if key in self._objects.setdefault(kind, {}):
                raise KeyError(key)
            metadata |= {"uid": str(uuid.uuid4()), "resourceVersion": self._next()}
            metadata.setdefault("creationTimestamp", spelled(self.now()))
            if kind.counted:
                metadata["generation"] = 1
            self._objects[kind][key] = {"kind": kind.kind, "apiVersion": kind.api, **one}
            return copied(self._objects[kind][key])

    def replace(self, kind: Kind, body: Json) -> Json:
        """The object of that name as it should be now; KeyError when there is none. Nothing moves if nothing differs,
        and what only the server writes stays as it was."""
        with self.lock:
            one = copied(body)
            key = (one["metadata"].get("namespace", ""), one["metadata"]["name"])
            old = self._objects.get(kind, {})[key]
            for name in ("uid", "resourceVersion", "creationTimestamp", "generation"):
                one["metadata"].pop(name, None)
                one["metadata"] |= {name: old["metadata"][name]} if name in old["metadata"] else {}
            one |= {"kind": kind.kind, "apiVersion": kind.api}
            if one != old:
                if kind.counted and one.get("spec") != old.get("spec"):
                    one["metadata"]["generation"] += 1
                one["metadata"]["resourceVersion"] = self._next()
                self._objects[kind][key] = one
            return copied(self._objects[kind][key])

    def put(self, kind: Kind, body: Json) -> Json:
        """Add or replace, as somebody else would."""
        with self.lock:
            metadata = body["metadata"]
            there = (metadata.get("namespace", ""), metadata["name"]) in self._objects.get(kind, {})
            return self.replace(kind, body) if there else self.add(kind, body)

    def remove(self, kind: Kind, name: str, namespace: str = "") -> Json | None:
        """What was there."""
        with self.lock:
            gone = self._objects.get(kind, {}).pop((namespace, name), None)
            if gone is not None:
                self._next()
            return gone

    def clear(self) -> None:
        with self.lock:
            self._objects.clear()

    def empty(self, namespace: str) -> None:
        """Everything in a namespace goes."""
        with self.lock:
            for held in self._objects.values():
                for key in [key for key in held if key[0] == namespace]:
                    del held[key]

    def _next(self) -> str:
        self.version += 1
        return str(self.version)


def copied(value: T) -> T:
    """A copy of what JSON can hold; a step copies much, and this is seven times as fast as `copy.deepcopy`."""
    return cast(T, marshal.loads(marshal.dumps(cast(Any, value))))


def spelled(at: float) -> str:
    """As the API writes times."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at))
