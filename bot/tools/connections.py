"""Connections that are kept, but not until the other side gives them up.

A server closes what idles, after a time of its own (some after five seconds). A request that meets just that moment is
cut off, and for a write nobody knows whether it was heard. Imported with the clients that need it, under
`http_answer.LOADING`.
"""

from __future__ import annotations

import time
from typing import Any

from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager
from urllib3.connection import HTTPConnection, HTTPSConnection

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


class _Plain(_Fresh, HTTPConnection):
    pass


class _Encrypted(_Fresh, HTTPSConnection):
    pass


class _PlainPool(HTTPConnectionPool):
    ConnectionCls = _Plain


class _EncryptedPool(HTTPSConnectionPool):
    ConnectionCls = _Encrypted


def keep_fresh(manager: PoolManager) -> None:
    """Let the manager's pools reuse only connections that were used within the last `IDLE` seconds."""
    manager.pool_classes_by_scheme = {"http": _PlainPool, "https": _EncryptedPool}
