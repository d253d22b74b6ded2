"""The log in a file of its own as well, which is moved aside when it is full.

Not the standard library's: that one formats each line twice, leaves half a line where the disk is full, and writes no
more once a move has failed. Here a line is in the file whole or not at all, and nothing that happens to the disk, the
folder or the file harms the work that is logged.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import os
import stat
import sys
import time
from pathlib import Path

from bot.core.errors import Refused
from bot.settings import Log

MEGABYTE = 1_000_000
APART = 60.0  # seconds between two complaints, and between two tries to move a file aside
FLAGS = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK  # no link, no pipe
log = logging.getLogger(__name__)


def check(path: Path) -> str:
    """A sentence that the log file can be written. Refused, in words, if not. Nothing is made or changed."""
    path = path.absolute()
    if not path.parent.is_dir():
        raise Refused(f"The folder {path.parent} of the log file is not there.", "Make it, or correct log.file.")
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise Refused(
            f"The bot may not write in {path.parent}, the folder of the log file.", "Let it, or correct log.file."
        )
    try:
        found = path.lstat()
    except FileNotFoundError:
        return f"{path} can be made."
    if not stat.S_ISREG(found.st_mode):
        raise Refused(f"The log file {path} is no plain file.", "Correct log.file, or take away what is there.")
    if found.st_uid != os.geteuid():
        raise Refused(f"The log file {path} belongs to somebody else.", "Correct log.file, or take the file away.")
    return f"{path} can be written."


class RotatingFile(logging.Handler):
    """One line per record, in files that only the bot can read: `file`, and the last ones as `file.1` to `file.<keep>`.
    Refused if it cannot be opened."""

    def __init__(self, path: Path, wanted: Log) -> None:
        check(path)
        self._path, self._keep, self._most = path.absolute(), wanted.keep, int(wanted.at_most_mb * MEGABYTE)
        self._lost, self._move_at, self._complain_at = 0, 0.0, 0.0
        try:
            self._file: int | None = self._opened()
        except OSError:
            raise Refused(f"The log file {self._path} cannot be opened.", "Correct log.file, or its rights.") from None
        super().__init__()  # from here on the process closes it at its end

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._append(f"{self.format(record)}\n".encode(errors="backslashreplace"))
        except Exception:
            self.handleError(record)
            return
        if lost := self._lost:
            self._lost = 0
            log.warning("the log file is written again", extra={"lost": lost})

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: ARG002  # it says nothing of the record
        """The line is lost here; that is told elsewhere, now and then."""
        self._lost += 1
        self._complain("a line is not in the log file")

    def close(self) -> None:
        self._let_go()
        super().close()

    def _append(self, line: bytes) -> None:
        file, size = self._ready(len(line))
        try:
            whole = os.write(file, line) == len(line)
        except OSError:
            whole = False
        if not whole:
            with contextlib.suppress(OSError):
                os.ftruncate(file, size)
            raise OSError("the line did not fit")

    def _ready(self, more: int) -> tuple[int, int]:
        """The file to write so many bytes to, and its size."""
        if self._file is None or not self._is_there(self._file):
            self._let_go()
            self._file = self._opened()
        size = os.fstat(self._file).st_size
        if size and size + more > self._most and time.monotonic() >= self._move_at and self._moved_aside():
            self._let_go()
            self._file = self._opened()
        return self._file, os.fstat(self._file).st_size

    def _opened(self) -> int:
        file = os.open(self._path, FLAGS, 0o600)
        found = os.fstat(file)
        if not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid():
            os.close(file)
            raise OSError("not a file of ours")
        os.fchmod(file, 0o600)
        return file

    def _is_there(self, file: int) -> bool:
        """Is what stands under the name what we write? Else the disk keeps what nobody can see any more."""
        try:
            return os.path.samestat(self._path.stat(), os.fstat(file))
        except OSError:
            return False

    def _moved_aside(self) -> bool:
        """If it cannot be moved, it is written on, and grows."""
        names = [self._path, *(self._path.with_name(f"{self._path.name}.{n}") for n in range(1, self._keep + 1))]
        try:
            for old, new in reversed([*itertools.pairwise(names)]):
                if old.exists():
                    old.replace(new)
        except OSError:
            self._move_at = time.monotonic() + APART
            self._complain("the log file cannot be moved aside, and grows")
            return False
        return True

    def _complain(self, what: str) -> None:
        if time.monotonic() >= self._complain_at:
            self._complain_at = time.monotonic() + APART
            error = sys.exc_info()[0]
            log.warning(what, extra={"error": error.__name__ if error else ""})

    def _let_go(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            with contextlib.suppress(OSError):
                os.close(file)
