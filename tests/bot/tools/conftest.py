"""A Vault stand-in behind one HTTP server, fresh for each test, and the bot's client for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from bot import settings
from bot.core.secret import Secret
from bot.tools.fingerprints import KeyedFingerprints
from bot.tools.vault import Vault, open_vault
from playground.cluster import ClusterStandIn
from playground.server import run_in_thread
from playground.vault import VaultStandIn

OpenVault = Callable[..., Vault]


class Swap:
    """An ASGI application that can be another one for the next test."""

    app: Any = None
    url: str = ""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self.app(scope, receive, send)


@pytest.fixture(scope="session")
def vault_server() -> Iterator[Swap]:
    swap = Swap()
    swap.app = VaultStandIn().app()
    server = run_in_thread(swap)
    swap.url = server.url
    yield swap
    server.stop()


@pytest.fixture(scope="session")
def cluster_server() -> Iterator[Swap]:
    swap = Swap()
    swap.app = ClusterStandIn().app()
    server = run_in_thread(swap)
    swap.url = server.url
    yield swap
    server.stop()


@pytest.fixture
def bot_token(canary: Any) -> str:
    return str(canary("bot token"))


@pytest.fixture
def stand_in(vault_server: Swap, bot_token: str) -> VaultStandIn:
    """`sd-uhc` is version 1, `kv` version 2; the bot's token may do everything."""
    mounts = {"sd-uhc": 1, "kv": 2, "app-sre/integrations-output": 1, "app-sre": 2}
    fresh = VaultStandIn.of(mounts, tokens={bot_token: ("root",)})
    vault_server.app = fresh.app()
    return fresh


@pytest.fixture
def fingerprints() -> KeyedFingerprints:
    return KeyedFingerprints(Secret("a key for these tests only"))


@pytest.fixture
def open_it(vault_server: Swap, stand_in: VaultStandIn, bot_token: str, fingerprints: Any) -> OpenVault:
    """`open_it(address=…, auth=…, clock=…, timeout=…)`: the bot's Vault; by default for the stand-in, by token."""

    def made(
        *,
        resolve: Callable[[Any], Secret] = lambda _: Secret(bot_token),
        clock: Callable[[], float] | None = None,
        **changed: Any,
    ) -> Vault:
        by_token = settings.TokenAuth(token=settings.FromEnv(env="VAULT_TEST_TOKEN"))
        given = settings.Vault(**{"address": vault_server.url, "auth": by_token, "timeout": 60, **changed})
        clocks = {} if clock is None else {"clock": clock}
        return open_vault(given, resolve, fingerprints, **clocks)

    return made


@pytest.fixture
def vault(open_it: OpenVault) -> Vault:
    return open_it()
