"""People who sign in with their browser, so that the bot gets what only they can give. Which way: by its first part.

A way that is not known is refused; a system whose ways begin with another word adds its own `Way` here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from bot.core.errors import Refused
from bot.core.handing_in import Invitation
from bot.core.secret import Secret


class Way(Protocol):
    """All ways of one system, by their names without its own."""

    def names(self) -> tuple[str, ...]: ...

    def start(self, name: str) -> Invitation: ...

    def poll(self, name: str, device: Secret) -> Secret | None: ...


class BrowserSignIns:
    """Implements `bot.core.handing_in.SignIns`. `systems`: what stands before the first slash -> its ways."""

    def __init__(self, systems: Mapping[str, Way]) -> None:
        self._systems = dict(systems)

    def ways(self) -> tuple[str, ...]:
        return tuple(f"{system}/{name}" for system, way in self._systems.items() for name in way.names())

    def start(self, way: str) -> Invitation:
        """Refused for a way that there is not, and when the system does not want it; Transient when it is away."""
        system, name = self._known(way)
        return system.start(name)

    def poll(self, way: str, device: Secret) -> Secret | None:
        """See `bot.core.handing_in.SignIns.poll`."""
        system, name = self._known(way)
        return system.poll(name, device)

    def _known(self, way: str) -> tuple[Way, str]:
        system, _, name = way.partition("/")
        found = self._systems.get(system)
        if found is None or name not in found.names():
            there = f"There are: {', '.join(self.ways())}." if self.ways() else "Set sso.<realm>.device_flow."
            raise Refused("There is no such way to sign in.", there)
        return found, name
