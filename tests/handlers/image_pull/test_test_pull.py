"""/test-pull: a pod that proves a pull, does nothing else, and is always removed."""

from __future__ import annotations

from typing import Any

import pytest

from bot.core.errors import Drifted, Refused, Unverified
from handlers import diagnose_image_pull
from handlers.test_pull import HANDLER, LIFE, MARK

ECR = "111122223333.dkr.ecr.us-east-1.amazonaws.com"
REPOSITORY = "consultingfirm/frontend"


def parts(plan: Any) -> tuple[Any, Any, Any]:
    create, watch, remove = (stage.steps[0] for stage in plan.stages)
    return create, watch, remove


def test_a_pull_is_seen(world: Any) -> None:
    """The pod pulls with the settings' secret, the node is named, and afterwards there is no pod."""
    world.secret(world.user())
    plan = world.plan(HANDLER, where="dev")
    assert plan.title == "Test by a short-lived pod whether nodes can pull in dev/cf-dev"
    assert plan.on_failure == "undo"
    assert [step.kind for _, _, step in plan.steps] == [
        "image-pull.create-pod", "image-pull.watch-pod", "image-pull.remove-pod"
    ]  # fmt: skip
    assert world.pods() == []
    create, watch, remove = parts(plan)
    assert all(step.proves or not step.done(world.read_tools) for _, _, step in plan.steps), "nothing is already so"
    assert not create.done(world.read_tools)
    create.do(world.tools, world.ref)
    assert create.done(world.read_tools)
    watch.do(world.tools, world.ref)
    assert watch.done(world.read_tools)
    assert "worker-" in world.told[-1]
    remove.do(world.tools, world.ref)
    assert remove.done(world.read_tools)
    assert world.pods() == []
    remove.do(world.tools, world.ref)


def test_what_the_pod_may(world: Any) -> None:
    """Nothing: no token, nothing of the image is run, limits, and an end that the cluster brings about by itself."""
    world.secret(world.user())
    parts(world.plan(HANDLER, where="dev"))[0].do(world.tools, world.ref)
    (pod,) = world.pods()
    spec = pod["spec"]
    assert spec["restartPolicy"] == "Never"
    assert spec["activeDeadlineSeconds"] == LIFE
    assert spec["automountServiceAccountToken"] is False
    assert spec["imagePullSecrets"] == [{"name": "ecr-secret"}]
    (container,) = spec["containers"]
    assert container["imagePullPolicy"] == "Always"
    assert container["command"] == ["/hivekeeper-test-pull"]
    assert {"cpu", "memory"} == set(container["resources"]["limits"])
    assert container["securityContext"]["allowPrivilegeEscalation"] is False
    assert pod["metadata"]["labels"][MARK] == "run-1"


@pytest.mark.parametrize("runtime", ["cri-o", "cri-o-old", "containerd", "docker"])
def test_a_pull_that_fails(world: Any, runtime: str) -> None:
    """Why is told as soon as it is certain, and undoing removes the pod."""
    world.life.pulls.runtime = runtime
    world.secret(world.user("expired"))
    create, watch, _ = parts(world.plan(HANDLER, where="dev"))
    create.do(world.tools, world.ref)
    with pytest.raises(Unverified, match="the login in ecr-secret has expired") as caught:
        watch.do(world.tools, world.ref)
    assert "/diagnose-image-pull cf-dev" in caught.value.now
    assert caught.value.what.startswith("The test pull in dev/cf-dev failed: the login in ecr-secret has expired")
    assert world.ahead < 20, "it is not waited for what is certain"
    create.undo(world.tools, world.ref)
    assert world.pods() == []
    create.undo(world.tools, world.ref)


def test_what_may_pass_is_waited_for(world: Any) -> None:
    """A registry that is out of order for some seconds is no failed test; one that stays so is, at the deadline."""
    world.secret(world.user())
    good = world.life.pulls.registries[ECR]
    world.life.pulls.registries[ECR] = lambda *_: "timeout"
    world.life.kubelets.back_off = (5.0,)
    create, watch, remove = parts(world.plan(HANDLER, where="dev"))
    create.do(world.tools, world.ref)
    with pytest.raises(Unverified, match="does not answer the node in time"):
        watch.do(world.tools, world.ref)
    assert 120 <= world.ahead < 140
    remove.do(world.tools, world.ref)
    world.ahead = 0
    create.do(world.tools, world.ref)
    world.settle(4)
    world.life.pulls.registries[ECR] = good
    watch.do(world.tools, world.ref)
    assert any("ErrImagePull" in told for told in world.told)


def test_no_node(world: Any) -> None:
    """A pod that never starts is told as that."""
    world.life._nodes = False
    world.secret(world.user())
    create, watch, _ = parts(world.plan(HANDLER, where="dev"))
    create.do(world.tools, world.ref)
    with pytest.raises(Unverified, match="has not started"):
        watch.do(world.tools, world.ref)


def test_after_a_crash(world: Any) -> None:
    """A pod that is there already is the one of this plan: it is watched and removed, not made twice."""
    world.secret(world.user())
    create, watch, remove = parts(world.plan(HANDLER, where="dev"))
    create.do(world.tools, world.ref)
    assert create.done(world.read_tools), "asked first after a crash"
    watch.do(world.tools, world.ref)
    create.retire(world.tools, world.ref)
    assert remove.done(world.read_tools)


def test_somebody_removes_it(world: Any) -> None:
    """Then nothing was proved."""
    world.secret(world.user())
    create, watch, _ = parts(world.plan(HANDLER, where="dev"))
    create.do(world.tools, world.ref)
    create.undo(world.tools, world.ref)
    with pytest.raises(Drifted, match="is gone"):
        watch.do(world.tools, world.ref)


def test_which_image(world: Any) -> None:
    """Of the target's registry only: with its host or without; by default that of the settings."""
    world.secret(world.user())
    for given in ("consultingfirm/frontend:v2", f"{ECR}/consultingfirm/frontend:v2"):
        assert parts(world.plan(HANDLER, where="dev", image=given))[0].pod.image == f"{ECR}/{REPOSITORY}:v2"
    assert parts(world.plan(HANDLER, where="cf-dev"))[0].pod.image == f"{ECR}/{REPOSITORY}:latest"
    with pytest.raises(Refused, match="not at 111122223333"):
        world.plan(HANDLER, where="dev", image="registry.example.com/a:b")
    with pytest.raises(Refused, match="not the name of an image"):
        world.plan(HANDLER, where="dev", image="A:b")
    world.configure(image="")
    with pytest.raises(Refused, match="name no image for dev"):
        world.plan(HANDLER, where="dev")


def test_rights_are_asked_first(world: Any) -> None:
    """What is not allowed is told before anything is proposed."""
    world.cluster.deny("create", "pods", "cf-dev")
    with pytest.raises(Refused, match="may not create pods in cf-dev of cluster one"):
        world.plan(HANDLER, where="dev")
    with pytest.raises(Refused, match="has no pull secret"):
        world.plan(HANDLER, where="one/other")


def test_what_the_check_asks_for(world: Any) -> None:
    """`hivekeeper check` looks for just the rights that are used."""
    rights = {(need.access.verb, need.access.resource) for need in HANDLER.needs(world.settings)}
    assert rights == {("create", "pods"), ("delete", "pods")}
    rights = {(need.access.verb, need.access.resource) for need in diagnose_image_pull.HANDLER.needs(world.settings)}
    assert rights == {("list", "pods"), ("list", "events"), ("list", "serviceaccounts")}
