"""A world for handlers: Vault and a cluster over HTTP, the real tools, and the tokens of the runbook."""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from bot.core.errors import Transient
from bot.core.handler import Handler
from bot.core.plan import Answer, Plan, RunRef, Vocabulary
from bot.core.ports import ReadTools, Tools
from bot.core.secret import Secret
from bot.settings import Cluster, FromEnv, TokenAuth, Vault
from bot.tools.cluster import Clusters
from bot.tools.documents import Base64Yaml
from bot.tools.fingerprints import KeyedFingerprints
from bot.tools.jobs import JobFiles
from bot.tools.tokens import JwtClaims
from bot.tools.vault import open_vault
from handlers import rotate_hive_tokens
from handlers.hive_tokens import AWS_ACCOUNT_OPERATOR, HIVE_FRONTEND, Settings
from playground import tokens
from playground.cluster import ClusterStandIn
from playground.server import run_in_thread
from playground.vault import VaultStandIn

HANDOVER, CONFIG = "sd-uhc/sandbox-tokens", "sd-uhc/sandbox"
FRONTEND, OPERATOR = HIVE_FRONTEND, AWS_ACCOUNT_OPERATOR
TEXT = """\
# Sandbox of OCM CI
self:
  token: {own}   # refreshed by hand
hive:
    frontend_token: '{frontend}' # do not forget
    aws_account_operator_token: {operator}
unknown: [1, 0x10, yes]
"""


def patiently(call: Callable[[], Any]) -> Any:
    """As the engine: what was only temporarily away is asked again."""
    for _ in range(4):
        try:
            return call()
        except Transient:
            continue
    return call()


@dataclass
class World:
    """Everything outside, and the tools that reach it. `old` and `new` are tokens by account name."""

    vault: VaultStandIn
    cluster: ClusterStandIn
    tools: Tools
    settings: Settings
    kv: int
    old: dict[str, str]
    new: dict[str, str]
    own: str
    handler: Handler = rotate_hive_tokens.HANDLER
    run: RunRef = field(default_factory=lambda: RunRef(id="run-1"))

    @property
    def read_tools(self) -> ReadTools:
        names = ("fingerprints", "tokens", "documents", "clusters", "jobs", "now")
        return ReadTools(vault=self.tools.vault.reader, **{name: getattr(self.tools, name) for name in names})  # type: ignore[attr-defined]  # the reader of the real Vault tool

    def ask(self, **ask: Any) -> Plan | Answer:
        """What the handler makes of it, having gone through the store's JSON and back."""
        made = self.handler.plan(self.handler.ask(**ask), self.settings, self.read_tools)
        if isinstance(made, Answer):
            return made
        stored = json.loads(made.model_dump_json())
        again = Vocabulary(self.handler.steps, self.handler.premises).read(stored)
        assert again == made
        assert again.digest == made.digest
        return again

    def plan(self, **ask: Any) -> Plan:
        made = self.ask(**ask)
        assert isinstance(made, Plan)
        return made

    def holds(self, plan: Plan) -> list[str]:
        """What is no longer true."""
        return [premise.says() for premise in plan.premises if not premise.holds(self.read_tools)]

    def apply(self, plan: Plan, steps: int | None = None) -> None:
        """The first so many steps, each asked before and proved afterwards, as the engine does."""
        for _, _, step in plan.steps[:steps]:
            if not patiently(lambda step=step: step.done(self.read_tools)):
                patiently(lambda step=step: step.do(self.tools, self.run))
                assert step.done(self.read_tools)

    def undo(self, plan: Plan) -> None:
        for _, _, step in reversed(plan.steps):
            patiently(lambda step=step: step.undo(self.tools, self.run))

    def snapshot(self) -> dict[str, Any]:
        """What lies in Vault now, without backups."""
        return {path: data for path in self.vault.paths() if "-before-" not in path and (data := self.vault.get(path))}

    def change(self, path: str, **fields: Any) -> None:
        """Somebody else sets fields."""
        self.vault.put(path, {**(self.vault.get(path) or {}), **fields})

    def put_config(self, text: str | bytes) -> None:
        raw = text if isinstance(text, bytes) else text.encode()
        self.change(CONFIG, config=base64.b64encode(raw).decode())

    def config(self) -> str:
        held = (self.vault.get(CONFIG) or {})["config"]
        return base64.b64decode(held).decode()

    def text(self, frontend: str, operator: str) -> str:
        return TEXT.format(own=self.own, frontend=frontend, operator=operator)

    def writes(self) -> list[str]:
        """The paths that anybody wrote to."""
        return [e.path for e in self.vault.log if e.method in ("POST", "PUT", "DELETE") and "auth/" not in e.path]

    def mark(self, value: str) -> str:
        return self.tools.fingerprints.of(Secret(value))

    def without_cluster(self) -> World:
        return replace(self, tools=replace(self.tools, clusters=Clusters({})))

    def with_jobs(self, *directories: Path) -> World:
        return replace(self, tools=replace(self.tools, jobs=JobFiles(directories)))


class Stage:
    """An ASGI application that is, for each test, another one; so the servers start once."""

    app: Any = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "lifespan":
            await self.app(scope, receive, send)


@pytest.fixture(scope="session")
def stages() -> Iterator[tuple[tuple[Stage, str], tuple[Stage, str]]]:
    """Two servers, for a Vault and a cluster: what they play, and their addresses."""
    vault, cluster = Stage(), Stage()
    servers = run_in_thread(vault), run_in_thread(cluster)
    yield (vault, servers[0].url), (cluster, servers[1].url)
    for server in servers:
        server.stop()


@pytest.fixture(params=[1, 2], ids=["kv1", "kv2"])
def world(request: pytest.FixtureRequest, canary: Any, stages: Any) -> World:
    """Production has recycled both tokens; the handover path and the config still have the old ones."""
    made = _world(request.param, canary.add)
    (vault, vault_url), (cluster, cluster_url) = stages
    vault.app, cluster.app = made.vault.app(), made.cluster.app()
    return replace(made, tools=_tools(vault_url, cluster_url))


def _world(kv: int, add: Callable[[str, str], str]) -> World:
    accounts = {a.name: a for a in (FRONTEND, OPERATOR)}
    old, new = (
        {name: add(f"{age} {name}", tokens.legacy(a.namespace, a.service_account)) for name, a in accounts.items()}
        for age in ("old", "new")
    )
    own = add("own", secrets.token_hex(20))
    text = TEXT.format(own=own, frontend=old[FRONTEND.name], operator=old[OPERATOR.name])
    found = {account.source: {"token": new[name]} for name, account in accounts.items()}
    found[HANDOVER] = {a.handover_field: old[name] for name, a in accounts.items()} | {"neighbour": add("n", own[::2])}
    found[CONFIG] = {"config": base64.encodebytes(text.encode()).decode(), "user": "ci", "count": 3}
    vault = VaultStandIn.of(mounts={"app-sre": kv, "sd-uhc": kv}, secrets=found, tokens={"root": ("root",)})
    cluster = ClusterStandIn()
    for name, account in accounts.items():
        cluster.accept(new[name], account.expected.subject)
    places = {FRONTEND.name: ("hive", "frontend_token"), OPERATOR.name: ("hive", "aws_account_operator_token")}
    settings = Settings(
        accounts=tuple(a.model_copy(update={"places": (places[a.name],)}) for a in (FRONTEND, OPERATOR))
    )
    return World(vault, cluster, None, settings, kv, old, new, own)  # type: ignore[arg-type]  # the fixture adds the tools


def _tools(vault: str, cluster: str) -> Tools:
    fingerprints = KeyedFingerprints(Secret(secrets.token_hex(16)))
    at = Vault(address=vault, auth=TokenAuth(token=FromEnv(env="UNUSED")))
    return Tools(
        vault=open_vault(at, lambda source: Secret("root"), fingerprints),
        fingerprints=fingerprints,
        tokens=JwtClaims(),
        documents=Base64Yaml(),
        clusters=Clusters({"hive-integration": Cluster(address=cluster)}),
        jobs=JobFiles(()),
        now=lambda: 1_900_000_000.0,
    )
