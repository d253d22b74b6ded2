"""Parts of a site with managed tokens: its services, its nodes, the mail server and the Pushgateway."""

from __future__ import annotations

import email
import pwd
import secrets
import socket
import ssl
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from email.policy import default
from pathlib import Path
from typing import Any

import asyncssh
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult

from playground import broken
from playground.child import clean_environment, leashed
from playground.ssh_node import File, Node
from playground.ssh_node import Nodes as Played
from tests.kdc import Kdc
from tests.sshd import Sshd, installed

HERE = "/proc/self/cwd"  # on nodes that share a machine, what /tmp is on nodes that do not


@dataclass(frozen=True)
class Service:
    """Whose account it has where. Its role is production."""

    experiment: str
    account: pwd.struct_passwd
    nodes: tuple[str, ...]

    @property
    def name(self) -> str:
        return f"{self.experiment}_production"

    @property
    def user(self) -> str:
        return self.account.pw_name

    @property
    def files(self) -> tuple[str, str]:
        """How its token's files are called on a node."""
        return f"vt_u{self.account.pw_uid}", f"vt_u{self.account.pw_uid}-{self.name}"

    @property
    def mail(self) -> str:
        return f"{self.experiment}@example.com"


class Post:
    """A mail server's part of a conversation, and what came: recipients and message. `kept` is called once, when the
    next message is kept and before the sender is told so."""

    def __init__(self) -> None:
        self.password = secrets.token_hex(16)
        self.came: list[tuple[tuple[str, ...], Any]] = []
        self.kept: Callable[[], None] | None = None

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        self.came.append((tuple(envelope.rcpt_tos), email.message_from_bytes(envelope.content, policy=default)))
        told, self.kept = self.kept, None
        if told:
            told()
        return "250 kept"

    def lets_in(self, server: Any, session: Any, envelope: Any, mechanism: str, given: Any) -> AuthResult:
        right = (given.login, given.password) == (b"bot", self.password.encode())
        return AuthResult(success=right, handled=right)

    def to(self, address: str) -> list[str]:
        """Subject and text of each mail to this address, oldest first."""
        return [f"{one['Subject']}\n{one.get_content()}" for to, one in self.came if address in to]


class Quick(Controller):
    def factory(self) -> SMTP:
        """Does not ask the DNS who it is."""
        return SMTP(self.handler, hostname="127.0.0.1", **self.SMTP_kwargs)


@contextmanager
def mail_server(post: Post, certificate: Path, key: Path) -> Iterator[int]:
    """Its port. It takes mail only encrypted, and after a login."""
    context, port = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), broken.unused_port()
    context.load_cert_chain(certificate, key)
    strict = {"require_starttls": True, "auth_required": True, "authenticator": post.lets_in}
    controller = Quick(post, hostname="127.0.0.1", port=port, tls_context=context, **strict)
    controller.start()
    yield port
    controller.stop()


@contextmanager
def pushgateway(binary: Callable[[str], str]) -> Iterator[str]:
    """Debian's; its address."""
    port = broken.unused_port()
    command = [binary("prometheus-pushgateway"), f"--web.listen-address=127.0.0.1:{port}"]
    quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    server = subprocess.Popen(leashed(command), env=clean_environment(), cwd="/", **quiet)
    try:
        _listens(port)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(30)


def _listens(port: int) -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.02)
        else:
            return
    raise AssertionError("a server did not start")


def fetched(address: str) -> str:
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(address, timeout=30) as answer:
        return str(answer.read().decode())


class Nodes:
    """The nodes of some services: `sshd`, OpenSSH servers, or `played` ones, which can be told to fail."""

    def __init__(self, folder: Path, services: Sequence[Service]) -> None:
        self._folder = folder
        self.sshd: dict[str, Sshd] = {}
        self.played: dict[str, Node] = {}
        self.everywhere = [(one, node) for one in services for node in one.nodes]
        names = dict.fromkeys((*(one.user for one in services), "host"))
        self._keys = {name: asyncssh.generate_private_key("ssh-ed25519") for name in names}

    @contextmanager
    def serve(self, kdc: Kdc, binary: Callable[[str], str]) -> Iterator[None]:
        """OpenSSH servers: the first two nodes take tickets too, the others just keys."""
        hosts = [f"host/{node}" for _, node in self.everywhere]
        keytab = self._folder / "nodes.keytab"
        kdc.admin(*(f"addprinc -randkey {host}" for host in hosts), *(f"ktadd -k {keytab} {host}" for host in hosts))
        with ExitStack() as stack:
            for number, (service, node) in enumerate(self.everywhere):
                sshd = self.sshd[node] = stack.enter_context(installed(service.account, binary))
                sshd.authorize(self.public(service.user))
                sshd.start(**({"keytab": keytab, "kerberos": kdc.config} if number < 2 else {}))
            yield

    @contextmanager
    def play(self) -> Iterator[None]:
        for service, node in self.everywhere:
            self.played[node] = one = Node({service.user: service.account.pw_uid}, keys={self.public(service.user)})
            one.files[HERE] = File(one.files["/tmp"].mode, 0)
        served = Played(self.played.values(), self._keys["host"])
        yield
        served.stop()

    def settings(self) -> dict[str, Any]:
        """The bot's."""
        keys = {node: sshd.host_key for node, sshd in self.sshd.items()}
        keys |= dict.fromkeys(self.played, self.public("host"))
        ports = {node: one.port for node, one in (*self.sshd.items(), *self.played.items())}
        known = self._folder / "known_hosts"
        known.write_text("".join(f"{node} {key}\n" for node, key in keys.items()))
        for name, key in self._keys.items():
            kept(self._folder / f"{name}.ssh", key.export_private_key().decode())
        ways = [*([{"method": "gssapi"}] if self.sshd else []),
                {"method": "key", "private_key": {"file": str(self._folder / "{account}.ssh")}}]  # fmt: skip
        return {"auth": ways, "known_hosts": str(known), "directory": HERE,
                "addresses": {node: f"127.0.0.1:{port}" for node, port in ports.items()},
                "connect_timeout": 60, "operation_timeout": 60, "node_timeout": 120}  # fmt: skip

    def files(self, node: str) -> dict[str, str]:
        """What lies in the directory of tokens there, drafts too; links and folders apart."""
        if node in self.played:
            lying = self.played[node].in_directory(HERE).items()
            return {name: bytes(one.content).decode() for name, one in lying if not one.target}
        return {one.name: one.read_text() for one in self.sshd[node].tmp.iterdir()
                if one.is_file() and not one.is_symlink()}  # fmt: skip

    def public(self, name: str) -> str:
        return str(self._keys[name].export_public_key().decode().strip())

    def private(self) -> list[str]:
        """What of the keys must be seen nowhere: their second-last line is all theirs."""
        return [key.export_private_key().decode().splitlines()[-2] for key in self._keys.values()]


def kept(path: Path, text: str) -> Path:
    path.touch(mode=0o600)
    path.write_text(text)
    return path
