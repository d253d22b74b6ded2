"""Pushes to real OpenSSH servers."""

from __future__ import annotations

import os
import stat
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import asyncssh
import pytest

from bot.core.errors import Refused, Told
from bot.core.grid import Service
from bot.core.secret import Secret
from bot.managed import Kerberos
from bot.sources import FromEnv
from bot.ssh import Agent, Gssapi, Key, Nodes
from bot.tools.fingerprints import KeyedFingerprints
from bot.tools.kerberos import Tickets
from bot.tools.nodes import SshNodes

pytestmark = pytest.mark.slow
AUTH = (Key(private_key=FromEnv(env="KEY")),)
ROOT = os.getuid() == 0
OLD = b"hvs.old\n"


class Real:
    """A server, a service whose account it lets in, and the bot's part."""

    def __init__(self, sshd: Any, key: asyncssh.SSHKey, token: str, folder: Path) -> None:
        self.sshd, self.token = sshd, token
        self.uid = sshd.account.pw_uid
        self.service = Service(
            name="dune_production", experiment="dune", role="production", account=sshd.account.pw_name,
            principal=f"{sshd.account.pw_name}@TEST.LOCAL", keytab="/dev/null",
        )  # fmt: skip
        self.known_hosts = folder / f"known_hosts_{sshd.port}"
        self.known_hosts.write_text(f"localhost {sshd.host_key}\n")
        self._private = key.export_private_key().decode()
        sshd.authorize(key.export_public_key().decode().strip())

    @property
    def paths(self) -> list[Path]:
        base = f"vt_u{self.uid}"
        return [self.sshd.tmp / base, self.sshd.tmp / f"{base}-{self.service.name}"]

    def old(self) -> None:
        for path in self.paths:
            path.write_bytes(OLD)
            path.chmod(0o400)
            os.chown(path, self.uid, self.sshd.account.pw_gid)

    def left(self) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in self.sshd.tmp.iterdir()}

    def tool(self, *, tickets: Any = lambda _: None, **settings: Any) -> SshNodes:
        given = {
            "auth": AUTH, "known_hosts": self.known_hosts, "directory": str(self.sshd.tmp),
            "addresses": {"localhost": f"127.0.0.1:{self.sshd.port}"},
            "connect_timeout": 60, "operation_timeout": 60, "node_timeout": 120, **settings,
        }  # fmt: skip
        key = KeyedFingerprints(Secret("a made-up key of the fingerprints"))
        content = Secret(self.token)
        return SshNodes(Nodes(**given), lambda _: Secret(self._private), key, lambda _: content, tickets=tickets)


@pytest.fixture
def real(make_sshd: Callable[..., Any], canary: Any, tmp_path: Path, keys: Any) -> Callable[..., Real]:
    return lambda *name: Real(make_sshd(*name), keys[0], f"hvs.{canary('the token')}", tmp_path)


def test_a_real_node_gets_both_files(real: Callable[..., Real]) -> None:
    """Over a real sshd: both files hold the token, 0400, the account's, and replace older ones; no draft is left."""
    it = real()
    it.sshd.start()
    it.old()
    role = str(it.sshd.tmp / "default_role_{{.DesiredUID}}")
    placed = it.tool().push(it.service.model_copy(update={"role_file": role}), "localhost", it.uid)
    assert {name: content.decode() for name, content in it.left().items()} == {
        **dict.fromkeys((path.name for path in it.paths), f"{it.token}\n"), f"default_role_{it.uid}": "production\n"
    }  # fmt: skip
    states = [path.stat() for path in it.paths]
    assert {(stat.S_IMODE(one.st_mode), one.st_uid) for one in states} == {(0o400, it.uid)}
    assert it.tool().placed(it.service, "localhost", it.uid) == placed[:2]


@pytest.mark.parametrize("plant", ["link", "directory", "fifo", "file"])
def test_what_is_planted_on_a_real_node_stays(real: Callable[..., Real], tmp_path: Path, plant: str) -> None:
    """A planted link is not followed, nothing planted is touched, and the sentence says what it is."""
    it = real()
    it.sshd.start()
    aim = tmp_path / "aim"
    aim.write_bytes(b"untouched")
    path = it.paths[1]
    if plant == "file" and not ROOT:
        plant = "link"  # another's file takes another account
    {
        "link": lambda: path.symlink_to(aim),
        "directory": path.mkdir,
        "fifo": lambda: os.mkfifo(path),
        "file": lambda: path.write_bytes(b"another's"),
    }[plant]()
    with pytest.raises(Refused, match=r"there is (a link|a directory|something that is no file|a file) at"):
        it.tool().push(it.service, "localhost", it.uid)
    assert aim.read_bytes() == b"untouched"
    assert [one.name for one in it.sshd.tmp.iterdir()] == [path.name]


MOUNT = ["mount", "-t", "tmpfs", "-o", "size=16k,mode=1777", "tmpfs"]
UNMOUNT = ["umount", "--lazy"]  # a session of the server may not have ended yet


@contextmanager
def small_disk(folder: Path) -> Iterator[None]:
    subprocess.run([*MOUNT, str(folder)], check=True)
    try:
        yield
    finally:
        subprocess.run([*UNMOUNT, str(folder)], check=True)


def may_mount() -> bool:
    """Is this root with the right to mount? In many a container it has none."""
    with tempfile.TemporaryDirectory() as folder:
        if not ROOT or subprocess.run([*MOUNT, folder], check=False, capture_output=True).returncode:
            return False
        subprocess.run([*UNMOUNT, folder], check=True)
    return True


@pytest.mark.parametrize("trouble", ["limit", *(["full", "read_only"] if may_mount() else [])])
def test_a_real_disk_that_takes_nothing_keeps_the_old_token(real: Callable[..., Real], trouble: str) -> None:
    """Full, read-only, or cut after ten bytes by a limit on files: each is told as what it is, and the old token
    stands."""
    it = real()
    it.sshd.start(longest_file=10 if trouble == "limit" else -1)
    words = {"limit": "its quota, most likely", "full": "no room left", "read_only": "mounted read-only"}[trouble]
    with small_disk(it.sshd.tmp) if trouble != "limit" else contextmanager(lambda: iter([None]))():
        it.old()
        if trouble == "full":
            fill(it.sshd.tmp / "filler")
        if trouble == "read_only":
            subprocess.run(["mount", "-o", "remount,ro", str(it.sshd.tmp)], check=True)
        with pytest.raises(Refused, match=words):
            it.tool().push(it.service, "localhost", it.uid)
        assert {name: it.left()[name] for name in it.left() if name != "filler"} == {
            path.name: OLD for path in it.paths
        }


def fill(path: Path) -> None:
    with path.open("wb", buffering=0) as file:
        try:
            while file.write(b"x" * 4096):
                pass
        except OSError:
            return


def test_a_directory_that_the_account_may_not_write(real: Callable[..., Real]) -> None:
    """The sentence names the account and the directory."""
    it = real()
    it.sshd.start()
    it.sshd.tmp.chmod(0o555)
    with pytest.raises(Refused, match=f"{it.service.account} may not write in {it.sshd.tmp}"):
        it.tool().push(it.service, "localhost", it.uid)


def test_a_real_sshd_that_does_not_know_the_key(real: Callable[..., Real]) -> None:
    """Nothing is put there, and the sentence says what was tried."""
    it = real()
    it.sshd.authorize("")
    it.sshd.start()
    with pytest.raises(Refused, match=r"does not let \S+ in with what the bot has \(a key\)"):
        it.tool().push(it.service, "localhost", it.uid)
    assert it.left() == {}


def test_an_agent_signs_and_is_not_forwarded(real: Callable[..., Real], tmp_path: Path, server_binary: Any) -> None:
    """A key that only an agent holds logs in; an agent that is away is told when there is nothing else."""
    it, socket = real(), tmp_path / "agent"
    it.sshd.start()
    agent = subprocess.Popen([server_binary("ssh-agent"), "-D", "-a", str(socket)], stdout=subprocess.DEVNULL)
    try:
        key = tmp_path / "key"
        key.write_text(it._private)
        key.chmod(0o600)
        add = [server_binary("ssh-add"), "-q", str(key)]
        while subprocess.run(
            add, env={"SSH_AUTH_SOCK": str(socket)}, stderr=subprocess.DEVNULL, check=False
        ).returncode:
            assert agent.poll() is None
        assert len(it.tool(auth=(Agent(socket=socket),)).push(it.service, "localhost", it.uid)) == 2
    finally:
        agent.terminate()
        agent.wait(10)
    gone = Agent(socket=tmp_path / "gone")
    assert len(it.tool(auth=(gone, *AUTH)).push(it.service, "localhost", it.uid)) == 2
    with pytest.raises(Refused, match="No SSH agent answers"):
        it.tool(auth=(gone,)).push(it.service, "localhost", it.uid)


def test_a_shell_that_prints_before_sftp(real: Callable[..., Real]) -> None:
    """What a login shell says is no SFTP: that is told, with the cure, and the shell's words are not."""
    it = real()
    it.sshd.start(sftp="/bin/echo Welcome to this node")  # a shell that lets nobody in says so itself
    with pytest.raises(Refused, match="offers no SFTP") as refused:
        it.tool().push(it.service, "localhost", it.uid)
    assert "internal-sftp" in refused.value.now
    assert it.left() == {}


def test_a_service_logs_in_with_its_own_ticket(real: Callable[..., Real], kerberos: Any) -> None:
    """GSSAPI with the ticket from the service's keytab; another principal's ticket is refused; no cache file is read."""
    it = real()
    it.sshd.start(keytab=kerberos.host_keytab, kerberos=kerberos.config)
    tickets = Tickets(Kerberos())
    tool = it.tool(auth=(Gssapi(),), tickets=lambda service: tickets.ticket(service).store)
    name = it.sshd.account.pw_name
    ours = it.service.model_copy(update={"keytab": str(kerberos.keytab(name))})
    assert len(tool.push(ours, "localhost", it.uid)) == 2
    theirs = {"name": "mu2e_x", "principal": "mu2e@TEST.LOCAL", "keytab": str(kerberos.keytab("mu2e"))}
    with pytest.raises(Refused, match=r"with what the bot has \(a Kerberos ticket\)"):
        tool.push(it.service.model_copy(update=theirs), "localhost", it.uid)


def test_a_kdc_that_goes_away_is_looked_for(real: Callable[..., Real], kerberos: Any) -> None:
    """The service has its ticket, but none for the node can be had any more: the sentence leads to the KDC."""
    it = real()
    it.sshd.start(keytab=kerberos.host_keytab, kerberos=kerberos.config)
    tickets = Tickets(Kerberos())
    ours = it.service.model_copy(update={"keytab": str(kerberos.keytab(it.sshd.account.pw_name))})
    tickets.ticket(ours)
    kerberos.stop()
    try:
        with pytest.raises(Refused, match="a Kerberos ticket") as refused:
            it.tool(auth=(Gssapi(),), tickets=lambda service: tickets.ticket(service).store).push(
                ours, "localhost", it.uid
            )
    finally:
        kerberos.start()
    assert "the KDC answers, and knows host/localhost" in refused.value.now


def test_without_a_ticket_a_key_does(real: Callable[..., Real], kerberos: Any) -> None:
    """A ticket that cannot be had is told only when there is nothing else to log in with."""
    it = real()
    it.sshd.start()
    tickets = Tickets(Kerberos())
    both: dict[str, Any] = {"tickets": lambda service: tickets.ticket(service).store}
    gone = it.service.model_copy(update={"keytab": "/nowhere/keytab"})
    assert len(it.tool(auth=(Gssapi(), *AUTH), **both).push(gone, "localhost", it.uid)) == 2
    with pytest.raises(Told, match="keytab"):
        it.tool(auth=(Gssapi(),), **both).push(gone, "localhost", it.uid)


def test_two_accounts_keep_their_tokens_apart(real: Callable[..., Real]) -> None:
    """Each account's files are its own, on servers of its own (who is not root has only one account to try)."""
    for it in (real("nobody"), real("daemon")):
        it.sshd.start()
        it.tool().push(it.service, "localhost", it.uid)
        assert {path.stat().st_uid for path in it.paths} == {it.uid}
