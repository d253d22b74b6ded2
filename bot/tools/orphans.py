"""Ends the programs that the bot runs when the bot itself dies before them, with all that they have started.

A killed process can clean up nothing, and the kernel ends no grandchildren with it. So a small process of our own
outlives us: it is told of each program through a pipe, which the kernel closes when we are gone.
"""

from __future__ import annotations

import atexit
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

WATCH = """
import os, signal, sys
groups = set()
for line in sys.stdin:
    (groups.add if line[0] == "+" else groups.discard)(int(line[1:]))
for group in groups:
    try:
        os.killpg(group, signal.SIGKILL)
    except OSError:
        pass
"""


class Watch:
    """Thread-safe. Its process starts with the first program; one that was killed is started anew and told all."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._groups: set[int] = set()
        self._process: subprocess.Popen[bytes] | None = None

    @contextmanager
    def over(self, group: int) -> Iterator[None]:
        """While the block lasts, this process group dies with us."""
        self._tell("+", group)
        try:
            yield
        finally:
            self._tell("-", group)

    def _tell(self, sign: str, group: int) -> None:
        """Without a watch, which a system short of processes may not give, programs run all the same."""
        with self._lock, suppress(OSError):
            (self._groups.add if sign == "+" else self._groups.discard)(group)
            news = [f"{sign}{group}"]
            if self._process is None or self._process.poll() is not None:
                self._process, news = _started(), [f"+{one}" for one in self._groups]
            if self._process.stdin:
                self._process.stdin.write("".join(f"{line}\n" for line in news).encode())

    def close(self) -> None:
        """As if we had died."""
        with self._lock, suppress(OSError, subprocess.TimeoutExpired):
            if self._process and self._process.stdin:
                self._process.stdin.close()
                self._process.wait(5)


def _started() -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # noqa: S603 - our own lines
        [sys.executable, "-I", "-S", "-c", WATCH], env={}, cwd="/", bufsize=0, start_new_session=True,
        stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip


watch = Watch()
atexit.register(watch.close)
