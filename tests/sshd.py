"""A real OpenSSH server on loopback, run as the only account that it lets in: then it needs no rights of its own."""

from __future__ import annotations

import ctypes
import os
import pwd
import resource
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from playground.broken import unused_port

# PAM, because without it accounts without a password count as locked.
CONFIG = """\
ListenAddress 127.0.0.1
Port {port}
HostKey {folder}/host_key
PidFile none
AuthorizedKeysFile {folder}/authorized_keys
StrictModes no
UsePAM yes
PasswordAuthentication no
KbdInteractiveAuthentication no
GSSAPIAuthentication {gssapi}
GSSAPIStrictAcceptorCheck no
Subsystem sftp {sftp}
"""


@dataclass
class Sshd:
    """`account` is who it lets in. `tmp`: a directory there as /tmp is on a node, and /proc/self/cwd in its sessions."""

    folder: Path
    account: pwd.struct_passwd
    port: int
    _binary: Callable[[str], str] = field(repr=False)
    _process: subprocess.Popen[bytes] | None = None

    @property
    def tmp(self) -> Path:
        return self.folder / "tmp"

    @property
    def log(self) -> str:
        """What it has noted so far: logins, among others."""
        return (self.folder / "log").read_text(errors="replace")

    @property
    def host_key(self) -> str:
        """The public one, as in known_hosts."""
        return (self.folder / "host_key.pub").read_text().strip()

    def authorize(self, public_key: str) -> None:
        (self.folder / "authorized_keys").write_text(f"{public_key}\n")

    def start(
        self, *, keytab: Path | None = None, kerberos: Path | None = None, longest_file: int = -1,
        sftp: str = "internal-sftp -d {folder}/tmp",
    ) -> None:  # fmt: skip
        """With a keytab and Kerberos' configuration it takes tickets too. `longest_file` in bytes: of what is written
        there. `sftp`: the command that serves files."""
        environment = {"PATH": os.environ["PATH"]}
        for name, source in {"KRB5_KTNAME": keytab, "KRB5_CONFIG": kerberos}.items():
            if source is not None:
                environment[name] = str(self._given(source))
        config = self.folder / "sshd_config"
        given = {"gssapi": "yes" if keytab else "no", "sftp": sftp.format(folder=self.folder)}
        config.write_text(CONFIG.format(port=self.port, folder=self.folder, **given))
        self._process = subprocess.Popen(
            [self._binary("sshd"), "-D", "-E", str(self.folder / "log"), "-f", str(config)], env=environment, cwd="/",
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            preexec_fn=lambda: _become(self.account, longest_file),  # noqa: PLW1509 - the child only gives up rights
        )  # fmt: skip
        self._listens()

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(10)
            self._process = None

    def _given(self, source: Path) -> Path:
        """A copy that the account may read."""
        copy = self.folder / source.name
        shutil.copy(source, copy)
        os.chown(copy, self.account.pw_uid, self.account.pw_gid)
        return copy

    def _listens(self) -> None:
        end = time.monotonic() + 60
        while self._process and self._process.poll() is None and time.monotonic() < end:
            try:
                with socket.create_connection(("127.0.0.1", self.port), 1) as link:
                    if link.recv(8).startswith(b"SSH-2.0"):
                        return
            except OSError:
                time.sleep(0.01)
        raise AssertionError("sshd did not start")


def _become(account: pwd.struct_passwd, longest_file: int) -> None:
    """In the child. Who writes a longer file is told so, not killed."""
    if longest_file >= 0:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (longest_file, longest_file))
    if os.getuid() == 0:
        os.setgroups([])
        os.setgid(account.pw_gid)
        os.setuid(account.pw_uid)
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def lets_in(name: str) -> pwd.struct_passwd:
    """That account, or who runs the tests where they are not root's."""
    return pwd.getpwnam(name) if os.getuid() == 0 else pwd.getpwuid(os.getuid())


@contextmanager
def installed(account: pwd.struct_passwd, binary: Callable[[str], str]) -> Iterator[Sshd]:
    """A server that is not started yet, in a folder of its own. `binary` finds programs."""
    folder = Path(tempfile.mkdtemp(prefix="hk-sshd-"))
    folder.chmod(0o755)
    (folder / "tmp").mkdir()
    (folder / "tmp").chmod(0o1777)
    generate = [binary("ssh-keygen"), "-q", "-t", "ed25519", "-N", "", "-f", str(folder / "host_key")]
    subprocess.run(generate, check=True, stdin=subprocess.DEVNULL)
    for path in (folder / "host_key", folder):
        os.chown(path, account.pw_uid, account.pw_gid)
    port = unused_port()
    made = Sshd(folder, account, port, binary)
    try:
        yield made
    finally:
        made.stop()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def make_sshd(server_binary: Callable[[str], str]) -> Iterator[Callable[..., Sshd]]:
    """`make_sshd()`: a server that is not started yet, for `nobody` or, where the tests are not root's, for who runs
    them; `make_sshd("daemon")` for another account, which only root can do."""
    with ExitStack() as stack:

        def make(name: str = "nobody") -> Sshd:
            return stack.enter_context(installed(lets_in(name), server_binary))

        yield make
