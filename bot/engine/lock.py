"""One process at a time on a SQLite store."""

from __future__ import annotations

import fcntl
import os
from typing import IO

from bot.core.errors import Refused
from bot.engine.store import address
from bot.settings import Settings


class Taken(Refused):
    """Another process works on this SQLite store."""


def take_lock(settings: Settings) -> IO[bytes] | None:
    """The lock that keeps a second process off a SQLite store; held while the file is open."""
    url = address(settings)
    if url.get_backend_name() != "sqlite":
        return None
    file = open(os.open(f"{url.database}.lock", os.O_CREAT | os.O_RDWR, 0o600), "r+b", buffering=0)  # noqa: SIM115  # held
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        raise Taken(
            "Another hivekeeper already works on this store.",
            "Stop that one first; several at once need PostgreSQL (store.url).",
        ) from None
    return file
