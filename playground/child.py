"""The bot as a child process: started, watched, started again when it ends, and gone when we are."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Protocol

KEPT_VARIABLES = ("PATH", "LANG", "LC_ALL", "TZ", "PYTHONPATH", "COVERAGE_PROCESS_START")
# Linux ends a child with its parent if the child asks for it (PR_SET_PDEATHSIG); it does, and then becomes the command.
LEASH = "import ctypes, os, sys; ctypes.CDLL(None).prctl(1, 9); os.execv(sys.argv[1], sys.argv[1:])"
QUICK = 3.0  # seconds; who lives shorter than this waits longer for the next start
LONGEST_PAUSE = 8.0


def clean_environment() -> dict[str, str]:
    """What a child may know of our environment: nothing that configures or authenticates."""
    return {name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ} | {"PYTHONUNBUFFERED": "1"}


def leashed(command: list[str]) -> list[str]:
    """The command, bound to the life of this process where the system can do that."""
    return [sys.executable, "-c", LEASH, *command] if sys.platform == "linux" else command


class Process(Protocol):
    """What of subprocess.Popen is needed."""

    @property
    def pid(self) -> int: ...
    def poll(self) -> int | None: ...
    def wait(self) -> int: ...
    def send_signal(self, sig: int, /) -> None: ...
    def terminate(self) -> None: ...


Begin = Callable[[list[str], Path, Mapping[str, str], IO[bytes]], Process]


def begun(command: list[str], folder: Path, environment: Mapping[str, str], output: IO[bytes]) -> Process:
    """The command in this folder, with this environment; what it prints goes to `output`."""
    return subprocess.Popen(
        leashed(command), cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=output,
        stderr=subprocess.STDOUT, start_new_session=True,
    )  # fmt: skip


class Child:
    """One process that is kept alive. All are started by one thread of ours, because the kernel ends a child with the
    thread that started it. `output` collects what it prints. `begin`: how it is started."""

    def __init__(
        self,
        command: list[str],
        *,
        folder: Path,
        output: Path,
        environment: Mapping[str, str],
        pause: float = 0.5,
        told: Callable[[str], None] = lambda _: None,
        begin: Begin = begun,
    ) -> None:
        self._command = command
        self._begin = begin
        self._folder = folder
        self._output = output
        self._environment = dict(environment)
        self._pause = pause
        self._told = told
        self._closing = threading.Event()
        self._wanted = threading.Event()
        self._process: Process | None = None
        self._gone = threading.Event()
        self._gone.set()
        self._thread = threading.Thread(target=self._watch, name="bot", daemon=True)
        self.starts = 0

    def start(self) -> None:
        """Start it, now and whenever it ends, until `close` or `hold`."""
        self._wanted.set()
        if not self._thread.is_alive():
            self._thread.start()

    @property
    def pid(self) -> int | None:
        process = self._process
        return process.pid if process and process.poll() is None else None

    def kill(self) -> None:
        """End it at once, as a crash would; it is started again."""
        self._signal(signal.SIGKILL)

    def restart(self) -> None:
        """Ask it to end; it is started again."""
        self._signal(signal.SIGTERM)

    def hold(self, patience: float = 8) -> None:
        """Ask it to end, wait for that, and leave it down until `start`."""
        self._wanted.clear()
        self._end(patience)

    def close(self, patience: float = 8) -> None:
        """End it for good."""
        self._closing.set()
        self._wanted.set()
        self._end(patience)
        if self._thread.is_alive():
            self._thread.join(patience)

    def _end(self, patience: float) -> None:
        self._signal(signal.SIGTERM)
        if not self._gone.wait(patience):
            self._signal(signal.SIGKILL)
            self._gone.wait(patience)

    def _signal(self, number: signal.Signals) -> None:
        process = self._process
        if process and process.poll() is None:
            process.send_signal(number)

    def _watch(self) -> None:
        quick = 0
        while not self._closing.is_set():
            self._wanted.wait()
            if self._closing.is_set():
                return
            self._gone.clear()
            started = time.monotonic()
            code = self._run()
            self._gone.set()
            quick = quick + 1 if time.monotonic() - started < QUICK else 0
            if not self._closing.is_set() and self._wanted.is_set():
                self._told(f"The bot ended ({_how(code)}) and is started again.")
                self._closing.wait(min(self._pause * 2**quick, LONGEST_PAUSE))

    def _run(self) -> int:
        self.starts += 1
        with self._output.open("ab") as output:
            process = self._process = self._begin(self._command, self._folder, self._environment, output)
            if self._closing.is_set() or not self._wanted.is_set():
                process.terminate()
            return process.wait()


def _how(code: int) -> str:
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
