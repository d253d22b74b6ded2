"""A folder of our own for a moment, in memory where the system has that: for programs that want files.

Removed when the block ends. What a killed process left is removed by `sweep`, which knows it by the process's number.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

NAME = re.compile(r"hivekeeper-([0-9]{1,10})-[A-Za-z0-9_]{4,16}")
IN_MEMORY = Path("/dev/shm")  # noqa: S108 - shared, so each folder in it is 0700 and has a random name

_lock = threading.Lock()
_ours: set[Path] = set()  # of this process: its number may have been another's before


def place() -> Path:
    """Where such folders are made."""
    return IN_MEMORY if os.access(IN_MEMORY, os.W_OK | os.X_OK) else Path(tempfile.gettempdir())


@contextmanager
def private_folder(within: Path | None = None) -> Iterator[Path]:
    """Mode 0700, empty at first. OSError when none can be made."""
    with _lock:
        folder = Path(tempfile.mkdtemp(prefix=f"hivekeeper-{os.getpid()}-", dir=within or place()))
        _ours.add(folder)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        with _lock:
            _ours.discard(folder)


def sweep(within: Path | None = None) -> int:
    """Remove the folders of processes that are no more; how many there were. Others' folders are left alone."""
    removed = 0
    with _lock, suppress(OSError):
        for folder in (within or place()).iterdir():
            if (made_by := NAME.fullmatch(folder.name)) and folder not in _ours and _left(folder, int(made_by[1])):
                shutil.rmtree(folder, ignore_errors=True)
                removed += 1
    return removed


def _left(folder: Path, process: int) -> bool:
    """Is it a folder of our user whose process is no more? A link is nobody's folder."""
    try:
        found = folder.lstat()
    except OSError:
        return False
    return folder.is_dir() and not folder.is_symlink() and found.st_uid == os.geteuid() and not _lives(process)


def _lives(process: int) -> bool:
    if process == os.getpid():
        return False  # what we made ourselves is in `_ours`
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True
