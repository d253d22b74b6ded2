"""A real MIT KDC, once for all tests, on loopback and in a folder of its own. It has the host principal of `localhost`,
which a stand-in accepts logins for, and makes accounts with their keytabs."""

from __future__ import annotations

import ctypes
import importlib.util
import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from playground.broken import unused_port

REALM = "TEST.LOCAL"
CONFIG = """\
[libdefaults]
 default_realm = {realm}
 dns_lookup_realm = false
 dns_lookup_kdc = false
 dns_canonicalize_hostname = false
 rdns = false
 udp_preference_limit = 1
[realms]
 {realm} = {{
  kdc = 127.0.0.1:{port}
 }}
[domain_realm]
 localhost = {realm}
 127.0.0.1 = {realm}
"""
PROFILE = """\
[kdcdefaults]
 kdc_listen = 127.0.0.1:{port}
 kdc_tcp_listen = 127.0.0.1:{port}
[realms]
 {realm} = {{
  database_name = {folder}/principal
  key_stash_file = {folder}/stash
  acl_file = {folder}/acl
 }}
"""


@dataclass
class Kdc:
    """`host_keytab`: of host/localhost and host/127.0.0.1. `config`: what KRB5_CONFIG must name."""

    folder: Path
    port: int
    _binary: Callable[[str], str] = field(repr=False)
    _process: subprocess.Popen[bytes] | None = None

    @property
    def config(self) -> Path:
        return self.folder / "krb5.conf"

    @property
    def host_keytab(self) -> Path:
        return self.folder / "host.keytab"

    def keytab(self, account: str, *options: str) -> Path:
        """A new account (`options`: of kadmin's addprinc), and its keytab."""
        path = self.folder / f"{account.replace('/', '_')}-{secrets.token_hex(4)}.keytab"
        self.admin(f"addprinc -randkey {' '.join(options)} {account}", f"ktadd -k {path} {account}")
        return path

    def admin(self, *commands: str) -> str:
        """Run kadmin's commands; what it says."""
        done = subprocess.run(
            [self._binary("kadmin.local"), "-r", REALM], input="\n".join(commands) + "\n", text=True,
            env=self.environment, capture_output=True, check=True,
        )  # fmt: skip
        return done.stdout + done.stderr

    @property
    def environment(self) -> dict[str, str]:
        own = {"KRB5_CONFIG": str(self.config), "KRB5_KDC_PROFILE": str(self.folder / "kdc.conf")}
        return {"PATH": os.environ["PATH"], **own}

    def start(self) -> None:
        command = [self._binary("krb5kdc"), "-n", "-r", REALM]
        self._process = subprocess.Popen(
            command, env=self.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            preexec_fn=_leashed,  # noqa: PLW1509 - the child only ties its life to ours
        )  # fmt: skip
        end = time.monotonic() + 60
        while self._process.poll() is None and time.monotonic() < end:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
            except OSError:
                time.sleep(0.01)
            else:
                return
        raise AssertionError("the KDC did not start")

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(10)
            self._process = None


def _leashed() -> None:
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


@pytest.fixture(scope="session")
def kdc(server_binary: Callable[[str], str]) -> Iterator[Kdc]:
    """A running KDC; its test ends with it running again."""
    folder = Path(tempfile.mkdtemp(prefix="hk-kdc-"))
    port = unused_port()
    made = Kdc(folder, port, server_binary)
    made.config.write_text(CONFIG.format(realm=REALM, port=port))
    (folder / "kdc.conf").write_text(PROFILE.format(realm=REALM, port=port, folder=folder))
    create = [server_binary("kdb5_util"), "create", "-s", "-r", REALM, "-P", secrets.token_hex(8)]
    subprocess.run(create, env=made.environment, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    hosts = ("host/localhost", "host/127.0.0.1")
    made.admin(*(f"addprinc -randkey {h}" for h in hosts), *(f"ktadd -k {made.host_keytab} {h}" for h in hosts))
    made.start()
    yield made
    made.stop()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def kerberos(kdc: Kdc, monkeypatch: pytest.MonkeyPatch) -> Kdc:
    """The KDC, and this process looks for it there. Needs the extra `grid`."""
    if importlib.util.find_spec("gssapi") is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)("the extra grid is not installed: scripts/environment")
    monkeypatch.setenv("KRB5_CONFIG", str(kdc.config))
    monkeypatch.setenv("KRB5RCACHETYPE", "none")  # an acceptor's replay cache would be a file for all
    return kdc
