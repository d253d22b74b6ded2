"""A hundred clusters, of which one is dead and one hangs."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from bot.clusters import Cluster
from bot.core.secret import Secret
from bot.sources import FromEnv
from bot.tools.kubernetes import open_clusters
from handlers.pull_secret_clusters import Settings
from playground.cluster_life import Life
from playground.cluster_seed import openshift
from playground.kubernetes import KubernetesStandIn
from playground.server import Server, run_in_thread

OCM, BASIC, OTHER = "cloud.openshift.com", "registry.example.com", "mirror.example.com:5000"
BOT = "system:serviceaccount:hivekeeper:hivekeeper"
NAMES = [f"c{n}" for n in range(100)]
DEAD, HANGING = "c3", "c4"
SLOW = 0.02  # seconds of each answer
PATIENCE = {HANGING: 1.0}  # seconds for a cluster that gives none; the others have time, however busy the machine is


class Paths:
    """Many clusters behind one server: the first part of the path says which."""

    def __init__(self, clusters: dict[str, Any]) -> None:
        self.apps = {name: cluster.app() for name, cluster in clusters.items()}
        self.asked: Counter[str] = Counter()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            _, name, rest = scope["path"].split("/", 2)
            self.asked[name] += 1
            await self.apps[name]({**scope, "path": f"/{rest}", "raw_path": f"/{rest}".encode()}, receive, send)


@pytest.fixture
def many(world: Any) -> Iterator[Any]:
    """Every second one has an open window."""
    everything = [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]
    for number, name in enumerate(NAMES):
        cluster = world.clusters[name] = KubernetesStandIn(now=world.now)
        cluster.tokens.accept("many", BOT)
        cluster.rules.grant(BOT, everything)
        world.ids[name] = str(uuid.uuid4())
        openshift(cluster, cluster_id=world.ids[name], machines={"worker": 1})
        entries = {OCM: world.entry(), OTHER: world.entry()}
        world.put({"auths": entries}, name)
        world.ocm.accept(world.ids[name], entries[OCM]["auth"])
        if number % 2 == 0:
            world.open(cluster=name)
        Life(cluster).step()
        cluster.slow(60 if name == HANGING else SLOW)
    world.paths = Paths({name: world.clusters[name] for name in NAMES})
    server: Server = run_in_thread(world.paths)
    dead = run_in_thread(Paths({}))
    dead.stop()
    logins = {
        name: Cluster(
            address=f"{dead.url if name == DEAD else server.url}/{name}",
            token=FromEnv(env="T"),
            timeout=PATIENCE.get(name, 30),
        )
        for name in NAMES
    }
    world.settings = Settings.model_validate({"clusters": {name: {} for name in NAMES}})
    world.tools = replace(
        world.tools, kubernetes=open_clusters(logins, lambda _: Secret("many"), world.tools.fingerprints)
    )
    yield world
    server.stop()


@pytest.mark.slow
def test_a_hundred(many: Any) -> None:
    """All that can be looked at is; the dead one and the one that hangs are named once, and are not waited for again and
    again; the plan is for those with an open window. How long it takes says benchmarks/pull_secrets.py."""
    answer = many.answer("status")
    assert answer.title == "49 transfers open, trouble with 2 of 100 clusters"
    assert len(answer.table.rows) == 98
    assert {said.partition(":")[0] for said in answer.warnings} == {DEAD, HANGING}
    assert many.paths.asked[HANGING] < many.paths.asked["c5"], "not waited for each time"
    plan = many.plan()
    assert plan.title == "Update the pull secret of 49 clusters for the transfer to another owner"
    assert [len(stage.steps) for stage in plan.stages] == [49, 49, 49]
    states = [one.state for one in many.inventory().values()]
    assert (states.count("due"), states.count("fresh"), states.count("unknown")) == (49, 49, 2)
