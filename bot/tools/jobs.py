"""Which CI jobs read a Vault path: generated `…/<job>/config.xml` and job-builder YAML (upstream.md, seed 000).

Layout and elements are those of Jenkins Job Builder 6.5 with the HashiCorp Vault plugin.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from bot.core.errors import Refused
from bot.core.ports import Consumers, Job
from bot.tools import job_builder

FILE_LIMIT = 5_000_000  # bytes; a generated job has some ten thousand
VAULT = "com.datapipe.jenkins.vault.model."
YAML = (".yaml", ".yml")


@dataclass(frozen=True)
class Use:
    """One job in one file reads these keys of the path."""

    job: str
    keys: tuple[str, ...]
    file: str


class JobFiles:
    """Implements `bot.core.ports.Jobs` over directories. Refused when one of them is not there."""

    def __init__(self, directories: tuple[Path, ...]) -> None:
        self._directories = directories

    def configured(self) -> bool:
        return bool(self._directories)

    def consuming(self, path: str) -> Consumers:
        """The jobs that read exactly this path. Files that cannot be read are named and skipped."""
        reading = _Reading(path)
        for directory in self._directories:
            if not directory.is_dir():
                raise Refused(f"There is no directory {directory}.", "Correct ci_jobs.directories in the settings.")
            reading.directory(directory)
        return reading.result()


class _Reading:
    """One pass over the files, for one path."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._needle = max(re.findall(r"[A-Za-z0-9_-]+", path), key=len, default="").encode()
        self._uses: list[Use] = []
        self._unreadable: list[str] = []
        self._looked_at = 0
        self._sheets: list[job_builder.Sheet] = []
        self._mentioned = False

    def directory(self, root: Path) -> None:
        for file, name in self._files(root):
            is_yaml = file.suffix in YAML
            if not is_yaml and file.name != "config.xml":
                continue
            try:
                self._file(file, name, is_yaml)
            except Refused as refusal:
                self._unreadable.append(f"{name}: {refusal.what}")

    def result(self) -> Consumers:
        if self._mentioned:
            self._read_sheets()
        return Consumers(
            jobs=_merged(self._uses), unreadable=tuple(sorted(self._unreadable)), looked_at=self._looked_at
        )

    def _file(self, file: Path, name: str, is_yaml: bool) -> None:
        raw = _content(file)
        self._looked_at += 1
        if is_yaml:
            self._sheets.append(job_builder.Sheet(name, raw))
            self._mentioned |= self._may_mention(raw) or b"\\" in raw
            return
        if not raw.rstrip(b" \t\r\n\0").endswith(b">"):
            raise Refused("it is cut off")
        if self._may_mention(raw):
            keys = xml_keys(raw, self._path)
            self._uses += [Use(file.parent.name, keys, name)] if keys is not None else []

    def _may_mention(self, raw: bytes) -> bool:
        """Parsing is slow, searching is not: a file without the longest word of the path cannot name the path,
        unless it is written in two-byte characters or in character references."""
        return self._needle in raw or b"\0" in raw or b"&#" in raw

    def _read_sheets(self) -> None:
        entries: list[job_builder.Entry] = []
        for sheet in self._sheets:
            try:
                entries += job_builder.entries(sheet)
            except Refused as refusal:
                self._unreadable.append(f"{sheet.name}: {refusal.what}")
        self._uses += [Use(*use) for use in job_builder.uses(entries, self._path)]

    def _files(self, root: Path) -> Iterator[tuple[Path, str]]:
        """Files below a directory with the name people see. Links are followed, but never back into themselves."""
        waiting: list[tuple[Path, frozenset[tuple[int, int]]]] = [(root, frozenset())]
        while waiting:
            folder, above = waiting.pop()
            name = _name(root, folder)
            try:
                here = (folder.stat().st_dev, folder.stat().st_ino)
                children = sorted(folder.iterdir(), reverse=True)
            except OSError:
                self._unreadable.append(f"{name}: the folder cannot be read")
                continue
            if here in above:
                self._unreadable.append(f"{name}: a link that leads back to where it came from")
                continue
            folders = {child for child in children if os.path.isdir(child)}  # False, not an error, for looping links
            waiting += [(child, above | {here}) for child in children if child in folders]
            yield from ((child, _name(root, child)) for child in children if child not in folders)


def _name(root: Path, path: Path) -> str:
    return (Path(root.name) / path.relative_to(root)).as_posix()


def _content(file: Path) -> bytes:
    """The bytes of a file. Refused if it is no ordinary file, too large or unreadable."""
    try:
        facts = file.stat()
        if not stat.S_ISREG(facts.st_mode):
            raise Refused("it is not an ordinary file")
        if facts.st_size > FILE_LIMIT:
            raise Refused(f"it is larger than {FILE_LIMIT} bytes")
        return file.read_bytes()
    except OSError:
        raise Refused("it cannot be opened") from None


def xml_keys(raw: bytes, path: str) -> tuple[str, ...] | None:
    """The keys of the path that a generated job reads; None if it does not read it, or is a view and no job.

    Refused when it is not XML, or uses entities.
    """
    from xml.etree.ElementTree import ParseError

    from defusedxml.common import DefusedXmlException
    from defusedxml.ElementTree import fromstring

    try:
        root = fromstring(raw)
    except DefusedXmlException:
        raise Refused("it defines XML entities, which is not done in a job") from None
    except (ParseError, LookupError, ValueError):
        raise Refused("it is not well-formed XML") from None
    if root.tag.endswith("View"):
        return None
    secrets = [s for s in root.iter(f"{VAULT}VaultSecret") if (s.findtext("path") or "").strip() == path]
    if not secrets:
        return None
    found = (key.text for secret in secrets for key in secret.iter("vaultKey"))
    return tuple(sorted({key.strip() for key in found if key}))


def _merged(uses: Iterable[Use]) -> tuple[Job, ...]:
    """One entry for each job, by name; a job found in several files says in how many."""
    by_name: dict[str, list[Use]] = {}
    for use in uses:
        by_name.setdefault(use.job, []).append(use)
    return tuple(_job(name, by_name[name]) for name in sorted(by_name))


def _job(name: str, uses: list[Use]) -> Job:
    files = sorted({use.file for use in uses})
    more = f" and {len(files) - 1} more" if len(files) > 1 else ""
    return Job(name=name, keys=tuple(sorted({key for use in uses for key in use.keys})), found_in=files[0] + more)
