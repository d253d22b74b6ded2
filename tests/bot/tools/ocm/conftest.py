"""OCM's stand-in behind one server for the session, one cluster that it knows, and the bot's tool for it."""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from bot.core.ocm import Offered
from bot.core.secret import Secret
from bot.identity import Ocm
from bot.tools import http_answer
from bot.tools.ocm import TransferApi
from playground.ocm import OcmStandIn
from playground.server import run_in_thread

CLOSES = 1_776_417_581.5  # seconds since the epoch


class Served:
    """A server whose application is another one for each test."""

    def __init__(self) -> None:
        self.app: Any = None
        self._server = run_in_thread(self)
        self.url = self._server.url

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            await self.app(scope, receive, send)

    def stop(self) -> None:
        self._server.stop()


class Place:
    """`cluster` is an id that the stand-in knows with `auth`; `document` is a new pull secret with `new` in it."""

    def __init__(self, served: Served, canary: Callable[[str], str]) -> None:
        self.served, self.ocm, self.url = served, OcmStandIn(), served.url
        self.cluster, self.auth, self.new = str(uuid.uuid4()), self.spelled(canary("old")), self.spelled(canary("new"))
        self.document = json.dumps({"auths": {"cloud.openshift.com": {"auth": self.new, "email": "joe@example.com"}}})
        self.ocm.accept(self.cluster, self.auth)
        served.app = self.ocm.app()

    def spelled(self, word: str) -> str:
        return base64.b64encode(f"joe:{word}".encode()).decode()

    def open_window(self) -> str:
        return self.ocm.open_window(self.cluster, "joe", "jack", self.document, CLOSES)

    def tool(self, **changed: Any) -> TransferApi:
        return TransferApi(Ocm.model_validate({"address": self.url, "timeout": 60, **changed}))

    def ask(self, **changed: Any) -> Offered:
        return self.tool(**changed).offered(self.cluster, Secret(self.auth))


@pytest.fixture(autouse=True)
def _no_long_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pause before a second try is for the world's sake."""
    monkeypatch.setattr(http_answer, "PAUSE", 0.01)


@pytest.fixture(scope="session")
def served() -> Iterator[Served]:
    server = Served()
    yield server
    server.stop()


@pytest.fixture
def place(served: Served, canary: Any) -> Place:
    return Place(served, canary)
