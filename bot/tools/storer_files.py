"""The token files that condor_vault_storer leaves: `vt_u<uid>-<service>` and its copy `vt_u<uid>`."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def removed(folder: Path, service: str) -> Iterator[None]:
    """None of ours before, so that the program gets a fresh token, and none afterwards. What is somebody else's, or a
    link, is not touched: removing a name in a shared folder never follows it."""
    files = (folder / f"vt_u{os.geteuid()}-{service}", folder / f"vt_u{os.geteuid()}")
    _remove(files[0])
    try:
        yield
    finally:
        for file in files:
            _remove(file)


def _remove(file: Path) -> None:
    with suppress(OSError):
        found = file.lstat()
        if stat.S_ISREG(found.st_mode) and found.st_uid == os.geteuid():
            file.unlink()
