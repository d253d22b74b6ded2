"""A realm in miniature behind one HTTP server, fresh for each test, and the bot's tools for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from bot.core.secret import Secret
from bot.identity import Realm
from bot.settings import parse
from bot.tools.fingerprints import KeyedFingerprints
from bot.tools.sign_ins import BrowserSignIns
from bot.tools.sso import Realms
from bot.tools.sso_device import DeviceFlow
from playground.server import run_in_thread
from playground.sso import SsoStandIn

FOREIGN = "gobbledygook"  # in what broken servers say; must be in no sentence of ours


class Served:
    """A server whose application is another one for each test."""

    def __init__(self) -> None:
        self.app: Any = None
        self._server = run_in_thread(self, date_header=False)
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


class Scene:
    """`off`: seconds that the bot's clock is ahead; `ticks`: what its other clock shows. `kept`: secrets by variable."""

    def __init__(self, server: Served, canary: Any) -> None:
        self.realm, self.url, self._canary = SsoStandIn(), server.url, canary
        server.app = self.realm.app()
        self.off = self.ticks = 0.0
        self.kept: dict[str, str] = {}

    def settings(self, **changed: Any) -> dict[str, Realm]:
        own = {"issuer": self.realm.issuer, "address": self.url + SsoStandIn.PATH, "timeout": 60, "device_flow": True}
        return dict(parse({"sso": {"redhat": own | changed}}, "settings of the test").sso)

    def open(self, **changed: Any) -> Realms:
        return Realms(
            self.settings(**changed),
            lambda source: Secret(self.kept[getattr(source, "env", "")]),
            KeyedFingerprints(Secret("a key for these tests only")),
            clock=lambda: self.realm.now() - self.realm.off + self.off,
            ticks=lambda: self.ticks,
        )

    def sign_ins(self, **changed: Any) -> BrowserSignIns:
        return BrowserSignIns({"sso": DeviceFlow(self.settings(**changed))})

    def token(self, user: str = "ocm-ci", client: str = "cloud-services") -> Secret:
        return Secret(self._canary.add("offline token", self.realm.offline_token(user, client)))


@pytest.fixture
def scene(served: Served, canary: Any) -> Scene:
    return Scene(served, canary)


@pytest.fixture
def clean(scene: Scene) -> Callable[[BaseException], None]:
    """Asserts that an error holds no foreign text and no secret, and says what to do."""

    def check(problem: BaseException) -> None:
        told = f"{problem} {problem.__cause__!r}"
        assert FOREIGN not in told
        assert not any(secret in told for secret in scene.kept.values())
        assert getattr(problem, "now", "")

    return check
