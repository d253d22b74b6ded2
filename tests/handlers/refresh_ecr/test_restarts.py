"""Who is restarted after a pull secret was written, and who is not."""

from __future__ import annotations

from typing import Any

from bot.core.kubernetes import DEPLOYMENT, POD
from handlers.ecr_look import stamp

ECR = "111122223333.dkr.ecr.us-east-1.amazonaws.com"


def kinds(plan: Any) -> list[list[str]]:
    return [[step.kind for step in stage.steps] for stage in plan.stages]


def test_killed_between_writing_and_restarting(world: Any) -> None:
    """The run goes on with the restart: what was written is not written again."""
    plan = world.plan(env=("dev",))
    world.apply(plan, stages=1)
    version = world.secret()["metadata"]["resourceVersion"]
    assert world.restarted() == ""
    assert world.apply(plan) == {}
    assert world.secret()["metadata"]["resourceVersion"] == version
    assert world.restarted()


def test_a_restart_is_not_repeated(world: Any) -> None:
    """A restart that was carried out, and one by somebody else after the secret was written, are done."""
    plan = world.plan(env=("dev",))
    world.apply(plan, stages=2)
    first = world.restarted()
    world.wait(30)
    world.apply(plan, stages=2)
    assert world.restarted() == first


def test_a_restart_from_before_does_not_count(world: Any) -> None:
    """One by somebody else before the secret was written is not done: those pods have not seen it."""
    plan = world.plan(env=("dev",))
    world.wait(5)
    note = {"kubectl.kubernetes.io/restartedAt": stamp(world.now())}
    change = {"spec": {"template": {"metadata": {"annotations": note}}}}
    world.admin().patch("one", DEPLOYMENT, "naming-server-new", change, "cf-dev")
    world.wait(5)
    world.apply(plan, stages=1)
    (restart,) = plan.stages[1].steps
    assert not restart.done(world.read_tools)


def test_a_new_run_restarts_what_the_last_one_did_not(world: Any) -> None:
    """When a run ended before its restarts, the next one does just those; then there is nothing to do."""
    world.apply(world.plan(env=("dev",)), stages=1)
    plan = world.plan(env=("dev",))
    assert plan.title == "Restart 1 Deployment"
    assert kinds(plan) == [["ecr.restart-deployment"], ["ecr.watch-rollout"]]
    assert "It stays as it is." in plan.notes[0].text
    assert world.apply(plan) == {}
    assert world.answer(env=("dev",)).title.startswith("Fresh")


def test_restart_alone(world: Any) -> None:
    """--restart on a fresh secret restarts everybody once more, and writes nothing."""
    world.apply(world.plan(env=("dev",)))
    first = world.restarted()
    world.wait(60)
    plan = world.plan(env=("dev",), restart=True)
    assert plan.title == "Restart 1 Deployment"
    assert world.apply(plan) == {}
    assert world.restarted() > first


def test_no_restart(world: Any) -> None:
    """--no-restart writes only, and says that pods which wait need none; the pods start by themselves."""
    plan = world.plan(env=("dev",), restart=False)
    assert kinds(plan) == [["ecr.write-secret"]]
    assert any(note.label == "No restart" for note in plan.notes)
    world.apply(plan)
    for _ in range(30):
        world.wait(20)
    assert world.deployment()["status"]["availableReplicas"] == 2


def test_a_paused_deployment(world: Any) -> None:
    """A paused Deployment is named and not restarted; one that is paused meanwhile fails with what to do."""
    world.deploy("waits", paused=True)
    plan = world.plan(env=("dev",))
    assert "waits in dev/cf-dev is paused" in plan.warnings[0]
    assert [step.deployment.name for step in plan.stages[1].steps] == ["naming-server-new"]
    world.admin().patch("one", DEPLOYMENT, "naming-server-new", {"spec": {"paused": True}}, "cf-dev")
    failed = world.apply(plan)
    assert ["is paused" in str(failed[step.says()]) for step in plan.stages[1].steps] == [True]
    assert any("nothing to watch" in str(error) for error in failed.values())


def test_by_the_service_account(world: Any) -> None:
    """Where the service account gives the secret, the plan says so; what pulls elsewhere is not restarted."""
    world.admin().delete("one", DEPLOYMENT, "naming-server-new", "cf-dev")
    world.give("default", "ecr-secret")
    world.deploy("web", pull="")
    world.deploy("nginx", pull="", image="docker.io/library/nginx:1")
    plan = world.plan(env=("dev",))
    assert any("through their service account" in warning for warning in plan.warnings)
    assert [step.deployment.name for step in plan.stages[1].steps] == ["web"]


def test_service_accounts_of_the_settings(world: Any) -> None:
    """A service account that lacks the secret gets it beside its others, once; undoing takes just that away."""
    world.give("default", "quay")
    world.deploy("web", pull="")
    world.configure(service_accounts=["default"])
    plan = world.plan(env=("dev",))
    assert kinds(plan)[1] == ["ecr.patch-service-account"]
    assert sorted(step.deployment.name for step in plan.stages[2].steps) == ["naming-server-new", "web"]
    assert world.apply(plan) == {}
    assert world.account("default") == ["quay", "ecr-secret"]
    assert world.answer(env=("dev",)).title.startswith("Fresh")
    plan.stages[1].steps[0].undo(world.tools, world.ref)
    plan.stages[1].steps[0].undo(world.tools, world.ref)
    assert world.account("default") == ["quay"]


def pod(world: Any, name: str, kind: str = "", pull: str = "ecr-secret") -> None:
    """One that this kind of thing has made."""
    owner = [{"apiVersion": "apps/v1", "kind": kind, "name": name, "uid": name, "controller": True}] if kind else []
    spec = {"containers": [{"name": "c", "image": f"{ECR}/x"}], "imagePullSecrets": [{"name": pull}]}
    body = {"metadata": {"name": f"{name}-0", "ownerReferences": owner}, "spec": spec}
    world.admin().create("one", POD, body, "cf-dev")


def told(world: Any, words: str, **ask: Any) -> list[str]:
    return [warning for warning in world.plan(env=("dev",), **ask).warnings if words in warning]


def test_nobody_pulls_with_it(world: Any) -> None:
    """A secret that no workload names is written with a warning; a pod of no Deployment is somebody."""
    world.admin().delete("one", DEPLOYMENT, "naming-server-new", "cf-dev")
    world.settle()
    assert told(world, "No workload") == ["No workload pulls with the secret in dev/cf-dev."]
    pod(world, "lonely")
    assert told(world, "No workload") == []
    (said,) = told(world, "pulls with the secret")
    assert said.startswith("Pod lonely-0 in dev/cf-dev also pulls with the secret; only Deployments are restarted")


def test_what_else_pulls_is_named_and_not_restarted(world: Any) -> None:
    """StatefulSets, DaemonSets and Jobs beside the Deployments: once each, and only where something restarts."""
    pod(world, "db", "StatefulSet")
    pod(world, "agent", "DaemonSet")
    pod(world, "nightly-29382", "Job")
    pod(world, "elsewhere", "StatefulSet", pull="quay")
    pod(world, "odd", "<!channel>")
    (said,) = told(world, "only Deployments are restarted")
    assert said.startswith("DaemonSet agent in dev/cf-dev, Job nightly-29382 in dev/cf-dev and 2 more also pull with")
    world.admin().delete("one", POD, "odd-0", "cf-dev")
    (said,) = told(world, "only Deployments are restarted")
    assert "and StatefulSet db in dev/cf-dev also pull" in said
    plan = world.plan(env=("dev",))
    assert [step.deployment.name for step in plan.stages[1].steps] == ["naming-server-new"]
    assert told(world, "only Deployments are restarted", restart=False) == []


def test_a_secret_that_was_not_written(world: Any) -> None:
    """In a run that goes on, nothing is restarted for a secret that could not be written, and that is told."""
    plan = world.plan()
    world.clusters["one"].deny("create", "secrets")
    failed = world.apply(plan)
    assert len(failed) == 3
    assert any("was not written, so naming-server-new" in str(error) for error in failed.values())
    assert world.restarted() == ""
    assert world.secret(cluster="two", namespace="cf-test") is not None


def test_a_restart_that_lands_late_is_the_only_one(world: Any) -> None:
    """A try that was given up is carried out while the next one is on its way, or after it: the pods are made anew
    once."""
    plan = world.plan(env=("dev",))
    world.apply(plan, stages=1)
    (step,) = plan.stages[1].steps
    cluster, before = world.clusters["one"], world.deployment()["metadata"]["generation"]

    def lands(_: Any, moment: str) -> None:
        cluster.on_write = None
        if moment == "before":
            world.wait(3)  # another time than the next try's
            step.do(world.tools, world.ref)

    cluster.on_write = lands
    step.do(world.tools, world.ref)
    assert step.done(world.read_tools)
    assert world.deployment()["metadata"]["generation"] == before + 1
