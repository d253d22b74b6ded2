"""Is a node up? A guess, never a reason not to try."""

from __future__ import annotations

import socket
import subprocess
from contextlib import suppress

SECONDS = 5


def answers(host: str, port: int) -> bool:
    """Does something listen there?"""
    with suppress(OSError, UnicodeError), socket.create_connection((host, port), timeout=SECONDS):
        return True
    return False


def pings(host: str) -> bool:
    """Does it answer an echo request, by the program `ping`? Then only that; False without the program."""
    command = ["ping", "-n", "-c", "1", "-W", str(SECONDS), "--", host]
    with suppress(OSError, subprocess.TimeoutExpired):
        done = subprocess.run(  # noqa: S603 - no shell, the name was checked, the program is the system's
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            timeout=2 * SECONDS, check=False, env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
        )  # fmt: skip
        return done.returncode == 0
    return False
