"""The token files that condor_vault_storer leaves: `vt_u<uid>-<service>` and its copy `vt_u<uid>`."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from bot.core.errors import Refused
from bot.tools.private_folder import also_remove, remove_ours


@contextmanager
def removed(folder: Path, service: str, private: Path) -> Iterator[None]:
    """None of ours before, so that the program gets a fresh token, and none afterwards, also after a crash: `private`
    is a private folder that is there for as long. What is somebody else's, or a link, is not touched, but Refused: the
    program would take the token in it for its own, or write the service's into it."""
    files = (folder / f"vt_u{os.geteuid()}-{service}", folder / f"vt_u{os.geteuid()}")
    also_remove(private, files)
    remove_ours(files[0])
    for file in files:
        _is_nobody_elses(file)
    try:
        yield
    finally:
        for file in files:
            remove_ours(file)


def _is_nobody_elses(file: Path) -> None:
    with suppress(OSError):
        found = file.lstat()
        if not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid():
            raise Refused(
                f"On the bot's own host something stands at {file} that is not the bot's file (of UID {found.st_uid}). "
                "It was not touched, and no token was stored.",
                "Somebody may have planted it: have it looked at and removed there, then store again.",
            )
