"""A `managedTokens.yml` on the bot's disk, read anew when it has changed."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import yaml

from bot.core.errors import Refused
from bot.core.grid import Inventory
from bot.core.managed_tokens import understood
from bot.tools.yaml_scalars import parsed, values

LONGEST = 2_000_000  # bytes; a hundred experiments have some 50,000
LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
NOW = "Correct managed_tokens.file in the settings, or its permissions."


class ManagedTokensFile:
    """`bot.core.grid.Services`. Thread-safe."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._seen: tuple[tuple[int, int, int], Inventory] | None = None

    def configured(self) -> bool:
        return True

    def read(self) -> Inventory:
        """Refused, by line and never by content, when it is not there, too long or no sound YAML."""
        with self._lock:
            state = self._state()
            if self._seen is None or self._seen[0] != state:
                self._seen = state, inventory(self._content())
            return self._seen[1]

    def _state(self) -> tuple[int, int, int]:
        try:
            found = self._path.stat()
        except OSError:
            raise self._unreadable() from None
        return found.st_ino, found.st_mtime_ns, found.st_size

    def _content(self) -> bytes:
        try:
            with self._path.open("rb") as file:
                return file.read(LONGEST + 1)
        except OSError:
            raise self._unreadable() from None

    def _unreadable(self) -> Refused:
        return Refused(f"The managedTokens file {self._path} cannot be read.", NOW)


def inventory(content: bytes) -> Inventory:
    """What the bytes of such a file say. Refused when they are no YAML of a sane size."""
    if len(content) > LONGEST:
        raise Refused("The managedTokens file is too long.", "Is it the right file? See managed_tokens.file.")
    text = _text(content)
    try:
        for _ in values(parsed(text)):  # finds keys that are there twice, and aliases that multiply
            pass
        return understood(yaml.load(text, Loader=LOADER))  # noqa: S506 - a safe loader, in C where there is one
    except Refused as told:
        raise Refused(f"The managedTokens file cannot be used. {told.what}", "Correct it there.") from None
    except (yaml.YAMLError, ValueError, OverflowError, RecursionError, TypeError):
        raise Refused("The managedTokens file has a value that YAML cannot read.", "Put odd ones in quotes.") from None


def _text(content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise Refused("The managedTokens file is not UTF-8 text.", "Save it as UTF-8.") from None
