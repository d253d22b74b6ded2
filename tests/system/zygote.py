"""Starts a bot in an instant: forks.py has loaded it before, and forks (an import of all of it takes two seconds)."""

from __future__ import annotations

import atexit
import json
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any

from playground.child import clean_environment


class Zygote:
    """It ends with this process, at the latest with the thread that made it."""

    def __init__(self) -> None:
        self._orders, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        program = [sys.executable, "-P", str(Path(__file__).with_name("forks.py")), str(theirs.fileno())]
        self._program = subprocess.Popen(
            program, env=clean_environment(), pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL
        )
        theirs.close()
        atexit.register(self.close)
        assert self._orders.recv(64), "the bot could not be loaded"  # before the time of anybody who waits begins

    def close(self) -> None:
        self._orders.close()
        self._program.wait(60)

    def begin(
        self, command: Sequence[str], folder: Path, environment: Mapping[str, str], output: IO[Any],
        errors: IO[Any] | None = None, *, hurried: bool = False,
    ) -> Forked:  # fmt: skip
        """`command`: python -m bot and more. `hurried`: with little patience."""
        assert [*command[:3]] == [sys.executable, "-m", "bot"], command
        order = {"arguments": command[2:], "folder": str(folder), "environment": dict(environment),
                 "hurried": hurried}  # fmt: skip
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        descriptors = [theirs.fileno(), output.fileno(), (errors or output).fileno()]
        with theirs:
            socket.send_fds(self._orders, [json.dumps(order).encode()], descriptors)
        return Forked(ours)

    def run(
        self, command: Sequence[str], folder: Path, environment: Mapping[str, str]
    ) -> subprocess.CompletedProcess[str]:
        """To its end."""
        with TemporaryFile("w+") as output, TemporaryFile("w+") as errors:
            status = self.begin(command, folder, environment, output, errors).wait()
            for file in (output, errors):
                file.seek(0)
            return subprocess.CompletedProcess(command, status, output.read(), errors.read())


class Forked:
    """A forked process, as subprocess has it."""

    def __init__(self, told: socket.socket) -> None:
        self._told = told
        self.pid = int(told.recv(64))

    def poll(self) -> int | None:
        return self._code() if self._ended(0) else None

    def wait(self) -> int:
        self._ended(None)
        return self._code()

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def _ended(self, milliseconds: int | None) -> bool:
        poll = select.poll()
        poll.register(self._told, select.POLLIN)
        return bool(poll.poll(milliseconds))

    def _code(self) -> int:
        """What was told stays to be read again. Nothing was told when the zygote was killed, and it with it."""
        return int(self._told.recv(64, socket.MSG_PEEK) or -signal.SIGKILL)


@cache
def zygote() -> Zygote:
    """The one of this process."""
    return Zygote()
