"""Stand-ins of the systems that people are called through, one server each for the session."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from bot.core.secret import Secret
from bot.sources import FromEnv
from playground.server import run_in_thread

FOREIGN = "gobbledygook"  # in what broken servers say; must be in no sentence of ours


class Served:
    """A server whose application is another one for each test."""

    def __init__(self) -> None:
        self.app: Any = None
        self._server = run_in_thread(self)
        self.url, self.port = self._server.url, self._server.port

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            await self.app(scope, receive, send)

    def stop(self) -> None:
        self._server.stop()


@pytest.fixture(scope="session")
def served() -> Iterator[Served]:
    server = Served()
    yield server
    server.stop()


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
