"""/refresh-ecr against clusters, Amazon and its registry over HTTP."""

from __future__ import annotations

from typing import Any

ECR = "111122223333.dkr.ecr.us-east-1.amazonaws.com"
HOUR = 3600


def kinds(plan: Any) -> list[list[str]]:
    return [[step.kind for step in stage.steps] for stage in plan.stages]


def test_the_plan_says_what_is_and_what_will_be(world: Any) -> None:
    """One secret that is missing: it is written, the Deployment restarted and watched; nothing is changed yet."""
    plan = world.plan(env=("dev",))
    assert plan.title == "Refresh 1 ECR pull secret and restart 1 Deployment"
    assert (plan.subject, plan.on_failure) == ("ecr", "go_on")
    assert kinds(plan) == [["ecr.write-secret"], ["ecr.restart-deployment"], ["ecr.watch-rollout"]]
    notes = {note.label: note.text for note in plan.notes}
    assert notes["dev/cf-dev"] == f"ecr-secret in one: no secret yet. A new login for {ECR} is written."
    assert notes["Restarts in dev/cf-dev"] == "naming-server-new"
    assert notes["At Amazon we are"] == f"{world.keys.arn} (us-east-1)"
    assert not plan.warnings
    assert world.secret() is None


def test_everything_arrives(world: Any) -> None:
    """After applying, the pods pull: the secret has its dates, the Deployment was restarted, and its pods run."""
    assert "imagePullSecrets" in str(world.deployment())
    assert world.deployment()["status"].get("availableReplicas", 0) == 0, "without a login nothing was pulled"
    plan = world.plan(env=("dev",))
    assert world.apply(plan) == {}
    made = world.secret()
    assert made["type"] == "kubernetes.io/dockerconfigjson"
    assert made["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "hivekeeper"
    notes = made["metadata"]["annotations"]
    assert (notes["hivekeeper/registry"], notes["hivekeeper/run"]) == (ECR, "run-1")
    assert notes["hivekeeper/written-at"].endswith("Z")
    assert set(world.auths()) == {ECR}
    assert world.restarted() >= notes["hivekeeper/written-at"]
    assert world.deployment()["status"]["availableReplicas"] == 2
    assert any("2 of 2" in told for told in world.told)


def test_then_there_is_nothing_to_do(world: Any) -> None:
    """Asked again right away it answers with the age and the next refresh, and posts nothing when a schedule asked."""
    world.apply(world.plan())
    answer = world.answer()
    assert answer.title == "Fresh, nothing to do: 2 ECR pull secrets"
    assert answer.quiet
    assert [row[0] for row in answer.table.rows] == ["dev/cf-dev", "test/cf-test"]
    assert [note.label for note in answer.notes] == ["Next refresh needed"] * 2
    assert all(11.9 * HOUR < note.at - world.now() <= 12 * HOUR for note in answer.notes)
    assert world.plan(force=True, env=("dev",)).title.startswith("Refresh 1")


def test_due_again(world: Any) -> None:
    """Ten hours later both are due, and the plan tells their age."""
    world.apply(world.plan())
    world.wait(10 * HOUR)
    plan = world.plan(env=("test",))
    assert "10 h old, ends in 2 h" in plan.notes[0].text.replace("119 min", "2 h")
    before = world.auths(cluster="two", namespace="cf-test")
    world.run = "run-2"
    assert world.apply(plan) == {}
    assert world.auths(cluster="two", namespace="cf-test") != before
