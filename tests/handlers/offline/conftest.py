"""A sandbox whose offline token is dead, production that has a good one, and the realm of both; the real tools."""

from __future__ import annotations

import base64
import json
import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import pytest

from bot.core.errors import Told
from bot.core.handler import Handler
from bot.core.plan import Answer, Plan, Report, RunRef, Vocabulary
from bot.core.ports import ReadTools, Tools
from bot.core.secret import Secret
from bot.settings import FromEnv, TokenAuth, Vault, parse
from bot.tools.cluster import Clusters
from bot.tools.documents import Base64Yaml
from bot.tools.fingerprints import KeyedFingerprints
from bot.tools.jobs import JobFiles
from bot.tools.sign_ins import BrowserSignIns
from bot.tools.sso import Realms
from bot.tools.sso_device import DeviceFlow
from bot.tools.tokens import JwtClaims
from bot.tools.vault import open_vault
from handlers import fix_offline_session, keep_offline_alive
from handlers.offline_tokens import CURE, KEEP, RUN, Settings
from handlers.offline_told import report
from playground.server import run_in_thread
from playground.sso import SsoStandIn
from playground.sso_clients import Client
from playground.vault import VaultStandIn

CONFIG, PRODUCTION, INBOX, LOGIN = "sd-uhc/sandbox", "app-sre/ocm", "sd-uhc/hivekeeper-inbox", "sd-uhc/login"
USER = "ocm-ci"
TEXT = """\
# Sandbox of OCM CI
self:
  token: {token}   # refreshed by hand
  client_id: 'none-yet'
  client_secret: none-yet-either
other: [1, 0x10, yes]
"""


@dataclass
class World:
    """Everything outside, and the tools that reach it. `ahead`: seconds that the bot's calendar is ahead."""

    vault: VaultStandIn
    realm: SsoStandIn
    tools: Tools
    old: str
    new: str
    kv: int
    keep: Callable[[str, str], str]
    place: dict[str, Any] = field(default_factory=dict)
    more: dict[str, Any] = field(default_factory=dict)
    ahead: float = 0.0
    run: RunRef = field(default_factory=lambda: RunRef(id="run-1"))

    @property
    def settings(self) -> Settings:
        place = {"path": CONFIG, "production": {"path": PRODUCTION, "field": "token"}, **self.place}
        return Settings.model_validate({"places": {"ocm-ci": place, **self.more}})

    @property
    def read_tools(self) -> ReadTools:
        whole = {one.name: getattr(self.tools, one.name) for one in fields(ReadTools)}
        return ReadTools(**{**whole, "vault": self.tools.vault.reader})  # type: ignore[attr-defined]  # of the real Vault tool

    def ask(self, handler: Handler = fix_offline_session.HANDLER, **ask: Any) -> Plan | Answer:
        """What the handler makes of it, having gone through the store's JSON and back."""
        made = handler.plan(handler.ask(**ask), self.settings, self.read_tools)
        assert not any(token in made.model_dump_json() for token in (self.old, self.new))
        if isinstance(made, Answer):
            return made
        again = Vocabulary(handler.steps, handler.premises).read(json.loads(made.model_dump_json()))
        assert again == made
        return again

    def plan(self, handler: Handler = fix_offline_session.HANDLER, **ask: Any) -> Plan:
        made = self.ask(handler, **ask)
        assert isinstance(made, Plan), made
        return made

    def answer(self, handler: Handler = fix_offline_session.HANDLER, **ask: Any) -> Answer:
        made = self.ask(handler, **ask)
        assert isinstance(made, Answer), made
        return made

    def alive(self, **ask: Any) -> Plan | Answer:
        return self.ask(keep_offline_alive.HANDLER, **ask)

    def holds(self, plan: Plan) -> list[str]:
        """What is no longer true."""
        return [premise.says() for premise in plan.premises if not premise.holds(self.read_tools)]

    def apply(self, plan: Plan, steps: int | None = None) -> None:
        """The first so many steps, as the engine does. No token stands in what is told of a failure."""
        for _, _, step in plan.steps[:steps]:
            try:
                if step.proves or not step.done(self.read_tools):
                    step.do(self.tools, self.run)
                    assert step.done(self.read_tools), step.says()
            except Told as error:
                assert not any(token in f"{error} {error.__cause__!r}" for token in (self.old, self.new, self.token()))
                raise

    def undo(self, plan: Plan) -> None:
        for _, _, step in reversed(plan.steps):
            if not step.proves:
                step.undo(self.tools, self.run)

    def report(self, plan: Plan) -> Report:
        return report(plan, self.settings, self.read_tools)

    def there(self, path: str = PRODUCTION, name: str = "token") -> str:
        return str((self.vault.get(path) or {})[name])

    def change(self, path: str, **values: Any) -> None:
        """Somebody else sets fields."""
        self.vault.put(path, {**(self.vault.get(path) or {}), **values})

    def config(self) -> str:
        return base64.b64decode((self.vault.get(CONFIG) or {})["config"]).decode()

    def put_config(self, text: str) -> None:
        self.change(CONFIG, config=base64.b64encode(text.encode()).decode())

    def token(self) -> str:
        """The one in the config."""
        return self.config().partition("token: ")[2].split()[0]

    def put_token(self, token: str) -> None:
        self.put_config(TEXT.format(token=self.keep(f"put {secrets.token_hex(4)}", token)))

    def good(self, token: str) -> bool:
        """Does the realm take it? Asked as anybody else would ask: that may spend it."""
        return bool(Realms(self.realms, lambda _: Secret(""), self.tools.fingerprints)
                    .refresh("redhat", Secret(token)).judged.good)  # fmt: skip

    def with_jobs(self, *folders: Path) -> World:
        return replace(self, tools=replace(self.tools, jobs=JobFiles(folders)))

    @property
    def realms(self) -> dict[str, Any]:
        return self.tools.sso._realms  # type: ignore[attr-defined, no-any-return]  # of the real tool


class Stage:
    """An ASGI application that is, for each test, another one; so the server starts once."""

    app: Any = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            await self.app(scope, receive, send)


@pytest.fixture(scope="session")
def sso_stage() -> Iterator[tuple[Stage, str]]:
    stage = Stage()
    server = run_in_thread(stage, date_header=False)
    yield stage, server.url
    server.stop()


@pytest.fixture
def world(request: pytest.FixtureRequest, canary: Any, stages: Any, sso_stage: Any) -> World:
    """The sandbox's token is dead. Production was recycled: its token is good. Vault's KV version by parameter."""
    kv = getattr(request, "param", 1)
    realm, secret = SsoStandIn(), canary("client secret")
    old = canary.add("old", realm.offline_token(USER))
    realm.end_session(USER)
    new = canary.add("new", realm.recycle(USER))
    realm.clients.add(Client("robot", secret=secret))
    found = {
        CONFIG: {"config": base64.b64encode(TEXT.format(token=old).encode()).decode(), "user": "ci", "count": 3},
        PRODUCTION: {"token": new, "neighbour": canary("neighbour")},
        LOGIN: {"id": "robot", "secret": secret},
    }
    vault = VaultStandIn.of(mounts={"app-sre": kv, "sd-uhc": kv}, secrets=found, tokens={"root": ("root",)})
    ((vault_stage, vault_url), _), (sso, sso_url) = stages, sso_stage
    vault_stage.app, sso.app = vault.app(), realm.app()
    made = World(vault, realm, None, old, new, kv, canary.add)  # type: ignore[arg-type]  # the tools come now
    made.tools = _tools(vault_url, sso_url, realm, made, secret)
    return made


def _tools(vault: str, sso: str, realm: SsoStandIn, world: World, secret: str) -> Tools:
    fingerprints = KeyedFingerprints(Secret(secrets.token_hex(16)))
    at = Vault(address=vault, auth=TokenAuth(token=FromEnv(env="UNUSED")))
    robot = {"method": "client_secret", "client_id": "robot", "secret": {"env": "ROBOT"}}
    own = {
        "issuer": realm.issuer, "address": sso + SsoStandIn.PATH, "timeout": 5, "device_flow": True,
        "accounts": {"robot": robot}, "least_seconds_between_probes": 0,
    }  # fmt: skip
    realms = parse({"sso": {"redhat": own}}, "settings of the test").sso
    return Tools(
        vault=open_vault(at, lambda source: Secret("root"), fingerprints),
        fingerprints=fingerprints,
        tokens=JwtClaims(),
        documents=Base64Yaml(),
        clusters=Clusters({}),
        jobs=JobFiles(()),
        now=lambda: time.time() + world.ahead,
        sso=Realms(realms, lambda source: Secret(secret), fingerprints),
        sign_ins=BrowserSignIns({"sso": DeviceFlow(realms)}),
        commands=frozenset({CURE, KEEP, RUN}),
    )
