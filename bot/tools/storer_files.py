"""The token files that condor_vault_storer leaves: `vt_u<uid>-<service>` and its copy `vt_u<uid>`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bot.tools.private_folder import also_remove, remove_ours


@contextmanager
def removed(folder: Path, service: str, private: Path) -> Iterator[None]:
    """None of ours before, so that the program gets a fresh token, and none afterwards, also after a crash: `private`
    is a private folder that is there for as long. What is somebody else's, or a link, is not touched: removing a name
    in a shared folder never follows it."""
    files = (folder / f"vt_u{os.geteuid()}-{service}", folder / f"vt_u{os.geteuid()}")
    also_remove(private, files)
    remove_ours(files[0])
    try:
        yield
    finally:
        for file in files:
            remove_ours(file)
