"""A played Vault for grid tokens, with true Kerberos logins, and the bot's tool for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from bot.core.grid import Service
from bot.core.secret import Secret
from bot.managed import Kerberos
from bot.managed import VaultTokens as Settings
from bot.tools.fingerprints import KeyedFingerprints
from bot.tools.kerberos import Tickets
from bot.tools.vault_tokens import VaultTokens
from playground.server import Server, run_in_thread
from playground.vault import VaultStandIn
from playground.vault_kerberos import Acceptor
from playground.vault_oauth import VaultOauth
from tests.kdc import REALM, Kdc

FINGERPRINTS = KeyedFingerprints(Secret("a key for these tests only"))


@dataclass
class Played:
    """`now` is the time of the tool and of Vault."""

    vault: VaultStandIn
    oauth: VaultOauth
    server: Server
    kdc: Kdc
    folder: Path
    keytab: Path
    now: list[float] = field(default_factory=lambda: [1_700_000_000.0])

    def service(self, **more: Any) -> Service:
        given = {
            "name": "dune_pro", "experiment": "dune", "role": "pro", "account": "dunepro",
            "principal": f"dunepro@{REALM}", "keytab": str(self.keytab),
            "vault_server": self.server.url.replace("127.0.0.1", "localhost"), **more,
        }  # fmt: skip
        return Service(**given)

    def open(self, **settings: Any) -> VaultTokens:
        return VaultTokens(Settings(**settings), Tickets(Kerberos(timeout=60)), FINGERPRINTS, lambda: self.now[0])

    def sign_in(self, refresh: str = "rt-of-the-tests", name: str = "dune/dunepro:pro") -> None:
        """As if somebody had signed in."""
        self.oauth.refresh[name] = refresh

    def asked(self, path: str) -> int:
        return sum(entry.path.startswith(path) for entry in self.vault.log)


@pytest.fixture
def played(kerberos: Kdc, tmp_path: Path, keytab_of: Callable[[str], Path]) -> Iterator[Played]:
    now = [1_700_000_000.0]
    vault = VaultStandIn(lambda: now[0])
    oauth = VaultOauth(vault, Acceptor(kerberos.host_keytab).who)
    oauth.issuers["dune"] = {"pro", "ana"}
    server = run_in_thread(vault.app())
    made = Played(vault, oauth, server, kerberos, tmp_path, keytab_of("dunepro"), now)
    made.sign_in()
    yield made
    server.stop()


@pytest.fixture(scope="session")
def keytab_of(kdc: Kdc) -> Callable[[str], Path]:
    """The keytab of an account, made once."""
    made: dict[str, Path] = {}

    def find(account: str) -> Path:
        if account not in made:
            made[account] = kdc.keytab(account)
        return made[account]

    return find
