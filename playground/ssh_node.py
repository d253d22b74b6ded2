"""Nodes in miniature: SSH servers with SFTP and files in memory, hundreds in one process, failing where they are told.

What an OpenSSH server says of a full or read-only disk is said here too: just that it failed; statvfs knows more.
"""

from __future__ import annotations

import asyncio
import stat
import threading
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import suppress
from posixpath import dirname
from typing import Any

import asyncssh

from playground.ssh_files import Fault, File, Node

BLOCKS = 1_000_000
__all__ = ["File", "Node", "Nodes"]


class Nodes:
    """Serves nodes on loopback from one thread, each on a port of its own. `host_key`: theirs, all have the same."""

    def __init__(self, nodes: Iterable[Node], host_key: asyncssh.SSHKey | None = None, certificate: Any = None) -> None:
        self.host_key = host_key or asyncssh.generate_private_key("ssh-ed25519")
        self._host = (self.host_key, certificate) if certificate else self.host_key
        self._nodes = tuple(nodes)
        self._loop = asyncio.new_event_loop()
        self._listeners: dict[int, asyncssh.SSHAcceptor] = {}  # by port
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True, name="nodes")
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(60)

    def known_host(self, name: str) -> str:
        """The line for known_hosts, on the port 22."""
        return f"{name} {self.host_key.export_public_key().decode().strip()}\n"

    def open(self, node: Node) -> None:
        """Let one listen (again)."""
        asyncio.run_coroutine_threadsafe(self._open(node), self._loop).result(10)

    def close(self, node: Node) -> None:
        """Let one listen no more; connections that are under way go on."""

        async def shut() -> None:
            self._listeners.pop(node.port).close()

        asyncio.run_coroutine_threadsafe(shut(), self._loop).result(10)

    def stop(self) -> None:
        if not self._thread.is_alive():
            return
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    async def _listen(self) -> None:
        for node in self._nodes:
            await self._open(node)

    async def _open(self, node: Node) -> None:
        place: dict[str, Any] = {"sock": node.door} if node.door else {"host": "127.0.0.1", "port": 0}
        listener = await asyncssh.listen(
            **place, server_host_keys=[self._host], server_factory=lambda: _Login(node),
            sftp_factory=lambda channel: _Sftp(channel, node), gss_host=None, config=None,
            allow_scp=False, reuse_address=True,
        )  # fmt: skip
        node.port = listener.get_port()
        self._listeners[node.port] = listener

    async def _close(self) -> None:
        for listener in self._listeners.values():
            listener.close()
        for task in asyncio.all_tasks():
            if task is not asyncio.current_task():
                task.cancel()
        await asyncio.sleep(0)


class _Login(asyncssh.SSHServer):
    def __init__(self, node: Node) -> None:
        self._node = node
        self._connection: Any = None

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self._connection = conn
        self._node.under_way += 1
        self._node.most = max(self._node.most, self._node.under_way)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - as the library calls it
        self._node.under_way -= 1

    async def begin_auth(self, username: str) -> bool:  # noqa: ARG002 - as the library calls it
        self._node.logins += 1
        await asyncio.sleep(self._node.delay)
        fault = self._node.faults.get("login")
        if fault == "silent":
            await asyncio.Event().wait()
        if fault == "cut":
            self._connection.abort()
        return True

    def public_key_auth_supported(self) -> bool:
        return True

    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        return username in self._node.accounts and key.export_public_key().decode().strip() in self._node.keys


class _Sftp(asyncssh.SFTPServer):
    def __init__(self, channel: asyncssh.SSHServerChannel[bytes], node: Node) -> None:
        super().__init__(channel)
        self._node = node
        self._connection = channel.get_connection()
        self._uid = node.accounts[channel.get_extra_info("username")]

    async def open(self, path: bytes, pflags: int, attrs: asyncssh.SFTPAttrs) -> File:
        await self._enter("open")
        name, found = path.decode(), self._node.files.get(path.decode())
        if not pflags & asyncssh.FXF_CREAT:
            return self._readable(found)
        if dirname(name) not in self._node.files:
            raise asyncssh.SFTPNoSuchFile("")
        if found is not None or self._node.disk == "read_only":
            raise asyncssh.SFTPFailure("")
        made = self._node.files[name] = File(stat.S_IFREG | (attrs.permissions or 0o666) & 0o777, self._uid)
        made.written_at = time.time()
        return made

    def _readable(self, found: File | None) -> File:
        if found is None:
            raise asyncssh.SFTPNoSuchFile("")
        if found.owner != self._uid and not found.mode & stat.S_IROTH:
            raise asyncssh.SFTPPermissionDenied("")
        return found

    async def write(self, file_obj: object, offset: int, data: bytes) -> int:
        await self._enter("write")
        assert isinstance(file_obj, File)
        if self._node.disk in ("full", "quota"):
            raise asyncssh.SFTPFailure("")
        after = self._node.cut_after
        file_obj.content[offset : offset + len(data)] = data if after is None else data[:after]
        if after is not None:
            await self._fail("cut")
        return len(data)

    async def read(self, file_obj: object, offset: int, size: int) -> bytes:
        corrupt = await self._enter("read") == "corrupt"
        assert isinstance(file_obj, File)
        content = bytes(file_obj.content[offset : offset + size])
        return content[::-1] if corrupt else content

    async def close(self, file_obj: object) -> None:  # noqa: ARG002 - as the library calls it
        await self._enter("close")

    async def fsync(self, file_obj: object) -> None:  # noqa: ARG002 - as the library calls it
        await self._enter("fsync")

    async def fstat(self, file_obj: object) -> asyncssh.SFTPAttrs:
        await self._enter("fstat")
        assert isinstance(file_obj, File)
        return _attributes(file_obj)

    async def fsetstat(self, file_obj: object, attrs: asyncssh.SFTPAttrs) -> None:
        await self._enter("fsetstat")
        assert isinstance(file_obj, File)
        file_obj.mode = stat.S_IFMT(file_obj.mode) | (attrs.permissions or 0) & 0o7777

    async def lstat(self, path: bytes) -> asyncssh.SFTPAttrs:
        await self._enter("lstat")
        return _attributes(self._at(path))

    async def stat(self, path: bytes) -> asyncssh.SFTPAttrs:
        await self._enter("stat")
        found = self._at(path)
        return _attributes(self._at(found.target.encode()) if found.target else found)

    async def remove(self, path: bytes) -> None:
        await self._enter("remove")
        self._mine(self._at(path))
        del self._node.files[path.decode()]

    async def rename(self, oldpath: bytes, newpath: bytes) -> None:
        await self._enter("rename")
        if newpath.decode() in self._node.files:
            raise asyncssh.SFTPFailure("")
        self._move(oldpath, newpath)

    async def posix_rename(self, oldpath: bytes, newpath: bytes) -> None:
        await self._enter("posix_rename")
        standing = self._node.files.get(newpath.decode())
        if standing is not None:
            self._mine(standing)
        self._move(oldpath, newpath)

    async def statvfs(self, path: bytes) -> asyncssh.SFTPVFSAttrs:  # noqa: ARG002 - as the library calls it
        await self._enter("statvfs")
        free = 0 if self._node.disk == "full" else BLOCKS // 2
        return asyncssh.SFTPVFSAttrs(
            bsize=4096, frsize=4096, blocks=BLOCKS, bfree=free, bavail=free, files=BLOCKS, ffree=BLOCKS // 2,
            favail=BLOCKS // 2, fsid=1, flags=1 if self._node.disk == "read_only" else 0, namemax=255,
        )  # fmt: skip

    async def scandir(self, path: bytes) -> AsyncIterator[asyncssh.SFTPName]:
        await self._enter("scandir")
        for name, file in self._node.in_directory(path.decode()).items():
            yield asyncssh.SFTPName(name.encode(), attrs=_attributes(file))

    def _at(self, path: bytes) -> File:
        found = self._node.files.get(path.decode())
        if found is None:
            raise asyncssh.SFTPNoSuchFile("")
        return found

    def _mine(self, file: File) -> None:
        """In a directory with the sticky bit nobody removes what is another's."""
        if file.owner != self._uid:
            raise asyncssh.SFTPPermissionDenied("")

    def _move(self, old: bytes, new: bytes) -> None:
        file = self._at(old)
        self._mine(file)
        del self._node.files[old.decode()]
        self._node.files[new.decode()] = file
        self._node.changed()

    async def _enter(self, operation: str) -> Fault | None:
        self._node.log.append(operation)
        fault = self._node.faults.get(operation)
        if fault not in (None, "corrupt"):
            await self._fail(fault)
        return fault

    async def _fail(self, fault: Fault | None) -> None:
        if fault == "cut":
            self._connection.abort()
        if fault in ("cut", "silent"):
            with suppress(asyncio.CancelledError):
                await asyncio.Event().wait()
        if fault == "denied":
            raise asyncssh.SFTPPermissionDenied("")
        if fault == "unsupported":
            raise asyncssh.SFTPOpUnsupported("")
        raise asyncssh.SFTPFailure("")


def _attributes(file: File) -> asyncssh.SFTPAttrs:
    when = int(file.written_at or time.time())
    size = len(file.target or file.content)
    return asyncssh.SFTPAttrs(permissions=file.mode, uid=file.owner, gid=file.owner, size=size, atime=when, mtime=when)
