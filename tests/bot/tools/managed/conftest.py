"""What the tests of the tools for managed tokens share: a service, secrets by reference, and what errors must not hold."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from bot.core.grid import Service
from bot.core.secret import Secret
from bot.sources import FromEnv

FOREIGN = "gobbledygook"  # in what broken servers and programs say; must be in no sentence of ours


@pytest.fixture
def service() -> Service:
    return Service(
        name="dune_production", experiment="dune", role="production", account="dunepro",
        principal="dunepro/bot@EXAMPLE.COM", credkey="dunepro/bot", keytab="/nowhere/dunepro.keytab",
        vault_server="vault.example.com", collector="collector.example.com", min_lifetime=600,
    )  # fmt: skip


@pytest.fixture
def kept() -> dict[str, str]:
    """What `resolve` finds, by the name of the environment variable."""
    return {}


@pytest.fixture
def resolve(kept: dict[str, str]) -> Callable[[Any], Secret]:
    def found(source: Any) -> Secret:
        assert isinstance(source, FromEnv)
        return Secret(kept[source.env])

    return found


@pytest.fixture
def clean(kept: dict[str, str]) -> Callable[[BaseException], None]:
    """Asserts that an error holds no foreign text and no secret, and says what to do."""

    def check(problem: BaseException) -> None:
        told = f"{problem} {problem.__cause__!r}"
        assert FOREIGN not in told
        assert not any(secret in told for secret in kept.values())
        assert getattr(problem, "now", "")

    return check
