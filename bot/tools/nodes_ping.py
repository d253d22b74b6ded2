"""Is a node up? A guess, never a reason not to try."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from contextlib import suppress

from bot.tools import program

SECONDS = 5


def answers(host: str, port: int) -> bool:
    """Does something listen there?"""
    with suppress(OSError, UnicodeError), socket.create_connection((host, port), timeout=SECONDS):
        return True
    return False


def pings(host: str, more: Mapping[str, str] | None = None) -> bool:
    """Does it answer an echo request? By the program `ping`, and False without it. `more` environment."""
    command = ["ping", "-n", "-c", "1", "-W", str(SECONDS), host]
    return program.run(command, environment=program.environment(more or {}), seconds=2 * SECONDS, errors=False).good
