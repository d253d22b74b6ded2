"""Files on a node over SFTP: each operation with a time limit, and each failure in our words."""

from __future__ import annotations

import asyncio
import stat
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from bot.core.errors import Refused, Told
from bot.tools.nodes_told import Kind, Where

if TYPE_CHECKING:
    import asyncssh

Result = TypeVar("Result")
ENOUGH = 65_536  # bytes; a token has a few hundred
NAMES = 10_000  # looked at in a directory that everybody fills
READ_ONLY = 1  # the flag in statvfs@openssh.com


class Entry(NamedTuple):
    """What stands under a name. `mode` with the bits of its kind; times are the node's own."""

    mode: int
    owner: int | None
    size: int
    written_at: float

    @property
    def kind(self) -> str:
        if stat.S_ISREG(self.mode):
            return "a file"
        if stat.S_ISLNK(self.mode):
            return "a link"
        return "a directory" if stat.S_ISDIR(self.mode) else "something that is no file"


class Missing(Exception):
    """There is nothing of that name."""


class Unable(Exception):
    """The node does not know this operation."""


class Files:
    """One SFTP session; `seconds` for one operation. Raises Refused and Transient."""

    def __init__(self, sftp: asyncssh.SFTPClient, where: Where, seconds: float) -> None:
        self.where = where
        self._sftp, self._seconds = sftp, seconds

    def beside(self, directory: str) -> Files:
        """The same session, for files in another directory."""
        return Files(self._sftp, replace(self.where, directory=directory), self._seconds)

    async def look(self, path: str) -> Entry | None:
        """What stands there, links not followed; None for nothing."""
        try:
            return _entry(await self._do(self._sftp.lstat(path)))
        except Missing:
            return None

    async def directory(self) -> Entry:
        """The directory of the files, links followed."""
        try:
            return _entry(await self._do(self._sftp.stat(self.where.directory)))
        except Missing:
            raise self.where.told("no_directory") from None

    async def write(self, path: str, content: bytes, mode: int, right: Callable[[Entry], None]) -> tuple[Entry, bytes]:
        """Make a new file of this mode, let `right` object to it while it is empty, fill it. What it is then, and what
        is in it."""
        import asyncssh

        flags = asyncssh.FXF_READ | asyncssh.FXF_WRITE | asyncssh.FXF_CREAT | asyncssh.FXF_EXCL
        # A file that failed is not closed: who hung in writing would hang in that too, and the session ends at once.
        file = await self._make(self._sftp.open(path, flags, asyncssh.SFTPAttrs(permissions=mode), encoding=None))
        await self._make(file.chmod(mode))  # the account's umask may have taken bits away
        right(_entry(await self._make(file.stat())))
        await self._make(file.write(content, 0))
        with suppress(Unable):
            await self._make(file.fsync())
        written = _entry(await self._make(file.stat())), await self._content(file)
        await self._make(file.close())
        return written

    async def replace(self, path: str, final: str, *, in_two_steps: bool) -> None:
        """Give the file its final name, in one step. Where the node cannot, and something stands there: Refused, or in
        two steps if that is allowed."""
        try:
            await self._make(self._sftp.posix_rename(path, final))
        except Unable:
            if await self.look(final) is not None:
                if not in_two_steps:
                    raise self.where.told("no_rename") from None
                await self._make(self._sftp.remove(final))
            await self._make(self._sftp.rename(path, final))

    async def read(self, path: str) -> bytes | None:
        """Its first `ENOUGH` bytes, or None when the account may not read it, or it has gone."""
        import asyncssh

        try:
            file = await self._do(self._sftp.open(path, asyncssh.FXF_READ, encoding=None))
            content = await self._content(file)
            await self._do(file.close())
        except (Missing, Refused):
            return None
        return content

    async def _content(self, file: asyncssh.SFTPClientFile) -> bytes:
        content: str | bytes = await self._do(file.read(ENOUGH, 0))
        assert isinstance(content, bytes)  # it was opened without an encoding
        return content

    async def remove(self, path: str) -> None:
        """No matter if that is not there, or cannot be removed."""
        with suppress(Missing, Unable, Told):
            await self._do(self._sftp.remove(path))

    async def names(self) -> AsyncIterator[tuple[str, Entry]]:
        """What is in the directory, of many only the first; nothing if it cannot be listed."""
        import asyncssh

        with suppress(asyncssh.Error, OSError):
            seen = 0
            async for name in self._sftp.scandir(self.where.directory):
                yield str(name.filename), _entry(name.attrs)
                if (seen := seen + 1) == NAMES:
                    return

    async def _make(self, work: Awaitable[Result]) -> Result:
        """As `_do`, where everything in the way has been looked at: what is missing is the directory."""
        try:
            return await self._do(work)
        except Missing:
            raise self.where.told("no_directory") from None

    async def _do(self, work: Awaitable[Result]) -> Result:
        import asyncssh

        try:
            async with asyncio.timeout(self._seconds):
                return await work
        except asyncssh.SFTPOpUnsupported:
            raise Unable from None
        except (asyncssh.SFTPNoSuchFile, asyncssh.SFTPNoSuchPath):
            raise Missing from None
        except TimeoutError:
            raise self.where.told("silent", f"{self._seconds:g}") from None
        except (asyncssh.Error, OSError) as problem:
            # Everything: an SFTP error has the node's own text in it.
            kind = failing(problem)
        raise self.where.told(await self._reason() if kind == "failed" else kind)

    async def _reason(self) -> Kind:
        """OpenSSH says of a full disk, a quota and a read-only one just that it failed: the file system knows more."""
        import asyncssh

        try:
            async with asyncio.timeout(self._seconds):
                disk = await self._sftp.statvfs(self.where.directory)
        except (asyncssh.Error, OSError):
            return "failed"
        if (disk.flags or 0) & READ_ONLY:
            return "read_only"
        if not disk.bavail or (disk.files and not disk.favail):
            return "full"
        return "quota"


def failing(problem: Exception) -> Kind:
    """What an SFTP server's refusal means."""
    import asyncssh

    kinds: tuple[tuple[type[Exception] | tuple[type[Exception], ...], Kind], ...] = (
        (asyncssh.SFTPPermissionDenied, "denied"),
        (asyncssh.SFTPNoSpaceOnFilesystem, "full"),
        (asyncssh.SFTPQuotaExceeded, "quota"),
        (asyncssh.SFTPWriteProtect, "read_only"),
        (asyncssh.SFTPNotADirectory, "not_directory"),
        ((asyncssh.SFTPConnectionLost, asyncssh.SFTPNoConnection), "cut"),
        (asyncssh.SFTPError, "failed"),
    )
    return next((kind for sort, kind in kinds if isinstance(problem, sort)), "cut")


def _entry(attributes: asyncssh.SFTPAttrs) -> Entry:
    return Entry(attributes.permissions or 0, attributes.uid, attributes.size or 0, float(attributes.mtime or 0))
