"""Runbooks in folders of Markdown: ours, and an organisation's own tree laid over them by name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bot.core.errors import Refused
from bot.core.runbook import LONGEST, Runbook, named, parse

ENDINGS = (".md", ".markdown")
MOST = 5000  # files in a tree


class RunbookFiles:
    """`bot.core.outside.Runbooks`. Files are read each time, so an edit shows at once. A later folder wins."""

    def __init__(self, folders: tuple[Path, ...], variables: Mapping[str, Any]) -> None:
        self._folders, self._variables = folders, dict(variables)

    def names(self) -> tuple[str, ...]:
        return tuple(sorted(self._files()))

    def find(self, name: str) -> Runbook | None:
        """Refused when the file is there but cannot be read."""
        path = self._files().get(named(name))
        return None if path is None else self._read(named(name), path)

    def all(self) -> tuple[Runbook, ...]:
        return tuple(self._read_or_say(name, path) for name, path in sorted(self._files().items()))

    def _read_or_say(self, name: str, path: Path) -> Runbook:
        try:
            return self._read(name, path)
        except Refused as refusal:
            return Runbook(name=name, title=name, warnings=(str(refusal),))

    def _read(self, name: str, path: Path) -> Runbook:
        try:
            with path.open(encoding="utf-8", errors="replace") as file:
                text = file.read(LONGEST)
        except OSError:
            raise Refused(f"The runbook {name} cannot be read.", "Check the file's permissions.") from None
        return parse(name, text, self._variables)

    def _files(self) -> dict[str, Path]:
        found: dict[str, Path] = {}
        for folder in self._folders:
            if not folder.is_dir():
                raise Refused("The folder of runbooks is not there.", "Correct runbooks.folder in the settings.")
            found |= {named(path.name): path for path in sorted(_markdown(folder))}
        return found


def _markdown(folder: Path) -> list[Path]:
    """Ordinary files below the folder; hidden folders such as .git are passed over, links out of it not followed."""
    found = []
    for path in folder.rglob("*"):
        inside = path.relative_to(folder).parts
        if path.suffix in ENDINGS and path.is_file() and not any(part.startswith(".") for part in inside):
            found.append(path)
        if len(found) >= MOST:
            break
    return [path for path in found if path.resolve().is_relative_to(folder.resolve())]
