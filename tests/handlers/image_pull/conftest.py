"""A world of pods that cannot pull: a cluster that lives and a registry over HTTP, and the real tools."""

from __future__ import annotations

import base64
import json
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from bot.cloud import Registry
from bot.clusters import Cluster
from bot.core.diagnosis import Diagnosis, Subject
from bot.core.handler import Handler
from bot.core.plan import Answer, Plan, RunRef, Vocabulary
from bot.core.ports import ReadTools, Tools
from bot.core.secret import Secret
from bot.sources import FromEnv
from bot.tools.absent import NoVault
from bot.tools.cluster import Clusters
from bot.tools.docker_configs import DockerConfigs
from bot.tools.documents import Base64Yaml
from bot.tools.fingerprints import KeyedFingerprints
from bot.tools.jobs import JobFiles
from bot.tools.kubernetes import open_clusters
from bot.tools.registries import AskedRegistries
from bot.tools.tokens import JwtClaims
from handlers import diagnose_image_pull
from handlers.ecr import Settings
from playground.cluster_life import Life
from playground.cluster_seed import encoded, openshift, workload
from playground.kubernetes import KubernetesStandIn
from playground.kubernetes_kinds import DEPLOYMENT, EVENT, POD, SECRET, SERVICE_ACCOUNT
from playground.registry import RegistryStandIn
from playground.server import run_in_thread
from tests.handlers.reading import reading

ECR = "111122223333.dkr.ecr.us-east-1.amazonaws.com"
REPOSITORY = "consultingfirm/frontend"
IMAGE = f"{ECR}/{REPOSITORY}:latest"
PULLER = "arn:aws:iam::606639739464:user/puller"
STRANGER = "arn:aws:sts::606639739464:assumed-role/builder/session-1"
BOT = "system:serviceaccount:hivekeeper:hivekeeper"
NAMESPACED = [
    {"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list", "create", "delete"]},
    {"apiGroups": [""], "resources": ["events"], "verbs": ["list"]},
    {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]},
    {"apiGroups": [""], "resources": ["serviceaccounts"], "verbs": ["get", "list"]},
]
NODES = [{"apiGroups": [""], "resources": ["nodes"], "verbs": ["list"]}]


class Swap:
    """An ASGI application that is, for each test, another one; so the servers start once."""

    app: Any = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "lifespan":
            await self.app(scope, receive, send)


@pytest.fixture(scope="session")
def two() -> Iterator[tuple[tuple[Swap, str], ...]]:
    """Servers for a registry and a cluster: what they play, and their addresses."""
    swaps = [Swap(), Swap()]
    servers = [run_in_thread(swap) for swap in swaps]
    yield tuple(zip(swaps, [server.url for server in servers], strict=True))
    for server in servers:
        server.stop()


@dataclass
class World:
    """Everything outside, and the tools that reach it. `users`: who a password is of, "expired" for one that was good
    once."""

    registry: RegistryStandIn
    cluster: KubernetesStandIn
    life: Life
    users: dict[str, str]
    settings: Settings
    tools: Tools = None  # type: ignore[assignment]  # made with the servers
    told: list[str] = field(default_factory=list)
    ahead: float = 0
    began: float = field(default_factory=lambda: float(int(time.time())))

    @property
    def read_tools(self) -> ReadTools:
        return reading(self.tools)

    @property
    def ref(self) -> RunRef:
        return RunRef(id="run-1", tell=self.told.append, pause=self.wait)

    def now(self) -> float:
        return self.began + self.ahead

    def wait(self, seconds: float) -> None:
        """Time passes, and the cluster lives."""
        self.ahead += seconds
        self.life.step()

    def settle(self, seconds: int = 8) -> None:
        for _ in range(seconds):
            self.wait(1)

    def user(self, who: str = PULLER) -> str:
        """A password."""
        password = secrets.token_hex(16)
        self.users[password] = who
        return password

    def secret(self, password: str = "", *, name: str = "ecr-secret", host: str = ECR, text: str = "",
               type: str = "kubernetes.io/dockerconfigjson", **annotations: str) -> None:  # fmt: skip
        """A pull secret with one login."""
        auth = {"username": "AWS", "password": password, "auth": encoded(f"AWS:{password}")}
        document = text or json.dumps({"auths": {host: auth}})
        named = {f"hivekeeper/{key.replace('_', '-')}": value for key, value in annotations.items()}
        body = {"metadata": {"name": name, "namespace": "cf-dev", "annotations": named}, "type": type,
                "data": {".dockerconfigjson": base64.b64encode(document.encode()).decode()}}  # fmt: skip
        self.cluster.put(SECRET, body)

    def deploy(self, name: str = "naming-server-new", image: str = IMAGE, *, replicas: int = 2,
               pull: tuple[str, ...] = ("ecr-secret",)) -> None:  # fmt: skip
        workload(self.cluster, "cf-dev", name, image, replicas=replicas, pull_secrets=pull)
        self.settle()

    rights = NAMESPACED

    def grant(self, rights: list[dict[str, Any]]) -> None:
        """These rights in the namespace, and no others."""
        self.cluster.rules.grant(BOT, rights, "cf-dev")

    def give(self, *names: str) -> None:
        """The service account has these pull secrets."""
        given = [{"name": name} for name in names]
        body = {"metadata": {"name": "default", "namespace": "cf-dev"}, "imagePullSecrets": given}
        self.cluster.put(SERVICE_ACCOUNT, body)

    def forget(self) -> None:
        """An hour later no event is left."""
        for event in self.cluster.store.all(EVENT):
            self.cluster.store.remove(EVENT, event["metadata"]["name"], event["metadata"]["namespace"])

    def remove(self, name: str) -> None:
        self.cluster.store.remove(DEPLOYMENT, name, "cf-dev")
        self.settle()

    def pods(self) -> list[dict[str, Any]]:
        return self.cluster.store.all(POD, "cf-dev")

    def ask(self, handler: Handler = diagnose_image_pull.HANDLER, **ask: Any) -> Answer:
        made = handler.plan(handler.ask(**ask), self.settings, self.read_tools)
        assert isinstance(made, Answer)
        return Answer.model_validate(json.loads(made.model_dump_json()))

    def plan(self, handler: Handler, **ask: Any) -> Plan:
        """Having gone through the store's JSON and back."""
        made = handler.plan(handler.ask(**ask), self.settings, self.read_tools)
        assert isinstance(made, Plan)
        again = Vocabulary(handler.steps, handler.premises).read(json.loads(made.model_dump_json()))
        assert again == made
        return again

    def look(self, subject: Subject | None = None) -> Diagnosis:
        """What an alert about the namespace gets."""
        asked = subject or Subject(incident="i-1", key="one/cf-dev", began=self.now())
        found = diagnose_image_pull.diagnose(asked, self.settings, self.read_tools)
        return Diagnosis.model_validate(json.loads(found.model_dump_json()))

    def configure(self, **dev: Any) -> None:
        given = self.settings.model_dump(mode="json")
        given["environments"]["dev"] |= dev
        self.settings = Settings.model_validate(given)

    @staticmethod
    def verdict(found: Answer) -> str:
        assert found.text[0].startswith("Verdict: ")
        return found.text[0][9:-1]

    @staticmethod
    def steps(found: Answer) -> list[str]:
        return [step.name for step in found.checklist]

    @staticmethod
    def offers(found: Answer) -> dict[str, Any]:
        """What each button asks for."""
        given = [step.offer for step in found.checklist if step.offer]
        return {offer.label: offer.ask for offer in (*given, *found.offers)}

    def without(self, *commands: str) -> World:
        return replace(self, tools=replace(self.tools, commands=self.tools.commands - set(commands)))


@pytest.fixture
def world(canary: Any, two: Any) -> Iterator[World]:
    """dev is namespace cf-dev of cluster one. No secret and no Deployment yet; the registry lets PULLER pull."""
    made = _world(canary("bot token"), two)
    canary.watch("what people were told", lambda: "\n".join(made.told))
    yield made
    for password in made.users:
        canary.add("password", password)


def _world(token: str, two: Any) -> World:
    users: dict[str, str] = {}
    registry = RegistryStandIn(ECR, lambda user, password: users.get(password) if user == "AWS" else None)
    registry.add(REPOSITORY, "latest", pullers=(PULLER,))
    environment = {"cluster": "one", "namespaces": ["cf-dev"], "registry": ECR, "image": f"{REPOSITORY}:latest"}
    settings = Settings.model_validate({"environments": {"dev": environment}})
    made = World(registry, None, None, users, settings)  # type: ignore[arg-type]  # they take its clock
    cluster = made.cluster = KubernetesStandIn(now=made.now)
    cluster.tokens.accept(token, BOT)
    cluster.namespace("cf-dev")
    cluster.rules.grant(BOT, NAMESPACED, "cf-dev")
    cluster.rules.grant(BOT, NODES)
    openshift(cluster, cluster_id=f"c-{secrets.token_hex(4)}", machines={"worker": 2})
    made.life = Life(cluster, {ECR: registry.good})
    (registry_swap, registry_url), (cluster_swap, cluster_url) = two
    registry_swap.app, cluster_swap.app = registry.app(), cluster.app()
    made.tools = _tools(made, token, registry_url, cluster_url)
    return made


def _tools(made: World, token: str, registry: str, cluster: str) -> Tools:
    fingerprints = KeyedFingerprints(Secret(secrets.token_hex(16)))
    logins = {"one": Cluster(address=cluster, token=FromEnv(env="TOKEN"), timeout=60)}
    return Tools(
        vault=NoVault(),
        fingerprints=fingerprints,
        tokens=JwtClaims(),
        documents=Base64Yaml(),
        clusters=Clusters({}),
        jobs=JobFiles(()),
        now=made.now,
        registries=AskedRegistries({ECR: Registry(address=registry, timeout=60)}),
        docker_configs=DockerConfigs(fingerprints),
        kubernetes=open_clusters(logins, lambda _: Secret(token), fingerprints),
        commands=frozenset({"refresh-ecr", "diagnose-image-pull", "test-pull"}),
    )
