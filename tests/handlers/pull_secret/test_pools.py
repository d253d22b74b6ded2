"""How long /pull-secret watches a cluster's nodes, and what it makes of what it sees."""

from __future__ import annotations

from typing import Any

import pytest

from bot.core.errors import Told
from bot.core.plan import RunRef
from handlers.pull_secret_pools import Pool, read
from handlers.pull_secret_steps import Sync, WatchPools

BEARER = "quay.example.com"


def test_a_paused_pool(world: Any) -> None:
    """It is warned about before, waited for by nobody, and named after."""
    world.pool(paused=True)
    world.open()
    plan = world.plan("one")
    assert plan.warnings == ("one: pool worker is paused, so the machines there keep the old pull secret.",)
    assert world.apply(plan) == {}
    report = world.report(plan)
    assert report.table.rows[0][3] == "master all 1; worker 0 of 2, paused"
    assert report.warnings[0].startswith("one: worker 0 of 2, paused. It is paused: until it is resumed")
    assert report.offers[0].ask == {"action": "status", "cluster": ["one"]}


def test_a_degraded_pool(world: Any) -> None:
    """The watch ends with its time, not sooner, and says how far it got; the pull secret stays."""
    world.lives["one"].pools.degraded["worker"] = "worker-1"
    world.wait(1)
    world.open()
    plan = world.plan("one")
    assert plan.warnings == ("one: pool worker is degraded, so some machines there may not take the new one.",)
    began = world.now()
    (error,) = world.apply(plan).values()
    assert "not all of its machines have after 30 min" in error.what
    assert "worker 0 of 2, degraded" in error.what
    assert 1800 <= world.now() - began < 2000
    assert BEARER in world.auths()


def test_the_cluster_is_away_while_it_is_watched(world: Any) -> None:
    """That ends no watch: it goes on when the cluster answers."""
    world.open()
    plan = world.plan("one")
    world.apply(plan, stages=2)
    world.clusters["one"].down()
    waits: list[float] = []

    def wait(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 2:
            world.clusters["one"].heal()
        world.wait(seconds)

    (watch,) = plan.stages[2].steps
    ref = RunRef(world.run, world.told.append, wait)
    with pytest.raises(Told):
        watch.do(world.tools, ref)  # it looks first whether there is something to watch
    world.clusters["one"].heal()
    watch.do(world.tools, ref)
    assert watch.done(world.read_tools)


def test_one_machine_that_cannot_is_enough() -> None:
    """The operator counts it before it calls the pool degraded."""
    assert read(
        {"status": {"degradedMachineCount": 1, "conditions": [{"type": "Degraded", "status": "False"}]}}
    ).degraded
    assert not read({"status": {"degradedMachineCount": 0}}).degraded


@pytest.mark.parametrize(
    ("pool", "waited", "over"),
    [
        ({"wanted": "b", "current": "b", "finished": True}, 11, True),  # it moved, and is there
        ({"wanted": "b", "current": "b", "finished": True}, 5, False),  # it may have moved for something else before
        ({"wanted": "b", "current": "a", "finished": False}, 500, False),
        ({"wanted": "b", "current": "a", "finished": True}, 500, False),  # not yet noticed by the operator
        ({"wanted": "a", "current": "a", "finished": True}, 11, False),  # nobody has taken notice yet
        ({"wanted": "a", "current": "a", "finished": True}, 130, True),
        ({"wanted": "a", "current": "a", "finished": True, "paused": True}, 11, True),
        ({"wanted": "b", "current": "a", "finished": False, "paused": True}, 11, True),
    ],
)
def test_when_a_watch_is_over(pool: dict[str, Any], waited: float, over: bool) -> None:
    """Pools look finished until the operator takes notice; what is paused is not waited for."""
    sync = Sync(cluster="one", transfer="t", old="1", offered="2", new="3")
    watch = WatchPools(sync=sync, before={"worker": "a"}, seconds=1800)
    assert watch._over((Pool(name="worker", **pool),), waited) is over


# --- many -------------------------------------------------------------------------------------------------------
