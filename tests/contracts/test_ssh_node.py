"""What a node promises over SFTP: the stand-in, and a real OpenSSH server."""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Any

import asyncssh
import pytest

from playground.ssh_node import Node, Nodes

FLAGS = asyncssh.FXF_READ | asyncssh.FXF_WRITE | asyncssh.FXF_CREAT | asyncssh.FXF_EXCL


@dataclass
class Server:
    """`tmp`: a directory with the sticky bit. `foreign(name)` puts another account's unreadable file there."""

    port: int
    account: str
    uid: int
    tmp: str
    key: asyncssh.SSHKey
    foreign: Callable[[str], None]

    def do(self, work: Callable[[asyncssh.SFTPClient], Awaitable[Any]]) -> Any:
        """What the work gives in a session of its own."""

        async def session() -> Any:
            async with asyncssh.connect(
                "127.0.0.1", self.port, username=self.account, client_keys=[self.key], known_hosts=None, config=None,
                agent_path=None, gss_host=None,
            ) as connection, connection.start_sftp_client() as sftp:  # fmt: skip
                return await work(sftp)

        return asyncio.run(session())


def stand_in(key: asyncssh.SSHKey) -> tuple[Server, Callable[[], None]]:
    node = Node({"dunepro": 4711}, keys={key.export_public_key().decode().strip()})
    served = Nodes([node])
    put = lambda name: node.put(f"/tmp/{name}", b"theirs", owner=666, mode=0o600)  # noqa: E731 - as short as its twin
    return Server(node.port, "dunepro", 4711, "/tmp", key, put), served.stop


def openssh(key: asyncssh.SSHKey, sshd: Any) -> Server:
    def put(name: str) -> None:
        path = sshd.tmp / name
        path.write_bytes(b"theirs")
        path.chmod(0o600 if os.getuid() == 0 else 0o000)  # without root all files are ours

    sshd.authorize(key.export_public_key().decode().strip())
    sshd.start()
    return Server(sshd.port, sshd.account.pw_name, sshd.account.pw_uid, str(sshd.tmp), key, put)


@pytest.fixture(params=["stand-in", pytest.param("openssh", marks=pytest.mark.slow)])
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    key = asyncssh.generate_private_key("ssh-ed25519")
    if request.param == "openssh":
        yield openssh(key, request.getfixturevalue("make_sshd")())
        return
    made, stop = stand_in(key)
    yield made
    stop()


async def make(sftp: asyncssh.SFTPClient, path: str, content: bytes = b"x", mode: int = 0o400) -> None:
    file = await sftp.open(path, FLAGS, asyncssh.SFTPAttrs(permissions=mode), encoding=None)
    await file.write(content, 0)
    await file.close()


def test_a_new_file_has_its_mode_from_the_start(server: Server) -> None:
    """A file made with 0400 is so while it is empty, belongs to the account, and can be written and read by its
    handle."""

    async def work(sftp: asyncssh.SFTPClient) -> Any:
        file = await sftp.open(f"{server.tmp}/a", FLAGS, asyncssh.SFTPAttrs(permissions=0o400), encoding=None)
        before = await file.stat()
        await file.write(b"content", 0)
        await file.fsync()
        return before, await file.stat(), await file.read(100, 0)

    before, after, content = server.do(work)
    assert stat.S_IMODE(before.permissions) == stat.S_IMODE(after.permissions) == 0o400
    assert stat.S_ISREG(before.permissions)
    assert (before.uid, before.size, after.size, content) == (server.uid, 0, 7, b"content")


def test_what_is_there_is_not_made_again(server: Server) -> None:
    """Making a file that is there fails, as OpenSSH puts it just so, and leaves it as it is."""

    async def work(sftp: asyncssh.SFTPClient) -> Any:
        await make(sftp, f"{server.tmp}/a", b"first")
        with pytest.raises(asyncssh.SFTPFailure):
            await make(sftp, f"{server.tmp}/a", b"second")
        return await (await sftp.open(f"{server.tmp}/a", asyncssh.FXF_READ, encoding=None)).read(100, 0)

    assert server.do(work) == b"first"


def test_what_is_missing_is_said_to_be(server: Server) -> None:
    """The directory shows its sticky bit; a missing file, and a file in a missing directory, are told as missing."""

    async def work(sftp: asyncssh.SFTPClient) -> Any:
        found = await sftp.stat(server.tmp)
        with pytest.raises(asyncssh.SFTPNoSuchFile):
            await sftp.lstat(f"{server.tmp}/missing")
        with pytest.raises(asyncssh.SFTPNoSuchFile):
            await make(sftp, f"{server.tmp}/missing/a")
        return found

    mode = server.do(work).permissions
    assert stat.S_ISDIR(mode)
    assert stat.S_IMODE(mode) == 0o1777


def test_a_name_is_given_in_one_step(server: Server) -> None:
    """posix-rename puts a file in another's place; the plain one refuses to."""

    async def work(sftp: asyncssh.SFTPClient) -> Any:
        for name in ("a", "b", "c"):
            await make(sftp, f"{server.tmp}/{name}", name.encode())
        await sftp.posix_rename(f"{server.tmp}/b", f"{server.tmp}/a")
        with pytest.raises(asyncssh.SFTPFailure):
            await sftp.rename(f"{server.tmp}/c", f"{server.tmp}/a")
        content = await (await sftp.open(f"{server.tmp}/a", asyncssh.FXF_READ, encoding=None)).read(100, 0)
        return content, {str(name.filename) async for name in sftp.scandir(server.tmp)} - {".", ".."}

    assert server.do(work) == (b"b", {"a", "c"})


def test_another_accounts_file_cannot_be_read(server: Server) -> None:
    """What the account may not read is denied, and says so."""
    server.foreign("theirs")

    async def work(sftp: asyncssh.SFTPClient) -> None:
        with pytest.raises(asyncssh.SFTPPermissionDenied):
            await sftp.open(f"{server.tmp}/theirs", asyncssh.FXF_READ, encoding=None)

    server.do(work)


def test_the_file_system_tells_of_its_room(server: Server) -> None:
    """statvfs has what tells a full disk from a read-only one."""

    async def work(sftp: asyncssh.SFTPClient) -> Any:
        return await sftp.statvfs(server.tmp)

    disk = server.do(work)
    assert disk.bavail > 0
    assert disk.favail > 0
    assert not disk.flags & 1


def test_what_is_removed_is_gone(server: Server) -> None:
    """A removed file is missing, and removing it again says so."""

    async def work(sftp: asyncssh.SFTPClient) -> None:
        await make(sftp, f"{server.tmp}/a")
        await sftp.remove(f"{server.tmp}/a")
        with pytest.raises(asyncssh.SFTPNoSuchFile):
            await sftp.remove(f"{server.tmp}/a")

    server.do(work)


def test_a_strange_key_is_not_let_in(server: Server) -> None:
    """Another key than the account's is denied."""
    server.key = asyncssh.generate_private_key("ssh-ed25519")
    with pytest.raises(asyncssh.PermissionDenied):
        server.do(lambda sftp: sftp.stat("/"))
