"""Connections that are kept, but not until the other side gives them up; and those that come too late to be used.

A server closes what idles, after a time of its own (some after five seconds). A request that meets just that moment is
cut off, and for a write nobody knows whether it was heard. Imported with the clients that need it, under
`http_answer.LOADING`.
"""

from __future__ import annotations

import time
from functools import cache
from typing import Any

from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError

IDLE = 2.0  # seconds after which a connection is made anew; shorter than any server's patience that we know


class _Fresh:
    """Beside a connection class: one that has idled is told to be gone, and the pool then makes it anew."""

    _used = float("-inf")

    @property
    def is_connected(self) -> bool:
        fresh = time.monotonic() - self._used < IDLE
        return fresh and bool(super().is_connected)  # type: ignore[misc]  # the other class has it

    def getresponse(self) -> Any:
        response = super().getresponse()  # type: ignore[misc]  # likewise
        self._used = time.monotonic()
        return response


class _Prompt:
    """Beside a connection class: nothing is sent when the name, the way and the handshake took longer, all together,
    than the time that there was. Who asked has been told so by then, and may ask again."""

    timeout: Any

    def connect(self) -> None:
        began = time.monotonic()
        super().connect()  # type: ignore[misc]  # the other class has it
        if isinstance(self.timeout, int | float) and time.monotonic() - began > self.timeout:
            self.close()  # type: ignore[attr-defined]  # likewise
            raise ConnectTimeoutError(self, "connected too late")


class _FreshAndPrompt(_Fresh, _Prompt):
    """Beside a connection class: both."""


def keep_fresh(manager: PoolManager) -> None:
    """Let the manager's pools reuse only connections that were used within the last `IDLE` seconds."""
    manager.pool_classes_by_scheme = _pools(_Fresh)


def keep_fresh_and_prompt(manager: PoolManager) -> None:
    """Both: reuse only what is fresh, and send nothing over a connection that took longer than its time to be made."""
    manager.pool_classes_by_scheme = _pools(_FreshAndPrompt)


def never_late(manager: PoolManager) -> None:
    """Let the manager's pools send nothing over a connection that took longer than its time to be made."""
    manager.pool_classes_by_scheme = _pools(_Prompt)


@cache
def _pools(kind: type) -> dict[str, type[HTTPConnectionPool]]:
    """By scheme, the library's pools with connections that are of this kind as well."""
    return {
        scheme: type("Pool", (pool,), {"ConnectionCls": type("Connection", (kind, connection), {})})
        for scheme, pool, connection in (
            ("http", HTTPConnectionPool, HTTPConnection), ("https", HTTPSConnectionPool, HTTPSConnection),
        )
    }  # fmt: skip
