"""Restarted Deployments are watched to their end, and what keeps them is told."""

from __future__ import annotations

from typing import Any

import pytest

from bot.core.errors import Refused, Unverified
from bot.core.kubernetes import DEPLOYMENT

ECR = "111122223333.dkr.ecr.us-east-1.amazonaws.com"


def watch(world: Any) -> Any:
    """The watching step of a plan whose other steps are done."""
    plan = world.plan(env=("dev",))
    assert world.apply(plan, stages=2) == {}
    (step,) = plan.stages[2].steps
    return step


def test_progress_is_told(world: Any) -> None:
    """People see how many pods are new, until all are."""
    step = watch(world)
    assert not step.done(world.read_tools)
    step.do(world.tools, world.ref)
    assert step.done(world.read_tools)
    assert world.told[0] == "the controller has not seen the restart yet"
    assert world.told[-1] == "2 of 2 pods are new and available"


def test_killed_while_watching(world: Any) -> None:
    """A watch that was ended by a stop goes on where the rollout is, and restarts nothing."""
    step = watch(world)

    class Stopped(BaseException):
        """The bot is to stop."""

    def stop(seconds: float) -> None:
        raise Stopped

    with pytest.raises(Stopped):
        step.do(world.tools, type(world.ref)(id="run-1", tell=world.told.append, pause=stop))
    first = world.restarted()
    step.do(world.tools, world.ref)
    assert world.restarted() == first


def test_down_for_longer_than_the_deadline(world: Any) -> None:
    """When the bot was away for all the time that a rollout may take, it still looks for a while before it gives up."""
    step = watch(world)
    world.ahead += 3600
    step.do(world.tools, world.ref)
    assert "2 of 2" in world.told[-1]


def test_pods_that_cannot_pull(world: Any) -> None:
    """A rollout that does not end in time names pod, container and reason, and what to type; nothing is undone."""
    step = watch(world)
    world.registry.add("consultingfirm/frontend", "latest", pullers=())
    with pytest.raises(Unverified) as told:
        step.do(world.tools, world.ref)
    assert "naming-server-new in dev/cf-dev did not roll out" in told.value.what
    assert "container app: " in told.value.what
    assert "ImagePull" in told.value.what
    reason = " The reason: the login may not pull consultingfirm/frontend."
    assert reason in told.value.what[:250], "before the pods: a message cuts what is long at its end"
    assert told.value.now.endswith("type /diagnose-image-pull dev/cf-dev naming-server-new.")
    assert world.secret() is not None


def test_the_controller_gives_up(world: Any) -> None:
    """A progress deadline that is exceeded ends the watch before ours."""
    change = {"spec": {"progressDeadlineSeconds": 60}}
    world.admin().patch("one", DEPLOYMENT, "naming-server-new", change, "cf-dev")
    step = watch(world)
    world.registry.add("consultingfirm/frontend", "latest", pullers=())
    before = world.now()
    with pytest.raises(Unverified, match="progress deadline"):
        step.do(world.tools, world.ref)
    assert world.now() - before < 300


def test_a_cluster_that_is_silent_for_a_while(world: Any) -> None:
    """A cluster that does not answer in the middle ends no watch."""
    step, cluster = watch(world), world.clusters["one"]
    told: list[str] = []

    def tell(text: str) -> None:
        told.append(text)
        if len(told) == 1:
            cluster.down()
        if len(told) == 4:
            cluster.heal()

    step.do(world.tools, type(world.ref)(id="run-1", tell=tell, pause=world.wait))
    assert told[1:4] == ["one does not answer"] * 3
    assert told[-1] == "2 of 2 pods are new and available"


def test_a_deployment_that_is_gone(world: Any) -> None:
    """One that was deleted meanwhile fails by itself, in words."""
    plan = world.plan(env=("dev",))
    world.admin().delete("one", DEPLOYMENT, "naming-server-new", "cf-dev")
    failed = world.apply(plan)
    assert len(failed) == 2
    assert all("is gone" in str(error) for error in failed.values())


def test_nothing_to_watch(world: Any) -> None:
    """A Deployment that was not restarted is not watched."""
    plan = world.plan(env=("dev",))
    with pytest.raises(Refused, match="nothing to watch"):
        plan.stages[2].steps[0].do(world.tools, world.ref)


def test_what_can_be_undone(world: Any) -> None:
    """The approver sees a mark at the restart, which nothing takes back, and at nothing else."""
    plan = world.plan(env=("dev",))
    assert [step.reversible for _, _, step in plan.steps] == [True, False, True]
