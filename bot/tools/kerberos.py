"""Kerberos tickets of services, from their keytabs, by GSSAPI. The library loads at the first ticket.

Each ticket has a cache of its own in memory, named to the library by arguments: nothing in the process's environment
is changed, no service sees another's, and whoever still uses the ticket before finds it while there is a new one. What
the library says stays here; its codes are told in our words.
"""

from __future__ import annotations

import base64
import threading
import time
from collections.abc import Callable, Mapping
from copy import copy
from dataclasses import dataclass
from importlib import import_module
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

from bot.core.errors import Refused, Told, Transient
from bot.core.grid import Meter, NoMeter, Service
from bot.core.secret import Secret
from bot.managed import Kerberos
from bot.tools import kerberos_caches, kerberos_told
from bot.tools.kept import Kept

SPNEGO = "1.3.6.1.5.5.2"
SPARE = 300.0  # seconds that a ticket must live longer
PAUSE = 15.0  # seconds for which nobody asks a KDC again that says nothing
BEFORE = 2  # tickets that are still there for those who use them, who may have to wait for their turn
LOADING = threading.Lock()
NUMBERS = count()
T = TypeVar("T")


@dataclass(frozen=True)
class Ticket:
    """A service's ticket. `store`: what tells GSSAPI in this process where it is, for gssapi and for asyncssh."""

    principal: str
    expires_at: float
    store: Mapping[str, str]
    keytab: tuple[int, int, int] | None = None  # the state of the file it was had from


class Silent(Transient):
    """No KDC answered in time: whoever else asks now would wait in vain."""


class Tickets:
    """Thread-safe. A ticket is kept while it has five minutes to live."""

    def __init__(
        self, settings: Kerberos, clock: Callable[[], float] = time.time, *, meter: Meter | None = None
    ) -> None:
        self._settings = settings
        self._meter = meter or NoMeter()
        self._clock = clock
        self._kept: Kept[Ticket] = Kept()
        self._silent: dict[tuple[str, str, str], tuple[Silent, float]] = {}  # until when, by the clock
        self._lock = threading.Lock()
        self._caches: dict[tuple[str, str, str], tuple[str, ...]] = {}

    def ticket(self, service: Service) -> Ticket:
        """Refused for a keytab or principal that will not do; Transient while no KDC answers."""
        state = _state(service.keytab)
        return self._kept.get(
            _key(service),
            lambda ticket: ticket.keytab == state and ticket.expires_at - self._clock() > SPARE,
            lambda: self._new(service, state),
        )

    def _new(self, service: Service, state: tuple[int, int, int] | None) -> Ticket:
        """A KDC that says nothing costs its timeout once, however many nodes wait for the ticket."""
        told, until = self._silent.get(_key(service), (None, 0.0))
        if told and self._clock() < until:
            raise copy(told)
        try:
            with self._meter.timing("kinit", service.name):
                return self._timed(service, lambda: self._acquire(service, state))
        except Silent as silent:
            self._silent[_key(service)] = (silent, self._clock() + PAUSE)
            raise

    def negotiate(self, service: Service, host: str) -> Secret:
        """What stands after `Negotiate` in the header of a login at the host (SPNEGO, RFC 4559)."""
        ticket = self.ticket(service)
        return self._timed(service, lambda: self._step(service, ticket, host))

    def lend(self, service: Service, cache: Path) -> None:
        """Put a copy of the ticket into a file, for a program; who asks removes it."""
        ticket = self.ticket(service)
        self._timed(service, lambda: self._copy(ticket, cache))

    def forget(self, service: Service) -> None:
        """Drop the ticket."""
        self._kept.forget(_key(service))
        self._leave(service, 0)

    def principal(self, service: Service) -> str:
        """With its realm, if that is known."""
        realm = self._settings.realm
        return service.principal if "@" in service.principal or not realm else f"{service.principal}@{realm}"

    def _acquire(self, service: Service, state: tuple[int, int, int] | None) -> Ticket:
        wanted, store = self.principal(service), {"ccache": f"MEMORY:hivekeeper-{next(NUMBERS)}"}
        library()
        _check(service)
        credentials = self._credentials(wanted, {**store, "client_keytab": f"FILE:{service.keytab}"})
        got, life = str(credentials.name), float(credentials.lifetime or 0)
        if got != wanted and ("@" in wanted or got.rpartition("@")[0] != wanted):
            kerberos_caches.destroy(store["ccache"])
            raise Refused(
                f"The KDC gave a ticket for {got} when {wanted} was asked for.",
                f"Check the principal of {service.name} and the keytab {service.keytab}.",
            )
        self._leave(service, BEFORE, store["ccache"])
        return Ticket(got, self._clock() + life, store, state)

    def _leave(self, service: Service, number: int, *new: str) -> None:
        """End all but so many of the service's caches, and but the new one."""
        with self._lock:
            old = self._caches.pop(_key(service), ())
            ended, left = (old[:-number], old[-number:]) if number else (old, ())
            if left or new:
                self._caches[_key(service)] = (*left, *new)
        for cache in ended:
            kerberos_caches.destroy(cache)

    def _credentials(self, principal: str, store: Mapping[str, str], spnego: bool = False) -> Any:
        gssapi = library()
        name = gssapi.Name(principal, gssapi.NameType.kerberos_principal)
        kind = gssapi.OID.from_int_seq(SPNEGO) if spnego else gssapi.MechType.kerberos
        return gssapi.Credentials(name=name, usage="initiate", mechs=[kind], store=dict(store))

    def _step(self, service: Service, ticket: Ticket, host: str) -> Secret:
        gssapi = library()
        there = self._there(ticket, host)
        credentials = self._credentials(ticket.principal, ticket.store, spnego=True)
        kind = gssapi.OID.from_int_seq(SPNEGO)
        token = gssapi.SecurityContext(usage="initiate", name=there, creds=credentials, mech=kind).step()
        if not token:
            raise Refused(f"Kerberos had nothing to say to {host}.", f"Check the keytab {service.keytab}.")
        return Secret(base64.b64encode(token).decode("ascii"))

    def _there(self, ticket: Ticket, host: str) -> Any:
        """The server by the name that it is called by, else by what the library makes of that. For htgettoken's sake:
        it switches reverse DNS off, which the library asks by default, as several servers may stand behind one name."""
        gssapi = library()
        realm = ticket.principal.rpartition("@")[2]
        called = gssapi.Name(f"host/{host}@{realm}", gssapi.NameType.kerberos_principal)
        found = gssapi.Name(f"host@{host}", gssapi.NameType.hostbased_service)
        try:
            self._reach(ticket, called)
        except gssapi.exceptions.GSSError as problem:
            if not kerberos_told.is_unknown_server(problem):
                raise
            self._reach(ticket, found)
            return found
        return called

    def _reach(self, ticket: Ticket, there: Any) -> None:
        """Puts the ticket for it into the cache. Plain Kerberos, unsent: its codes are the KDC's own."""
        gssapi = library()
        plain = self._credentials(ticket.principal, ticket.store)
        gssapi.SecurityContext(usage="initiate", name=there, creds=plain, mech=gssapi.MechType.kerberos).step()

    def _copy(self, ticket: Ticket, cache: Path) -> None:
        held = self._credentials(ticket.principal, ticket.store)
        try:
            held.store(store={"ccache": f"FILE:{cache}"}, usage="initiate", overwrite=True)
        except library().exceptions.GSSError:
            raise Refused(
                f"No copy of the ticket of {ticket.principal} could be written for a program.",
                "Check the room on /dev/shm or /tmp, and that the bot may write there.",
            ) from None

    def _timed(self, service: Service, work: Callable[[], T]) -> T:
        """Not longer than the settings say: the library waits for each KDC in turn. What is late ends by itself."""
        came: list[T | Told] = []
        thread = threading.Thread(target=lambda: came.append(_told(service, work)), daemon=True, name="kerberos")
        thread.start()
        thread.join(self._settings.timeout)
        if not came:
            raise Silent(
                f"No KDC answered for {service.principal} within {self._settings.timeout:g} s.", kerberos_told.AGAIN
            )
        if isinstance(came[0], Told):
            raise came[0]
        return came[0]


def library() -> Any:
    """The package gssapi. Refused where it, or Kerberos itself, is not installed."""
    try:
        with LOADING:
            return import_module("gssapi")
    except (ImportError, OSError):
        raise Refused(
            "The bot is installed without Kerberos.", "Install hivekeeper[grid] and the library libgssapi-krb5-2."
        ) from None


def _told(service: Service, work: Callable[[], T]) -> T | Told:
    try:
        return work()
    except Told as told:
        return told
    except Exception as problem:  # everything: the library's texts name hosts, files and whatever a KDC says
        return kerberos_told.failure(problem, service)


def _check(service: Service) -> None:
    """The library says the same of a keytab that is missing, unreadable or none: that no cache was found."""
    path = Path(service.keytab)
    try:
        with path.open("rb") as file:
            first = file.read(2)
    except FileNotFoundError:
        raise Refused(f"The keytab {path} of {service.name} is not there.", "Put it there.") from None
    except (OSError, ValueError):
        raise Refused(
            f"The keytab {path} of {service.name} cannot be read.", "It must be the bot's to read, and nobody else's."
        ) from None
    if first[:1] != b"\x05":
        raise Refused(f"{path}, the keytab of {service.name}, is no keytab.", "Fetch it anew.")


def _state(keytab: str) -> tuple[int, int, int] | None:
    """Another keytab is another ticket."""
    try:
        found = Path(keytab).stat()
    except (OSError, ValueError):
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns


def _key(service: Service) -> tuple[str, str, str]:
    return service.name, service.principal, service.keytab
