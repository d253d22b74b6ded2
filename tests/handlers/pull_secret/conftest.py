"""A world for transfers: OCM, two registries and two clusters over HTTP, of which the second is hosted elsewhere."""

from __future__ import annotations

import base64
import copy
import json
import secrets
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from bot.cloud import Registry
from bot.clusters import Cluster
from bot.core.errors import Told
from bot.core.handler import Handler
from bot.core.inventory import Credential
from bot.core.plan import Answer, Plan, Report, RunRef, Step, Vocabulary
from bot.core.ports import ReadTools, Tools
from bot.core.secret import Secret
from bot.identity import Ocm
from bot.sources import FromEnv
from bot.tools import http_answer
from bot.tools.absent import NoVault
from bot.tools.cluster import Clusters
from bot.tools.docker_configs import DockerConfigs
from bot.tools.documents import Base64Yaml
from bot.tools.fingerprints import KeyedFingerprints
from bot.tools.jobs import JobFiles
from bot.tools.kubernetes import open_clusters
from bot.tools.ocm import TransferApi
from bot.tools.ocm_remembered import RememberedOcm
from bot.tools.registries import AskedRegistries
from bot.tools.tokens import JwtClaims
from handlers import pull_secret
from handlers.pull_secret_clusters import Settings
from playground import kubernetes_kinds as kinds
from playground.cluster_life import Life
from playground.cluster_seed import openshift
from playground.kubernetes import KubernetesStandIn
from playground.ocm import OcmStandIn
from playground.registry import RegistryStandIn
from playground.server import run_in_thread
from tests.handlers.reading import reading

DAY = 86400.0
OCM, BASIC, BEARER, OTHER = "cloud.openshift.com", "registry.example.com", "quay.example.com", "mirror.example.com:5000"
BOT = "system:serviceaccount:hivekeeper:hivekeeper"
MANIFEST = Path(pull_secret.__file__).parents[1] / "deploy" / "rbac" / "pull-secret.yaml"
GRANTED = tuple(yaml.safe_load_all(MANIFEST.read_text()))
WRITING = ("create", "update", "patch", "delete")
DOCKER_CONFIG = "kubernetes.io/dockerconfigjson"


class Swap:
    """An ASGI application that is, for each test, another one; so the servers start once."""

    app: Any = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "lifespan":
            await self.app(scope, receive, send)


@pytest.fixture(scope="session")
def five() -> Iterator[tuple[tuple[Swap, str], ...]]:
    """Servers for OCM, two registries and two clusters: what they play, and their addresses."""
    swaps = [Swap() for _ in range(5)]
    servers = [run_in_thread(swap) for swap in swaps]
    yield tuple(zip(swaps, [server.url for server in servers], strict=True))
    for server in servers:
        server.stop()


@dataclass
class World:
    """Everything outside, and the tools that reach it. `logins`: what is good at the registries. `ahead`: seconds that
    the clock of the tests is ahead."""

    ocm: OcmStandIn
    clusters: dict[str, KubernetesStandIn]
    registries: dict[str, RegistryStandIn]
    canary: Any
    settings: Settings
    ids: dict[str, str] = field(default_factory=dict)
    lives: dict[str, Life] = field(default_factory=dict)
    logins: set[str] = field(default_factory=set)
    tools: Tools = None  # type: ignore[assignment]  # made with the servers
    handler: Handler = pull_secret.HANDLER
    run: str = "run-1"
    told: list[str] = field(default_factory=list)
    ahead: float = 0
    began: float = field(default_factory=lambda: float(int(time.time())))

    @property
    def read_tools(self) -> ReadTools:
        return reading(self.tools)

    @property
    def ref(self) -> RunRef:
        return RunRef(id=self.run, tell=self.told.append, pause=self.wait)

    def now(self) -> float:
        return self.began + self.ahead

    def wait(self, seconds: float) -> None:
        """Time passes, and the clusters live."""
        self.ahead += seconds
        for life in self.lives.values():
            life.step()

    # --- what people and schedules do ---

    def ask(self, action: str, *clusters: str, due: bool = False) -> Plan | Answer:
        """What the handler makes of it, having gone through the store's JSON and back."""
        asked = self.handler.ask.model_validate({"action": action, "cluster": clusters, "due": due})
        made = self.handler.plan(asked, self.settings, self.read_tools)
        if isinstance(made, Answer):
            return Answer.model_validate_json(made.model_dump_json())
        again = Vocabulary(self.handler.steps, self.handler.premises).read(json.loads(made.model_dump_json()))
        assert (again, again.digest) == (made, made.digest)
        return again

    def plan(self, *clusters: str, action: str = "sync", due: bool = False) -> Plan:
        made = self.ask(action, *clusters, due=due)
        assert isinstance(made, Plan), made
        return made

    def answer(self, action: str, *clusters: str, due: bool = False) -> Answer:
        made = self.ask(action, *clusters, due=due)
        assert isinstance(made, Answer), made
        return made

    def drifted(self, plan: Plan) -> list[str]:
        """Premises that no longer hold."""
        return [premise.says() for premise in plan.premises if not premise.holds(self.read_tools)]

    def apply(self, plan: Plan, stages: int | None = None) -> dict[str, Told]:
        """The first so many stages, each step asked before and proved afterwards, as the engine does when it is to go
        on: what failed, by what the step says."""
        failed: dict[str, Told] = {}
        for stage in plan.stages[:stages]:
            for step in stage.steps:
                try:
                    self._apply(step)
                except Told as error:
                    failed[step.says()] = error
        return failed

    def _apply(self, step: Step) -> None:
        if step.proves or not step.done(self.read_tools):
            step.do(self.tools, self.ref)
            assert step.done(self.read_tools), step.says()

    def report(self, plan: Plan) -> Report:
        assert self.handler.report is not None
        return self.handler.report(plan, self.settings, self.read_tools)

    def inventory(self) -> dict[str, Credential]:
        assert self.handler.inventory is not None
        return {one.name: one for one in self.handler.inventory(self.settings, self.read_tools)}

    # --- what is in the world ---

    def entry(self, *, good: bool = True, **more: Any) -> dict[str, Any]:
        """A made-up login. `good`: the registries take it."""
        password = self.canary("login")
        if good:
            self.logins.add(password)
        return {"auth": base64.b64encode(f"someone:{password}".encode()).decode(), **more}

    def put(self, document: Any, cluster: str = "one", *, namespace: str = "openshift-config", name: str = "pull-secret",
            type: str = DOCKER_CONFIG, key: str = ".dockerconfigjson", **metadata: Any) -> None:  # fmt: skip
        """Somebody else writes a Secret."""
        raw = (
            document
            if isinstance(document, bytes)
            else (document if isinstance(document, str) else json.dumps(document)).encode()
        )
        body = {"metadata": {"name": name, "namespace": namespace, **metadata}, "type": type,
                "data": {key: base64.b64encode(raw).decode()}}  # fmt: skip
        self.clusters[cluster].put(kinds.SECRET, body)

    def secret(self, cluster: str = "one", name: str = "pull-secret") -> Any:
        return self.clusters[cluster].get(kinds.SECRET, name, "openshift-config")

    def raw(self, cluster: str = "one", name: str = "pull-secret") -> bytes:
        return base64.b64decode(self.secret(cluster, name)["data"][".dockerconfigjson"])

    def auths(self, cluster: str = "one") -> dict[str, Any]:
        return dict(json.loads(self.raw(cluster))["auths"])

    def open(self, document: Any = None, cluster: str = "one", *, days: float = 5) -> str:
        """A transfer from joe to jack; by default it replaces the logins for OCM and BASIC, and adds BEARER."""
        new = {OCM: self.entry(), BASIC: self.entry(), BEARER: self.entry()}
        given = {"auths": new} if document is None else document
        text = given if isinstance(given, str) else json.dumps(given)
        return self.ocm.open_window(self.ids[cluster], "joe", "jack", text, self.now() + days * DAY)

    def pool(self, name: str = "worker", cluster: str = "one", **spec: Any) -> Any:
        """One pool; with these words put into its spec."""
        found = self.clusters[cluster].get(kinds.MACHINE_CONFIG_POOL, name)
        if spec:
            self.clusters[cluster].put(kinds.MACHINE_CONFIG_POOL, {**found, "spec": {**found["spec"], **spec}})
        return found

    def writes(self, cluster: str = "one") -> list[str]:
        """What the bot changed there: verb and path."""
        log = self.clusters[cluster].log
        return [f"{e.verb} {e.path}" for e in log if e.verb in WRITING and "reviews" not in e.path]


@pytest.fixture(autouse=True)
def _no_long_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pause before a second try is for the world's sake."""
    monkeypatch.setattr(http_answer, "PAUSE", 0.01)


@pytest.fixture
def world(canary: Any, five: Any) -> World:
    """Both clusters have a token for OCM and a login for BASIC and OTHER; no window is open."""
    made = _world(canary)
    ends = (made.ocm, made.registries[BASIC], made.registries[BEARER], made.clusters["one"], made.clusters["two"])
    for (swap, _), end in zip(five, ends, strict=True):
        swap.app = end.app()
    made.tools = _tools(made, [url for _, url in five])
    canary.watch("what people were told", lambda: "\n".join(made.told))
    return made


def _world(canary: Any) -> World:
    def whose(user: str, password: str) -> str | None:
        return user if password in made.logins else None

    settings = Settings.model_validate({"clusters": {"one": {}, "two": {}}})
    ocm = OcmStandIn(now=lambda: made.now())  # noqa: PLW0108  made later
    made = World(
        ocm,
        {},
        {BASIC: RegistryStandIn(BASIC, whose), BEARER: RegistryStandIn(BEARER, whose, kind="quay")},
        canary,
        settings,
    )
    for name in ("one", "two"):
        cluster = made.clusters[name] = KubernetesStandIn(hosted=name == "two", now=made.now)
        made.ids[name] = str(uuid.uuid4())
        grant(cluster)
        openshift(cluster, cluster_id=made.ids[name], machines={"master": 1, "worker": 2})
        start = {
            OCM: made.entry(email="joe@example.com"),
            BASIC: made.entry(),
            OTHER: made.entry(email="ops@example.com"),
        }
        made.put({"auths": start}, name)
        ocm.accept(made.ids[name], start[OCM]["auth"])
        made.lives[name] = Life(cluster)
        made.lives[name].step()
    return made


def grant(cluster: KubernetesStandIn) -> None:
    """What deploy/rbac grants the bot, and nothing more."""
    for document in copy.deepcopy(GRANTED):
        if space := document["metadata"].get("namespace"):
            cluster.namespace(space)
        cluster.put(next(kind for kind in kinds.KINDS if kind.kind == document["kind"]), document)


def _tools(made: World, urls: list[str]) -> Tools:
    token = made.canary("bot token")
    for cluster in made.clusters.values():
        cluster.tokens.accept(token, BOT)
    logins = {
        name: Cluster(address=url, token=FromEnv(env="T"), timeout=60)
        for name, url in zip(made.clusters, urls[3:], strict=True)
    }
    fingerprints = KeyedFingerprints(Secret(secrets.token_hex(16)))
    api = TransferApi(Ocm.model_validate({"address": urls[0], "timeout": 8}))
    return Tools(
        vault=NoVault(), fingerprints=fingerprints, tokens=JwtClaims(), documents=Base64Yaml(), clusters=Clusters({}),
        jobs=JobFiles(()), now=made.now, docker_configs=DockerConfigs(fingerprints),
        registries=AskedRegistries({BASIC: Registry(address=urls[1], timeout=60), BEARER: Registry(address=urls[2], timeout=60)}),
        kubernetes=open_clusters(logins, lambda _: Secret(token), fingerprints),
        ocm=RememberedOcm(api, fingerprints, made.now),
        commands=frozenset({"pull-secret"}),
    )  # fmt: skip
