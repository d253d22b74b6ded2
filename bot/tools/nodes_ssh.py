"""Logging in to a node over SSH: host keys verified, only by the ways that the settings name, nothing of ~/.ssh."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from bot.core.errors import Refused, Told
from bot.core.grid import Service
from bot.core.secret import Secret
from bot.sources import FromFile, SecretSource
from bot.ssh import Agent, Gssapi, Key, Nodes
from bot.tools.http_answer import LOADING
from bot.tools.nodes_hosts import KnownHosts, Witness
from bot.tools.nodes_told import Kind, Where

if TYPE_CHECKING:
    import asyncssh

Resolve = Callable[[SecretSource], Secret]
Tickets = Callable[[Service], Mapping[str, str] | None]  # a GSSAPI credential store with the service's ticket in it
WAYS = {"gssapi": "a Kerberos ticket", "key": "a key", "agent": "the agent's keys"}


def no_tickets(_: Service) -> None:
    """There are none."""


class Login:
    """Opens SFTP sessions as a service's account. Called on one event loop only."""

    def __init__(self, settings: Nodes, resolve: Resolve, tickets: Tickets) -> None:
        self._settings, self._resolve, self._tickets = settings, resolve, tickets
        self._known = KnownHosts(settings.known_hosts)

    def address(self, node: str) -> tuple[str, int]:
        """Host and port where a node is really reached."""
        host, port = self._settings.addresses.get(node, node), ""
        if host is not node and ":" in host.rpartition("]")[2]:
            host, _, port = host.rpartition(":")
        return host.strip("[]"), int(port or self._settings.port)

    @asynccontextmanager
    async def sftp(self, service: Service, where: Where) -> AsyncIterator[asyncssh.SFTPClient]:
        """A session there, closed in the end. Raises in words for whatever keeps the bot out."""
        async with AsyncExitStack() as stack:
            options, ways = await self._options(service, where.node, stack)
            connection = await self._connect(service, where, options, ways)
            stack.callback(connection.abort)
            yield await self._subsystem(connection, where)
            connection.close()
            with suppress(TimeoutError, Exception):  # what was wanted is done: how they part does not matter
                async with asyncio.timeout(1):
                    await connection.wait_closed()

    async def _connect(
        self, service: Service, where: Where, options: Mapping[str, Any], ways: str
    ) -> asyncssh.SSHClientConnection:
        with LOADING:
            import asyncssh
        host, port = self.address(where.node)
        witness = Witness(where.node)
        seconds = self._settings.connect_timeout
        try:
            async with asyncio.timeout(seconds):
                trusted = self._known.of(where.node, self._settings.port)
                return await asyncssh.connect(
                    host, port, client_factory=witness.watching, known_hosts=trusted, host_key_alias=where.node,
                    username=service.account, login_timeout=seconds, **options,
                )  # fmt: skip
        except Told:
            raise
        except asyncssh.HostKeyNotVerifiable:
            raise self._known.distrust(witness, self._settings.port) from None
        except Exception as problem:
            # Everything: the texts of SSH errors are the other side's.
            more = ways if isinstance(problem, asyncssh.PermissionDenied) else f"{seconds:g}"
            raise where.told(connecting(problem), more) from None

    async def _subsystem(self, connection: asyncssh.SSHClientConnection, where: Where) -> asyncssh.SFTPClient:
        import asyncssh

        try:
            async with asyncio.timeout(self._settings.operation_timeout):
                return await connection.start_sftp_client()
        except TimeoutError:
            raise where.told("silent", f"{self._settings.operation_timeout:g}") from None
        except (asyncssh.Error, OSError):
            raise where.told("no_sftp") from None

    async def _options(self, service: Service, node: str, stack: AsyncExitStack) -> tuple[dict[str, Any], str]:
        """What to log in with, and that in words."""
        keys: list[Any] = []
        store, ways = None, []
        for auth in self._settings.auth:
            found: Any = None
            if isinstance(auth, Gssapi):
                found = store = self._tickets(service) if find_spec("gssapi") else None
            elif isinstance(auth, Key):
                found = self._key(auth, service.account)
                keys.append(found)
            else:
                found = await _agent_keys(auth, stack)
                keys += found
            ways += [WAYS[auth.method]] if found else []
        if not ways:
            raise _empty_handed(service)
        gss = {"gss_host": node if store else None, "gss_store": dict(store) if store else None}
        return {**PLAIN, **gss, "client_keys": keys or None}, " or ".join(ways)

    def _key(self, auth: Key, account: str) -> Any:
        import asyncssh

        source = auth.private_key
        if isinstance(source, FromFile):
            source = FromFile(file=type(source.file)(str(source.file).replace("{account}", account)))
        text = self._resolve(source).reveal()
        passphrase = self._resolve(auth.passphrase).reveal() if auth.passphrase else None
        try:
            key = asyncssh.import_private_key(text, passphrase)
            return (key, asyncssh.read_certificate(auth.certificate_file)) if auth.certificate_file else key
        except (asyncssh.KeyImportError, asyncssh.KeyEncryptionError, OSError):
            raise Refused(
                f"The SSH key for {account}, or its certificate, cannot be read: of another format, or its passphrase "
                "is not right.",
                "Correct nodes.auth.",
            ) from None


PLAIN: Mapping[str, Any] = {
    "config": None,
    "agent_path": None,
    "agent_forwarding": False,
    "x509_trusted_certs": None,
    "compression_algs": None,
    "gss_kex": False,
    "keepalive_interval": 0,
}


async def _agent_keys(auth: Agent, stack: AsyncExitStack) -> list[Any]:
    import asyncssh

    try:
        agent = await stack.enter_async_context(asyncssh.connect_agent(str(auth.socket)))
        return list(await agent.get_keys())
    except (OSError, asyncssh.Error, ValueError):
        raise Refused(f"No SSH agent answers at {auth.socket}.", "Start it, or correct nodes.auth.") from None


def _empty_handed(service: Service) -> Refused:
    return Refused(
        f"The bot has nothing to log in to nodes with for {service.name}: no Kerberos ticket and no key.",
        "Install the extra `grid` for tickets, or name a key in nodes.auth.",
    )


def connecting(problem: Exception) -> Kind:
    """What kept the bot from logging in."""
    import asyncssh

    kinds: tuple[tuple[type[Exception] | tuple[type[Exception], ...], Kind], ...] = (
        (TimeoutError, "timeout"),
        (socket.gaierror, "name"),
        (ConnectionRefusedError, "refused"),
        (asyncssh.PermissionDenied, "login"),
        (asyncssh.KeyExchangeFailed, "kex"),
        ((asyncssh.ConnectionLost, ConnectionResetError, BrokenPipeError), "cut"),
        (OSError, "unreachable"),
    )
    return next((kind for sort, kind in kinds if isinstance(problem, sort)), "strange")
