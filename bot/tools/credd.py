"""The credds of HTCondor: which schedds there are, and bringing a service's token to one of them.

By HTCondor's own programs (`condor_vault_storer`, newer `condor_credential_storer`, which log in to Vault themselves),
or by its Python bindings in a process of their own: the library is C++ that holds up every thread of a process and
reads its environment. Either way the other side gets a copy of the service's ticket, gone afterwards.
"""

from __future__ import annotations

import shutil
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from bot.core.errors import Refused, Told, Transient
from bot.core.grid import Service
from bot.core.managed_tokens_values import DAEMON
from bot.core.secret import Secret
from bot.managed import Credd, VaultTokens
from bot.tools import credd_bindings_caller as bindings
from bot.tools import credd_told
from bot.tools.address import host
from bot.tools.credd_environment import bearer_address, checked, of
from bot.tools.kept import Kept
from bot.tools.private_folder import private_folder, sweep
from bot.tools.program import environment, run
from bot.tools.storer_files import removed

FRESH = 120.0  # seconds that the list of a collector is good for
STORERS = ("condor_credential_storer", "condor_vault_storer")  # renamed in 2026; the old name stays as a link
NO_NAMES = {"undefined", "error"}  # what a ClassAd without a name is printed as
Lend = Callable[[Service, Path], None]  # puts a copy of the service's ticket into a file


class Schedds:
    """`bot.core.grid.Credds`: cannot store anything."""

    def __init__(self, settings: Credd) -> None:
        self._settings = settings
        self._kept: Kept[tuple[float, tuple[str, ...]]] = Kept()

    def configured(self) -> bool:
        return True

    def schedds(self, service: Service) -> tuple[str, ...]:
        """Those of the service, or those that the first of its collectors that answers lists."""
        if service.schedds:
            return service.schedds
        trouble: Told | None = None
        for collector in filter(None, service.collector.split(",")):
            try:
                return self._listed(collector, service.constraint)
            except Told as told:
                trouble = trouble or told
        raise trouble or Refused(
            f"Nothing says on which schedds {service.name} belongs.",
            "Set condorCollectorHost in the managedTokens file.",
        )

    def _listed(self, collector: str, constraint: str) -> tuple[str, ...]:
        if not DAEMON.fullmatch(collector):
            raise Refused("The name of a collector has signs that none may have.", "Correct condorCollectorHost.")
        fresh = time.monotonic() - FRESH
        key = collector, constraint
        return self._kept.get(key, lambda kept: kept[0] > fresh, lambda: self._asked(collector, constraint))[1]

    def _asked(self, collector: str, constraint: str) -> tuple[float, tuple[str, ...]]:
        ask = bindings.schedds if self._settings.way == "bindings" else _by_status
        listed = {name for name in ask(self._settings, collector, constraint) if DAEMON.fullmatch(name)}
        names = tuple(sorted(listed - NO_NAMES))
        if not names:
            raise Refused(
                f"The collector {collector} lists no schedd that fits.", "Check condorScheddConstraint, and the pool."
            )
        return time.monotonic(), names


class Credds:
    """`bot.core.grid.CreddsWriter`. Thread-safe. `content` gives the token that the bot obtained for a service; the way
    "storer" does not need it."""

    def __init__(self, settings: Credd, vault: VaultTokens, lend: Lend, content: Callable[[Service], Secret]) -> None:
        self._settings, self._vault, self._lend, self._content = settings, vault, lend, content
        self.reader = Schedds(settings)
        self._locks: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)
        sweep()

    def configured(self) -> bool:
        return True

    def schedds(self, service: Service) -> tuple[str, ...]:
        return self.reader.schedds(service)

    def store(self, service: Service, schedd: str) -> None:
        """Refused with "needs somebody to sign in" when Vault has no refresh token for the service any more; Transient
        when Vault, the collector or the schedd is away."""
        service = self._whole(service)
        checked(service, schedd)
        with self._ticket(service) as ticket:
            if self._settings.way == "bindings":
                address = bearer_address(self._vault, service)
                token = self._content(service)
                bindings.store(self._settings, service, schedd, ticket, token=token, address=address)
            else:
                self._by_storer(service, schedd, ticket)

    def _whole(self, service: Service) -> Service:
        """With the Vault server of the settings where the file names none."""
        server = service.vault_server or host(self._vault.address or "") or ""
        return service.model_copy(update={"vault_server": server})

    @contextmanager
    def _ticket(self, service: Service) -> Iterator[Path]:
        """A copy of the service's ticket, while the block lasts."""
        with private_folder() as folder:
            cache = folder / "ticket"
            self._lend(service, cache)
            yield cache

    def _by_storer(self, service: Service, schedd: str, ticket: Path) -> None:
        """One at a time for a service: the program leaves its token at a place that only its name makes."""
        program = _storer(self._settings)
        token = service.token_name
        with self._locks[token], removed(self._settings.token_folder, token, ticket.parent):
            ended = run([program, token], environment=of(self._settings, service, schedd, ticket),
                        seconds=self._settings.timeout)  # fmt: skip
        if not ended.good:
            raise credd_told.not_stored(ended, service, schedd, self._settings.timeout)


def _storer(settings: Credd) -> str:
    for name in (settings.storer,) if settings.storer else STORERS:
        if found := shutil.which(name, path=settings.path):
            return found
    raise Refused(
        "HTCondor's program that stores tokens is not there.", "Install HTCondor, or set credd.storer and credd.path."
    )


def _by_status(settings: Credd, collector: str, constraint: str) -> list[str]:
    program = shutil.which(settings.status, path=settings.path)
    if program is None:
        raise Refused("condor_status is not there.", "Install HTCondor, or set credd.status and credd.path.")
    wanted = ["-constraint", constraint] if constraint else []
    path = {"PATH": settings.path} if settings.path else {}
    arguments = [program, "-pool", collector, "-schedd", *wanted, "-af", "Name"]
    ended = run(arguments, environment=environment(path), seconds=settings.timeout)
    if not ended.good:
        raise credd_told.not_listed(ended, collector, settings.timeout)
    return [line.strip() for line in ended.output.splitlines()]


def check(settings: Credd) -> str:
    """Is there what stores tokens? Refused when not. Nothing is stored."""
    if settings.way == "bindings":
        bindings.check(settings)
        return "HTCondor's bindings are there."
    _storer(settings)
    if shutil.which(settings.status, path=settings.path) is None:
        raise Transient("condor_status is not there, so only schedds that the file names are known.", "Install it.")
    return "HTCondor's programs are there."
