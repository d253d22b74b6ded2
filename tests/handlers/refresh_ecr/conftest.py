"""A world for pull secrets: clusters that live, Amazon and its registry over HTTP, and the real tools."""

from __future__ import annotations

import base64
import json
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from bot.cloud import AwsAccess, Registry, StaticKeys
from bot.clusters import Cluster
from bot.core.errors import Told
from bot.core.handler import Handler
from bot.core.plan import Answer, Plan, Report, RunRef, Step, Vocabulary
from bot.core.ports import ReadTools, Tools
from bot.core.secret import Secret
from bot.sources import FromEnv
from bot.tools.absent import NoVault
from bot.tools.aws import AwsAccounts
from bot.tools.cluster import Clusters
from bot.tools.docker_configs import DockerConfigs
from bot.tools.documents import Base64Yaml
from bot.tools.fingerprints import KeyedFingerprints
from bot.tools.jobs import JobFiles
from bot.tools.kubernetes import open_clusters
from bot.tools.registries import AskedRegistries
from bot.tools.tokens import JwtClaims
from handlers import refresh_ecr
from handlers.ecr import Settings
from playground.aws import AwsStandIn, Keys
from playground.cluster_life import Life
from playground.kubernetes import KubernetesStandIn
from playground.kubernetes_kinds import DEPLOYMENT, SECRET, SERVICE_ACCOUNT
from playground.registry import RegistryStandIn
from playground.server import run_in_thread
from tests.handlers.reading import reading

ECR = "111122223333.dkr.ecr.us-east-1.amazonaws.com"
REPOSITORY = "consultingfirm/frontend"
BOT = "system:serviceaccount:hivekeeper:hivekeeper"
MANIFEST = Path(refresh_ecr.__file__).parents[1] / "deploy" / "rbac" / "ecr.yaml"
RIGHTS = next(
    one["rules"] for one in yaml.safe_load_all(MANIFEST.read_text()) if one["metadata"]["name"].endswith("-ecr")
)


class Swap:
    """An ASGI application that is, for each test, another one; so the servers start once."""

    app: Any = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "lifespan":
            await self.app(scope, receive, send)


@pytest.fixture(scope="session")
def four() -> Iterator[tuple[tuple[Swap, str], ...]]:
    """Servers for Amazon, the registry and two clusters: what they play, and their addresses."""
    swaps = [Swap() for _ in range(4)]
    servers = [run_in_thread(swaps[0], date_header=False), *(run_in_thread(swap) for swap in swaps[1:])]
    yield tuple(zip(swaps, [server.url for server in servers], strict=True))
    for server in servers:
        server.stop()


@dataclass
class World:
    """Everything outside, and the tools that reach it. `ahead`: seconds that the clock of the tests is ahead."""

    aws: AwsStandIn
    keys: Keys
    registry: RegistryStandIn
    clusters: dict[str, KubernetesStandIn]
    lives: dict[str, Life]
    settings: Settings
    tools: Tools = None  # type: ignore[assignment]  # made with the servers
    handler: Handler = refresh_ecr.HANDLER
    run: str = "run-1"
    told: list[str] = field(default_factory=list)
    alive: set[str] = field(default_factory=set)  # clusters with Deployments
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
        """Time passes, and the clusters live. Amazon signs by the real clock, so its tokens last longer instead."""
        self.ahead += seconds
        self.aws.lifetime += seconds
        for name in self.alive:
            self.lives[name].step()

    def settle(self) -> None:
        """Until what was asked of the clusters has come about."""
        for _ in range(4):
            self.wait(1)

    def ask(self, **ask: Any) -> Plan | Answer:
        """What the handler makes of it, having gone through the store's JSON and back."""
        made = self.handler.plan(self.handler.ask(**ask), self.settings, self.read_tools)
        if isinstance(made, Answer):
            return made
        again = Vocabulary(self.handler.steps, self.handler.premises).read(json.loads(made.model_dump_json()))
        assert again == made
        assert again.digest == made.digest
        return again

    def plan(self, **ask: Any) -> Plan:
        made = self.ask(**ask)
        assert isinstance(made, Plan), made
        return made

    def answer(self, **ask: Any) -> Answer:
        made = self.ask(**ask)
        assert isinstance(made, Answer), made
        return made

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

    def put_secret(self, document: Any, *, cluster: str = "one", namespace: str = "cf-dev", name: str = "ecr-secret",
                   type: str = "kubernetes.io/dockerconfigjson", **metadata: Any) -> None:  # fmt: skip
        """Somebody else makes one."""
        text = document if isinstance(document, str) else json.dumps(document)
        data = {".dockerconfigjson": base64.b64encode(text.encode()).decode()}
        body = {"metadata": {"name": name, "namespace": namespace, **metadata}, "type": type, "data": data}
        self.clusters[cluster].put(SECRET, body)

    def secret(
        self, cluster: str = "one", namespace: str = "cf-dev", name: str = "ecr-secret"
    ) -> dict[str, Any] | None:
        return self.clusters[cluster].get(SECRET, name, namespace)

    def auths(self, **where: str) -> dict[str, Any]:
        found = self.secret(**where)
        assert found is not None
        document = json.loads(base64.b64decode(found["data"][".dockerconfigjson"]))
        return dict(document["auths"])

    def deploy(self, name: str = "naming-server-new", *, cluster: str = "one", namespace: str = "cf-dev",
               pull: str = "ecr-secret", replicas: int = 2, image: str = f"{ECR}/{REPOSITORY}:latest", **spec: Any,
               ) -> None:  # fmt: skip
        """A Deployment, created over HTTP so that the API server fills it in."""
        labels = {"app": name}
        pods: dict[str, Any] = {"containers": [{"name": "app", "image": image}]}
        if pull:
            pods["imagePullSecrets"] = [{"name": pull}]
        template = {"metadata": {"labels": labels}, "spec": pods}
        whole = {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template, **spec}
        from bot.core.kubernetes import DEPLOYMENT as KIND

        self.alive.add(cluster)
        self.admin().create(cluster, KIND, {"metadata": {"name": name}, "spec": whole}, namespace)
        self.settle()

    def admin(self) -> Any:
        return self._admin

    def deployment(self, name: str = "naming-server-new", cluster: str = "one", namespace: str = "cf-dev") -> Any:
        return self.clusters[cluster].get(DEPLOYMENT, name, namespace)

    def restarted(self, **where: str) -> str:
        template = self.deployment(**where)["spec"]["template"]
        return str((template["metadata"].get("annotations") or {}).get("kubectl.kubernetes.io/restartedAt", ""))

    def give(self, account: str, *names: str, cluster: str = "one", namespace: str = "cf-dev") -> None:
        """A service account with these pull secrets."""
        given = [{"name": name} for name in names]
        body = {"metadata": {"name": account, "namespace": namespace}, "imagePullSecrets": given}
        self.clusters[cluster].put(SERVICE_ACCOUNT, body)

    def account(self, name: str, cluster: str = "one", namespace: str = "cf-dev") -> list[str]:
        found = self.clusters[cluster].get(SERVICE_ACCOUNT, name, namespace) or {}
        return [one["name"] for one in found.get("imagePullSecrets") or ()]

    def space(self, *names: str, cluster: str = "one") -> None:
        """More namespaces, with the bot's rights."""
        for name in names:
            self.clusters[cluster].namespace(name)
            grant(self.clusters[cluster], name)

    def configure(self, **dev: Any) -> None:
        """Change the environment dev."""
        given = self.settings.model_dump(mode="json")
        given["environments"]["dev"] |= dev
        self.settings = Settings.model_validate(given)


@pytest.fixture
def world(canary: Any, four: Any) -> Iterator[World]:
    """dev in cluster one, with a Deployment that pulls by the secret; test in cluster two. No secret yet."""
    made = _world(canary("bot token"), four)
    made.deploy()
    canary.watch("what people were told", lambda: "\n".join(made.told))
    yield made
    for password in made.aws._passwords:
        canary.add("password", password)


def _world(token: str, four: Any) -> World:
    aws = AwsStandIn("111122223333")
    keys = aws.user("hivekeeper")
    registry = RegistryStandIn(ECR, lambda user, password: aws.password_good(password) if user == "AWS" else None)
    registry.add(REPOSITORY, "latest", pullers=(keys.arn,))
    environment = {"registry": ECR, "image": f"{REPOSITORY}:latest", "restart": True}
    settings = Settings.model_validate({
        "environments": {
            "dev": {**environment, "cluster": "one", "namespaces": ["cf-dev"]},
            "test": {**environment, "cluster": "two", "namespaces": ["cf-test"], "restart": False},
        }
    })  # fmt: skip
    made = World(aws, keys, registry, {}, {}, settings)
    for name, namespace in (("one", "cf-dev"), ("two", "cf-test")):
        cluster = made.clusters[name] = KubernetesStandIn(now=made.now)
        cluster.tokens.accept(token, BOT)
        cluster.namespace(namespace)
        grant(cluster, namespace)
        made.lives[name] = Life(cluster, {ECR: registry.good})
    for (swap, _), app in zip(four, (aws, registry, *made.clusters.values()), strict=True):
        swap.app = app.app()
    addresses = [address for _, address in four]
    made.tools = tools(made, token, addresses[0], addresses[1], dict(zip(made.clusters, addresses[2:], strict=True)))
    settings = {name: Cluster(address=url, token=FromEnv(env=name)) for name, url in
                zip(made.clusters, addresses[2:], strict=True)}  # fmt: skip
    made._admin = open_clusters(
        settings, lambda source: Secret(made.clusters[source.env].admin), made.tools.fingerprints
    )
    return made


def grant(cluster: KubernetesStandIn, namespace: str) -> None:
    """What deploy/rbac grants the bot in a namespace, and nothing more."""
    text = json.dumps(RIGHTS).replace("cf-dev", namespace)
    cluster.rules.grant(BOT, json.loads(text), namespace)


def tools(made: World, token: str, aws: str, registry: str, clusters: dict[str, str]) -> Tools:
    known = {"ID": made.keys.key_id, "KEY": made.keys.secret, "TOKEN": token}
    fingerprints = KeyedFingerprints(Secret(secrets.token_hex(16)))
    resolve = lambda source: Secret(known[source.env])  # noqa: E731 - one line says it
    keys = StaticKeys(access_key_id=FromEnv(env="ID"), secret_access_key=FromEnv(env="KEY"))
    logins = {name: Cluster(address=url, token=FromEnv(env="TOKEN"), timeout=60) for name, url in clusters.items()}
    return Tools(
        vault=NoVault(),
        fingerprints=fingerprints,
        tokens=JwtClaims(),
        documents=Base64Yaml(),
        clusters=Clusters({}),
        jobs=JobFiles(()),
        now=made.now,
        aws=AwsAccounts({"default": AwsAccess(auth=keys, endpoint_url=aws, timeout=60)}, resolve, made.now),
        registries=AskedRegistries({ECR: Registry(address=registry, timeout=60)}),
        docker_configs=DockerConfigs(fingerprints),
        kubernetes=open_clusters(logins, resolve, fingerprints),
        commands=frozenset({"refresh-ecr", "diagnose-image-pull"}),
    )
