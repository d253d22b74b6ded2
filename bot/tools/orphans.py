"""Ends the programs that the bot runs when the bot itself dies before them, with all that they have started.

A killed process can clean up nothing, and the kernel ends no grandchildren with it. So a small process of our own
outlives us: it is told of each program through a pipe, which the kernel closes when we are gone. Of those that had just
begun it may not have heard: they have a mark in their environment, by which it finds them where there is a /proc.
"""

from __future__ import annotations

import atexit
import secrets
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress

MARK = "HIVEKEEPER_WATCH"
WATCH = """
import os, signal, sys, time
mark, groups, rounds = os.fsencode(sys.argv[1]), set(), 20
for line in sys.stdin:
    if line[0] == ".":
        rounds = 1
    else:
        (groups.add if line[0] == "+" else groups.discard)(int(line[1:]))

def kill(how, number):
    try:
        how(number, signal.SIGKILL)
    except OSError:
        pass

def marked(process):
    try:
        with open("/proc/" + process + "/environ", "rb") as file:
            return mark in file.read().split(bytes(1))
    except OSError:
        return False

for group in groups:
    kill(os.killpg, group)
for _ in range(rounds if os.path.isdir("/proc/self") else 0):
    for process in filter(str.isdecimal, os.listdir("/proc")):
        if marked(process):
            kill(os.kill, int(process))
    time.sleep(0.1 if rounds > 1 else 0)
"""


class Watch:
    """Thread-safe. Its process starts with the first program; one that was killed is started anew and told all."""

    def __init__(self) -> None:
        self._mark = ""  # made at the first program: processes that are forked before have one each, and not one mark
        self._lock = threading.Lock()
        self._groups: set[int] = set()
        self._process: subprocess.Popen[bytes] | None = None

    def marked(self, environment: Mapping[str, str]) -> dict[str, str]:
        """For a program that is to start, so that it is known from its first moment."""
        self._tell("-", 0)  # nothing new, but from now on there is a watch
        return {**environment, MARK: self._mark}

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
            self._mark = self._mark or secrets.token_hex(8)
            (self._groups.add if sign == "+" else self._groups.discard)(group)
            news = [f"{sign}{group}"]
            if self._process is None or self._process.poll() is not None:
                self._process, news = _started(f"{MARK}={self._mark}"), [f"+{one}" for one in self._groups]
            if self._process.stdin:
                self._process.stdin.write("".join(f"{line}\n" for line in news).encode())

    def close(self) -> None:
        """As if we had died."""
        with self._lock, suppress(OSError, subprocess.TimeoutExpired):
            if self._process and self._process.stdin:
                self._process.stdin.write(b".\n")  # nothing has begun that it was not told of
                self._process.stdin.close()
                self._process.wait(5)


def _started(mark: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # noqa: S603 - our own lines
        [sys.executable, "-I", "-S", "-c", WATCH, mark], env={}, cwd="/", bufsize=0, start_new_session=True,
        stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip


watch = Watch()
atexit.register(watch.close)
