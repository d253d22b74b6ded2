"""Two hundred namespaces over ten clusters, of which one is dead."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from bot.clusters import Cluster
from bot.core.secret import Secret
from bot.sources import FromEnv
from bot.tools.kubernetes import open_clusters
from handlers.ecr import Settings
from handlers.ecr_report import inventory
from playground.kubernetes import KubernetesStandIn
from playground.server import Server, run_in_thread

ECR = "111122223333.dkr.ecr.us-east-1.amazonaws.com"
BOT = "system:serviceaccount:hivekeeper:hivekeeper"
CLUSTERS = [f"c{n}" for n in range(10)]
SPACES = [f"cf-{n}" for n in range(20)]
DEAD = "c3"
SLOW = 0.02  # seconds of each answer


@pytest.fixture
def many(world: Any) -> Iterator[Any]:
    """One environment for each cluster; the dead one's server is gone, the others answer slowly."""
    everything = [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]
    servers: dict[str, Server] = {}
    for name in CLUSTERS:
        cluster = world.clusters[name] = KubernetesStandIn(now=world.now)
        cluster.tokens.accept("many", BOT)
        cluster.rules.grant(BOT, everything)
        for space in SPACES:
            cluster.namespace(space)
        cluster.slow(SLOW)
        servers[name] = run_in_thread(cluster.app())
    servers[DEAD].stop()
    environment = {"registry": ECR, "namespaces": SPACES, "image": "consultingfirm/frontend:latest"}
    world.settings = Settings.model_validate(
        {"environments": {f"e{name}": {**environment, "cluster": name} for name in CLUSTERS}}
    )
    logins = {name: Cluster(address=servers[name].url, token=FromEnv(env="T"), timeout=30) for name in CLUSTERS}
    kubernetes = open_clusters(logins, lambda _: Secret("many"), world.tools.fingerprints)
    world.tools = replace(world.tools, kubernetes=kubernetes)
    yield world
    for name, server in servers.items():
        if name != DEAD:
            server.stop()


@pytest.mark.slow
def test_two_hundred_over_ten(many: Any) -> None:
    """All that can be refreshed is, with one token; what the plan, its notes and its warnings say stays short; the dead
    cluster's twenty are named once; and then nothing is due. How long it takes says benchmarks/ecr.py."""
    plan = many.plan()
    assert plan.title == "Refresh 180 ECR pull secrets"
    assert len([note for note in plan.notes if note.label.startswith("ec")]) == 9
    (warning, *_) = plan.warnings
    assert warning.startswith("ec3/cf-0, ec3/cf-1 and 18 more: left out.")
    assert len(plan.warnings) == 2, "the other one is that nobody pulls with them"
    with ThreadPoolExecutor(64) as pool:
        list(pool.map(lambda step: step.do(many.tools, many.ref), plan.stages[0].steps))
    assert many.aws.mints == 1
    answer = many.answer()
    assert answer.title == "Fresh, nothing to do: 180 ECR pull secrets"
    assert len(answer.notes) == 1
    states = [one.state for one in inventory(many.settings, many.read_tools)]
    assert (states.count("fresh"), states.count("unknown")) == (180, 20)
