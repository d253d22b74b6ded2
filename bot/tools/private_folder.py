"""A folder of our own for a moment, in memory where the system has that: for programs that want files.

Removed when the block ends. Whoever made it holds a lock on it, which the kernel lets go of when the process dies,
however it dies: what is not held is nobody's any more, and `sweep` removes it. A process's number would not tell: it
may be another's by then, or one of another container that shares the place.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import stat
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from bot.core.errors import Refused

PREFIX = "hivekeeper-private-"
NAME = re.compile(rf"{PREFIX}[a-z0-9_]{{8}}")  # as mkdtemp makes them; nobody calls anything so by chance
IN_MEMORY = Path("/dev/shm")  # noqa: S108 - shared, so each folder in it is 0700 and has a random name
ELSEWHERE = "elsewhere"  # the file that names what is to be removed with the folder
TRIES = 10
NO_ROOM = (
    "No private folder for a ticket can be made.",
    "Check the room on /dev/shm or /tmp, and that the bot may write there.",
)
FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def place() -> Path:
    """Where such folders are made."""
    return IN_MEMORY if os.access(IN_MEMORY, os.W_OK | os.X_OK) else Path(tempfile.gettempdir())


@contextmanager
def private_folder(within: Path | None = None) -> Iterator[Path]:
    """Mode 0700, empty at first. Refused when none can be made."""
    try:
        folder, held = _made(within or place())
    except OSError:
        raise Refused(*NO_ROOM) from None
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(held)


def also_remove(folder: Path, files: Iterable[Path]) -> None:
    """What programs will leave outside of the private folder: if we are killed, it is swept with the folder."""
    try:
        (folder / ELSEWHERE).write_text("".join(f"{file}\n" for file in files))
    except OSError:
        raise Refused(*NO_ROOM) from None


def remove_ours(file: Path) -> None:
    """If it is a plain file of our user; what is somebody else's, or a link, stays."""
    with suppress(OSError, ValueError):
        found = file.lstat()
        if stat.S_ISREG(found.st_mode) and found.st_uid == os.geteuid():
            file.unlink()


def sweep(within: Path | None = None) -> int:
    """Remove the folders of processes that are no more; how many there were. Others' folders are left alone."""
    removed = 0
    with suppress(OSError):
        for folder in (within or place()).iterdir():
            if NAME.fullmatch(folder.name) and (held := _held(folder)) is not None:
                _remove(folder)
                os.close(held)
                removed += 1
    return removed


def _made(within: Path) -> tuple[Path, int]:
    """With the lock on it. A sweep that was quicker than we has removed it: then another one."""
    for _ in range(TRIES):
        folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=within))
        if (held := _held(folder)) is not None:
            return folder, held
    raise OSError("no folder can be locked there")


def _held(folder: Path) -> int | None:
    """Its lock, as long as the descriptor is open; None if it is no folder of our user, or another holds it."""
    try:
        opened = os.open(folder, FOLDER)
    except OSError:
        return None
    try:
        fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.fstat(opened).st_uid == os.geteuid() and os.path.samestat(os.fstat(opened), os.lstat(folder)):
            return opened
    except OSError:
        pass
    os.close(opened)
    return None


def _remove(folder: Path) -> None:
    with suppress(OSError, ValueError):
        for line in (folder / ELSEWHERE).read_text().splitlines():
            remove_ours(Path(line))
    shutil.rmtree(folder, ignore_errors=True)
