"""Putting a token under its names on a node, in a directory that everybody may write to.

All drafts are written before the first name is given, so a full disk costs none of the old tokens.
"""

from __future__ import annotations

import asyncio
import hmac
import re
import secrets
import stat
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from posixpath import basename, dirname

from bot.core.errors import Refused, Told, Transient
from bot.core.grid import Placed
from bot.tools.nodes_files import Entry, Files
from bot.tools.nodes_told import another_uid, in_the_way, unlike

TOKEN_MODE, ROLE_MODE = 0o400, 0o644
TIDYING = 2.0  # seconds for removing drafts
EVERYBODY, STICKY = stat.S_IWOTH, stat.S_ISVTX
Digest = Callable[[bytes], str]


@dataclass(frozen=True)
class Put:
    """What goes onto a node. `patience` in seconds: a draft that is older belongs to nobody who lives. `tidied`: the
    paths whose old drafts are removed, which takes a look at the whole directory."""

    paths: tuple[str, ...]
    content: bytes = field(repr=False)
    uid: int
    digest: Digest
    patience: float
    in_two_steps: bool = False
    mode: int = TOKEN_MODE
    tidied: tuple[str, ...] = ()

    def other(self, path: str, content: bytes) -> Put:
        """Another content, for one place that everybody may read."""
        return replace(self, paths=(path,), content=content, mode=ROLE_MODE, tidied=())


async def put(files: Files, what: Put) -> tuple[Placed, ...]:
    """Write, read back, rename, look once more. On any failure what stood there stays, and no draft is left."""
    await _directory_is_safe(files)
    for path in what.paths:
        _is_ours(files, path, await files.look(path), what.uid)
    drafts = {path: draft(path) for path in what.paths}
    try:
        for path, name in drafts.items():
            last = await _write(files, path, name, what)
        await _tidy_up(files, what, last)
        return tuple([await _name(files, path, name, what) for path, name in drafts.items()])
    except BaseException:
        await _throw_away(files, tuple(drafts.values()))
        raise


def draft(path: str) -> str:
    """A new hidden name beside the path, which nobody can foresee."""
    return f"{dirname(path)}/.{basename(path)}.hk-{secrets.token_hex(8)}"


async def placed(files: Files, paths: tuple[str, ...], uid: int, digest: Digest) -> tuple[Placed, ...]:
    """What stands under these names. The fingerprint of what is not the account's own plain file is ""."""
    found = []
    for path in paths:
        entry = await files.look(path)
        if entry is not None:
            ours = entry.kind == "a file" and entry.owner == uid
            content = await files.read(path) if ours else None
            found.append(_placed(path, entry, digest(content) if content is not None else ""))
    return tuple(found)


async def _directory_is_safe(files: Files) -> None:
    found = await files.directory()
    if not stat.S_ISDIR(found.mode):
        raise files.where.told("not_directory")
    if found.mode & EVERYBODY and not found.mode & STICKY:
        raise files.where.told("not_sticky")


def _is_ours(files: Files, path: str, entry: Entry | None, uid: int) -> None:
    if entry is not None and (entry.kind != "a file" or entry.owner != uid):
        raise in_the_way(files.where, path, entry.kind, entry.owner, uid)


async def _write(files: Files, path: str, name: str, what: Put) -> Entry:
    def right(entry: Entry) -> None:
        if entry.owner != what.uid:
            raise another_uid(files.where, entry.owner, what.uid)
        if stat.S_IMODE(entry.mode) != what.mode:
            raise files.where.told("failed")

    entry, content = await files.write(name, what.content, what.mode, right)
    same = hmac.compare_digest(what.digest(content), what.digest(what.content))
    if entry.size != len(what.content) or not same:
        raise unlike(files.where, path)
    return entry


async def _name(files: Files, path: str, name: str, what: Put) -> Placed:
    try:
        await files.replace(name, path, in_two_steps=what.in_two_steps)
    except Refused:
        with suppress(Transient):  # what is there now may have come after we looked, and be why
            _is_ours(files, path, await files.look(path), what.uid)
        raise
    entry = await files.look(path)
    _is_ours(files, path, entry, what.uid)
    if entry is None or entry.size != len(what.content) or stat.S_IMODE(entry.mode) != what.mode:
        raise unlike(files.where, path)
    return _placed(path, entry, what.digest(what.content))


async def _tidy_up(files: Files, what: Put, ours: Entry) -> None:
    """Remove the drafts of a push that was killed: by our names, of our account, older than any push that lives."""
    if not what.tidied:
        return
    pattern = re.compile("|".join(rf"\.{re.escape(basename(path))}\.hk-[0-9a-f]{{16}}" for path in what.tidied))
    with suppress(TimeoutError):
        async with asyncio.timeout(TIDYING):
            async for name, entry in files.names():
                old = entry.written_at < ours.written_at - what.patience
                if old and entry.kind == "a file" and entry.owner == what.uid and pattern.fullmatch(name):
                    await files.remove(f"{files.where.directory}/{name}")


async def _throw_away(files: Files, names: tuple[str, ...]) -> None:
    with suppress(TimeoutError, Told):
        async with asyncio.timeout(TIDYING):
            for name in names:
                await files.remove(name)


def _placed(path: str, entry: Entry, fingerprint: str) -> Placed:
    return Placed(
        path=path, fingerprint=fingerprint, size=entry.size, mode=stat.S_IMODE(entry.mode),
        owner=-1 if entry.owner is None else entry.owner, written_at=entry.written_at,
    )  # fmt: skip
