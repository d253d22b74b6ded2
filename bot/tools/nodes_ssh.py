"""Logging in to a node over SSH: host keys verified, only by the ways that the settings name, nothing of ~/.ssh."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from bot.core.errors import Refused, Told
from bot.core.grid import Service
from bot.core.secret import Secret
from bot.sources import SecretSource
from bot.ssh import Agent, Gssapi, Key, Nodes
from bot.tools.http_answer import LOADING
from bot.tools.nodes_hosts import KnownHosts, Witness
from bot.tools.nodes_told import Kind, Where

if TYPE_CHECKING:
    import asyncssh

Resolve = Callable[[SecretSource], Secret]
Tickets = Callable[[Service], Mapping[str, str] | None]  # a GSSAPI credential store with the service's ticket in it
TOO_MANY = "Too many authentication failures"  # how OpenSSH hangs up on an agent with many keys
WAYS = {"gssapi": "a Kerberos ticket", "key": "a key", "agent": "the agent's keys"}


def no_tickets(_: Service) -> None:
    """There are none."""


@dataclass(frozen=True)
class Means:
    """What the bot has to log in with as a service's account. `ways`: the same in words."""

    keys: tuple[Any, ...] = field(repr=False)
    store: Mapping[str, str] | None
    agents: tuple[Agent, ...]
    ways: str


class Login:
    """Opens SFTP sessions as a service's account."""

    def __init__(self, settings: Nodes, resolve: Resolve, tickets: Tickets) -> None:
        self._settings, self._resolve, self._tickets = settings, resolve, tickets
        self._known = KnownHosts(settings.known_hosts)
        self._keys: dict[bytes, Any] = {}

    def address(self, node: str) -> tuple[str, int]:
        """Host and port where a node is really reached."""
        host, port = self._settings.addresses.get(node, node), ""
        if host is not node and ":" in host.rpartition("]")[2]:
            host, _, port = host.rpartition(":")
        return host.strip("[]"), int(port or self._settings.port)

    def means(self, service: Service) -> Means:
        """Asks a KDC, and reads keys: not on the event loop. Refused and Transient only when there is nothing else."""
        with LOADING:
            import asyncssh  # noqa: F401 - here, and not for the first time on the event loop
        held: list[tuple[str, Any]] = []
        failed: list[Told] = []
        for auth in self._settings.auth:
            try:
                held.append((auth.method, self._have(auth, service)))
            except Told as told:
                failed.append(told)
        found = [(method, having) for method, having in held if having]
        if not found:
            raise failed[0] if failed else _empty_handed(service)
        keys, stores, agents = (
            tuple(having for method, having in found if method == one) for one in ("key", "gssapi", "agent")
        )
        ways = " or ".join(dict.fromkeys(WAYS[method] for method, _ in found))
        return Means(keys, next(iter(stores), None), agents, ways)

    @asynccontextmanager
    async def sftp(self, means: Means, where: Where) -> AsyncIterator[asyncssh.SFTPClient]:
        """A session there, closed in the end. On the event loop. Raises in words for whatever keeps the bot out."""
        async with AsyncExitStack() as stack:
            keys = [*means.keys, *await _agents_keys(means, stack)]
            gss = {"gss_host": where.node if means.store else None, "gss_store": dict(means.store or {}) or None}
            options = {**PLAIN, **gss, "client_keys": keys or None}
            connection = await self._connect(where, options, means.ways)
            stack.callback(connection.abort)
            yield await self._subsystem(connection, where)
            connection.close()
            with suppress(TimeoutError, Exception):  # what was wanted is done: how they part does not matter
                async with asyncio.timeout(1):
                    await connection.wait_closed()

    async def _connect(self, where: Where, options: Mapping[str, Any], ways: str) -> asyncssh.SSHClientConnection:
        import asyncssh

        host, port = self.address(where.node)
        witness = Witness(where.node)
        seconds = self._settings.connect_timeout
        try:
            trusted = self._known.of(where.node, self._settings.port)
            async with asyncio.timeout(seconds):
                return await asyncssh.connect(
                    host, port, client_factory=witness.watching, known_hosts=trusted, host_key_alias=where.node,
                    username=where.account, login_timeout=seconds, **options,
                )  # fmt: skip
        except Told:
            raise
        except asyncssh.HostKeyNotVerifiable:
            raise self._known.distrust(witness, self._settings.port) from None
        except Exception as problem:
            # Everything: the texts of SSH errors are the other side's.
            more = ways if isinstance(problem, asyncssh.PermissionDenied) else f"{seconds:g}"
            kind = connecting(problem)
            raise where.told("login_hangs" if kind == "timeout" and witness.reached else kind, more) from None

    async def _subsystem(self, connection: asyncssh.SSHClientConnection, where: Where) -> asyncssh.SFTPClient:
        import asyncssh

        try:
            async with asyncio.timeout(self._settings.operation_timeout):
                return await connection.start_sftp_client()
        except TimeoutError:
            raise where.told("silent", f"{self._settings.operation_timeout:g}") from None
        except (asyncssh.Error, OSError):
            raise where.told("no_sftp") from None

    def _have(self, auth: Gssapi | Key | Agent, service: Service) -> Any:
        if isinstance(auth, Gssapi):
            return self._tickets(service)
        return self.key(auth, service.account) if isinstance(auth, Key) else auth

    def key(self, auth: Key, account: str) -> Any:
        """An account's key, and its certificate if it has one. Refused when they cannot be read."""
        import asyncssh

        text = self._resolve(auth.source(account)).reveal()
        passphrase = self._resolve(auth.passphrase).reveal() if auth.passphrase else None
        try:
            key = self._parsed(text, passphrase)
            return (key, asyncssh.read_certificate(auth.certificate_file)) if auth.certificate_file else key
        except (asyncssh.KeyImportError, asyncssh.KeyEncryptionError, OSError):
            raise Refused(
                f"The SSH key for {account}, or its certificate, cannot be read: of another format, or its passphrase "
                "is not right.",
                "Correct nodes.auth.",
            ) from None

    def _parsed(self, text: str, passphrase: str | None) -> Any:
        """Once for each text: a passphrase is made slow to try, and there may be hundreds of nodes."""
        import asyncssh

        mark = hashlib.sha256(f"{text}\0{passphrase or ''}".encode()).digest()
        if mark not in self._keys:
            self._keys[mark] = asyncssh.import_private_key(text, passphrase)
        return self._keys[mark]


PLAIN: Mapping[str, Any] = {
    "config": None,
    "agent_path": None,
    "agent_forwarding": False,
    "x509_trusted_certs": None,
    "compression_algs": None,
    "gss_kex": False,
    "keepalive_interval": 0,
}


async def _agents_keys(means: Means, stack: AsyncExitStack) -> list[Any]:
    """An agent that is away is told only when there is nothing else to log in with."""
    keys: list[Any] = []
    for agent in means.agents:
        try:
            keys += await _agent_keys(agent, stack)
        except Refused:
            if not (means.keys or means.store):
                raise
    return keys


async def _agent_keys(auth: Agent, stack: AsyncExitStack) -> list[Any]:
    import asyncssh

    try:
        agent = await stack.enter_async_context(asyncssh.connect_agent(str(auth.socket)))
        return list(await agent.get_keys())
    except (OSError, asyncssh.Error, ValueError):
        raise _no_agent(auth) from None


def check_agent(auth: Agent) -> None:
    """Refused when nobody listens at its socket."""
    with socket.socket(socket.AF_UNIX) as ours:
        ours.settimeout(5)
        try:
            ours.connect(str(auth.socket))
        except OSError:
            raise _no_agent(auth) from None


def _no_agent(auth: Agent) -> Refused:
    return Refused(f"No SSH agent answers at {auth.socket}.", "Start it, or correct nodes.auth.")


def _empty_handed(service: Service) -> Refused:
    return Refused(
        f"The bot has nothing to log in to nodes with for {service.name}: no Kerberos ticket and no key.",
        "Install the extra `grid` for tickets, or name a key in nodes.auth.",
    )


def connecting(problem: Exception) -> Kind:
    """What kept the bot from logging in."""
    import asyncssh

    if isinstance(problem, asyncssh.DisconnectError) and problem.reason.startswith(TOO_MANY):
        return "login"
    if isinstance(problem, OSError) and problem.errno in (errno.EMFILE, errno.ENFILE):
        return "too_many"
    kinds: tuple[tuple[type[Exception] | tuple[type[Exception], ...], Kind], ...] = (
        (TimeoutError, "timeout"),
        (socket.gaierror, "name"),
        (ConnectionRefusedError, "refused"),
        (asyncssh.PermissionDenied, "login"),
        (asyncssh.KeyExchangeFailed, "kex"),
        ((asyncssh.ConnectionLost, ConnectionResetError, BrokenPipeError), "hung_up"),
        (OSError, "unreachable"),
    )
    return next((kind for sort, kind in kinds if isinstance(problem, sort)), "strange")
