"""Token files on nodes, as the service's account, over SSH (seed 003, upstream.md)."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from posixpath import dirname, normpath

from bot.core.errors import Refused, Told
from bot.core.grid import Placed, Service
from bot.core.managed_tokens_values import role_file
from bot.core.ports import Fingerprints
from bot.core.secret import Secret
from bot.ssh import Nodes
from bot.tools import nodes_ping, nodes_put
from bot.tools.nodes_files import Files, Missing, Unable
from bot.tools.nodes_loop import Loop
from bot.tools.nodes_ssh import Login, Means, Resolve, Tickets, no_tickets
from bot.tools.nodes_told import Away, Where

NODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9.:_-]{0,254}")
ACCOUNT = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,31}")
NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
ONE_NODE = 4  # services at a time on one node: an sshd drops logins when ten are under way (MaxStartups)
PAUSE = 60.0  # seconds for which nobody asks a node again that is away


class SshNodes:
    """Implements `bot.core.grid.Nodes`. Thread-safe; all SSH is done by one thread, on at most `at_once` nodes at a
    time. `content` gives a service's token. `clock` gives seconds and never goes back."""

    def __init__(
        self,
        settings: Nodes,
        resolve: Resolve,
        fingerprints: Fingerprints,
        content: Callable[[Service], Secret],
        *,
        tickets: Tickets = no_tickets,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings, self._clock = settings, clock
        self._fingerprints, self._content = fingerprints, content
        self._login = Login(settings, resolve, tickets)
        self._loop = Loop()
        self._turns = asyncio.Semaphore(settings.at_once)
        self._turns_there: dict[str, asyncio.Semaphore] = {}
        self.reader = Reader(self)
        self._away: dict[str, tuple[Told, float]] = {}  # until when, by the clock

    def configured(self) -> bool:
        return True

    def there(self, node: str) -> str:
        host, port = self._login.address(node)
        return f"{host}:{port}{normpath(self._settings.directory)}"

    def reachable(self, node: str) -> bool:
        _checked(NODE, node, "node")
        host, port = self._login.address(node)
        up = nodes_ping.pings(host) if self._settings.ping == "icmp" else nodes_ping.answers(host, port)
        if up:
            self._away.pop(node, None)  # who has mended it need not wait until that is forgotten
        return up

    def placed(self, service: Service, node: str, uid: int) -> tuple[Placed, ...]:
        """The fingerprint of what is not the account's own plain file, or cannot be read, is ""."""
        paths = self._paths(service, node, uid)
        means = self._login.means(service)
        return self._loop.run(self._placed(service, node, paths, uid, means))

    def push(self, service: Service, node: str, uid: int) -> tuple[Placed, ...]:
        """The default-role file comes last, and its failure costs the push nothing: then it is not in the result."""
        paths = self._paths(service, node, uid)
        content = self._content(service).reveal().strip().encode() + b"\n"  # as htgettoken writes it
        role = role_file(service.role_file, uid)
        beside = (role,) if dirname(role) == dirname(paths[0]) else ()
        what = nodes_put.Put(
            paths, content, uid, self._digest, self._settings.node_timeout, self._settings.replace_in_two_steps,
            tidied=(*paths, *beside),
        )  # fmt: skip
        return self._loop.run(self._push(service, node, what, self._login.means(service)))

    async def _placed(
        self, service: Service, node: str, paths: tuple[str, ...], uid: int, means: Means
    ) -> tuple[Placed, ...]:
        async with self._files(service, node, means) as files:
            return await nodes_put.placed(files, paths, uid, self._digest)

    async def _push(self, service: Service, node: str, what: nodes_put.Put, means: Means) -> tuple[Placed, ...]:
        placed: tuple[Placed, ...] = ()
        try:
            async with self._files(service, node, means) as files:
                placed = await nodes_put.put(files, what)
                placed += await _role_file(files, service, what)
        except Told:
            if not placed:
                raise
        return placed

    @asynccontextmanager
    async def _files(self, service: Service, node: str, means: Means) -> AsyncIterator[Files]:
        where = Where(node, service.account, normpath(self._settings.directory))
        there = self._turns_there.setdefault(node, asyncio.Semaphore(ONE_NODE))
        async with there, self._turns:
            self._not_while_away(node)  # who waited for a turn need not find out again
            try:
                async with asyncio.timeout(self._settings.node_timeout):
                    async with self._login.sftp(means, where) as sftp:
                        yield Files(sftp, where, self._settings.operation_timeout)
            except TimeoutError:
                raise where.told("silent", f"{self._settings.node_timeout:g}") from None
            except (Missing, Unable):
                raise where.told("failed") from None
            except Away as away:
                self._away[node] = (away, self._clock() + PAUSE)
                raise

    def _not_while_away(self, node: str) -> None:
        """A dead node costs its timeout once, however many services want it, and no second try is worth waiting for."""
        told, until = self._away.get(node, (None, 0.0))
        if told and self._clock() < until:
            raise Refused(told.what, told.now)

    def _paths(self, service: Service, node: str, uid: int) -> tuple[str, ...]:
        _checked(NODE, node, "node")
        _checked(ACCOUNT, service.account, "account")
        _checked(NAME, service.token_name, "service")
        if uid < 1:
            raise Refused(f"A token is never placed for the UID {uid}.", f"See what FERRY says of {service.account}.")
        base = f"{normpath(self._settings.directory)}/vt_u{uid}"
        return base, f"{base}-{service.token_name}"

    def _digest(self, content: bytes) -> str:
        """Of the token without the newline that its file ends with, so that it is the one people know."""
        return self._fingerprints.of(Secret(content.decode("utf-8", "surrogateescape").removesuffix("\n")))


class Reader:
    """`bot.core.grid.NodesReader`: looks, and puts nothing anywhere."""

    __slots__ = ("configured", "placed", "reachable", "there")

    def __init__(self, nodes: SshNodes) -> None:
        self.configured, self.there = nodes.configured, nodes.there
        self.placed, self.reachable = nodes.placed, nodes.reachable


async def _role_file(files: Files, service: Service, what: nodes_put.Put) -> tuple[Placed, ...]:
    path = role_file(service.role_file, what.uid)
    if not path.startswith("/") or normpath(path) != path or not path.isprintable():
        return ()
    with suppress(Told):
        return await nodes_put.put(files.beside(dirname(path)), what.other(path, f"{service.role}\n".encode()))
    return ()


def _checked(pattern: re.Pattern[str], text: str, what: str) -> None:
    if not pattern.fullmatch(text):
        raise Refused(f"This is no name of a {what}: {text[:40]!r}.", "Correct it in the managedTokens file.")
