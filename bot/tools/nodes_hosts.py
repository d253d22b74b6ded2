"""Which host keys are good for a node, and what to say of one that is not."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from bot.core.errors import Refused
from bot.tools.nodes_told import host_key_bad, host_key_changed, host_key_unknown

if TYPE_CHECKING:
    import asyncssh


class Witness:
    """Notes whether a node took the connection, and the key that it showed. `shown`: its kind and fingerprint, which
    are no secret."""

    def __init__(self, node: str) -> None:
        self.node = node
        self.reached = False
        self.shown = ""
        self.authority = False

    def watching(self) -> asyncssh.SSHClient:
        """The library's client, which asks us about keys that it does not know."""
        import asyncssh

        witness = self

        class Watching(asyncssh.SSHClient):
            def connection_made(self, conn: asyncssh.SSHClientConnection) -> None:  # noqa: ARG002 - as the library calls it
                witness.reached = True

            def validate_host_public_key(self, _host: str, _addr: str, _port: int, key: asyncssh.SSHKey) -> bool:
                return witness.distrust(key)

            def validate_host_ca_key(self, _host: str, _addr: str, _port: int, key: asyncssh.SSHKey) -> bool:
                witness.authority = True
                return witness.distrust(key)

        return Watching()

    def distrust(self, key: asyncssh.SSHKey) -> bool:
        self.shown = f"{'signed by ' if self.authority else ''}{key.get_algorithm()} {key.get_fingerprint()}"
        return False


class KnownHosts:
    """A file in OpenSSH's format, read anew when it changes. Refused when it cannot be read."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._state: tuple[int, int, int] | None = None
        self._known: asyncssh.SSHKnownHosts | None = None

    def of(self, node: str, port: int) -> tuple[Any, ...]:
        """What the file says of a node, as the library wants it: its keys, authorities and revoked keys first."""
        return self._read().match(node, "", None if port == 22 else port)

    def distrust(self, witness: Witness, port: int) -> Refused:
        """Why the key that the witness saw is not taken."""
        keys, authorities, *_ = self.of(witness.node, port)
        if not witness.shown:
            return host_key_bad(witness.node, self._path)
        known = authorities if witness.authority else keys
        told = host_key_changed if known else host_key_unknown
        return told(witness.node, witness.shown, self._path)

    def _read(self) -> asyncssh.SSHKnownHosts:
        import asyncssh

        try:
            stat = self._path.stat()
            state = (stat.st_ino, stat.st_mtime_ns, stat.st_size)
            if self._known is None or state != self._state:
                self._known = asyncssh.import_known_hosts(self._path.read_text(encoding="utf-8"))
                self._state = state
        except (OSError, ValueError):
            raise Refused(
                f"The host keys of the nodes cannot be read from {self._path}, so none can be told from another.",
                "Make that file with ssh-keyscan and compare it, or correct nodes.known_hosts.",
            ) from None
        return self._known
