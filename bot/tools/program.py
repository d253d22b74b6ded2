"""A program that the bot runs: no shell, an environment of its own, bounded in time and output, gone with the bot.

What it prints is for judging by its known texts only, and goes no further.
"""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Literal

from bot.core.secret import Secret
from bot.tools.orphans import watch

MARK = "HIVEKEEPER_PROGRAM"  # in the environment of a program and of all that it starts
ROUNDS = 5
MOST = 65_536  # bytes of output that are kept
GRACE = 1.0  # seconds that the last output may take once the program has ended
# What programs need to know of our environment; nothing of it is a secret.
PASSED_ON = ("PATH", "HOME", "USER", "LOGNAME", "TZ", "KRB5_CONFIG", "X509_CERT_DIR", "X509_CERT_FILE", "CONDOR_CONFIG")


@dataclass(frozen=True)
class Ended:
    """`how`: it ended with `status`, was late and killed with all that it started, or could not be started."""

    how: Literal["ended", "late", "missing"]
    status: int = -1
    output: str = field(default="", repr=False)  # both streams, as text; cut

    @property
    def good(self) -> bool:
        return self.how == "ended" and self.status == 0


def environment(more: Mapping[str, str]) -> dict[str, str]:
    """The little that is passed on, and `more`."""
    kept = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    return {**kept, "LC_ALL": "C.UTF-8", **more}


def run(
    arguments: Sequence[str], *, environment: Mapping[str, str], seconds: float, given: Secret | None = None,
    errors: bool = True,
) -> Ended:  # fmt: skip
    """Run it to its end, or for so many seconds. `given` is written to its input; `errors`: is that stream read too?"""
    mark = secrets.token_hex(8)
    try:
        process = subprocess.Popen(  # noqa: S603 - names and arguments come from the settings, and no shell reads them
            [*arguments], env=watch.marked({**environment, MARK: mark}), cwd="/", start_new_session=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT if errors else subprocess.DEVNULL,
        )  # fmt: skip
    except (OSError, ValueError):
        return Ended("missing")
    with watch.over(process.pid):
        return _ended(process, seconds, given, mark)


def _ended(process: subprocess.Popen[bytes], seconds: float, given: Secret | None, mark: str) -> Ended:
    output = bytearray()
    pipes = _thread(_keep, process.stdout, output), _thread(_give, process.stdin, given)
    end = _thread(_await_end, process.pid)
    late = True
    try:
        end.join(seconds)
        late = end.is_alive()
    finally:
        _kill(process)  # also when we are interrupted
        if late:
            _kill_escaped(mark)
    for pipe in pipes:
        pipe.join(GRACE)
    text = bytes(output).decode(errors="replace")
    return Ended("late", output=text) if late else Ended("ended", process.returncode, text)


def _thread(work: Callable[..., None], *arguments: object) -> threading.Thread:
    thread = threading.Thread(target=work, args=arguments, daemon=True, name="program")
    thread.start()
    return thread


def _await_end(process: int) -> None:
    """Leaves the ended process its number, so that the group of that number can be nobody else's."""
    with suppress(ChildProcessError):
        os.waitid(os.P_PID, process, os.WEXITED | os.WNOWAIT)


def _kill(process: subprocess.Popen[bytes]) -> None:
    """It, and what it left running behind it."""
    with suppress(OSError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _kill_escaped(mark: str) -> None:
    """Those of its children that have left its group, where there is a /proc to find them by their environment. More
    than once, as they may have children of their own meanwhile."""
    sought = f"{MARK}={mark}".encode()
    for _ in range(ROUNDS):
        found = [process for process in _processes() if sought in _environment(process)]
        if not found:
            return
        for process in found:
            with suppress(OSError):
                os.kill(process, signal.SIGKILL)


def _processes() -> list[int]:
    with suppress(OSError):
        return [int(name) for name in os.listdir("/proc") if name.isdecimal()]
    return []


def _environment(process: int) -> list[bytes]:
    with suppress(OSError):
        return Path(f"/proc/{process}/environ").read_bytes().split(b"\0")
    return []


def _keep(stream: IO[bytes] | None, output: bytearray) -> None:
    with suppress(OSError, ValueError):
        while stream and (more := os.read(stream.fileno(), MOST)):
            output += more[: MOST - len(output)]
    if stream:
        stream.close()


def _give(stream: IO[bytes] | None, given: Secret | None) -> None:
    if stream is None:
        return
    with suppress(OSError, ValueError), stream:
        if given is not None:
            stream.write(given.reveal().encode())
