"""/refresh-ecr against clusters, Amazon and its registry over HTTP."""

from __future__ import annotations

import re
from typing import Any

import pytest

from bot.core.errors import Drifted, Told, Transient
from handlers.ecr_look import moment

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
    assert notes["dev/cf-dev"] == f"ecr-secret in cluster one: no secret yet. A new login for {ECR} is written."
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
    assert all(abs(note.at - world.now() - 12 * HOUR) < 300 for note in answer.notes)
    assert world.plan(force=True, env=("dev",)).title.startswith("Refresh 1")


def test_due_again(world: Any) -> None:
    """Ten hours later both are due, and the plan tells their age."""
    world.apply(world.plan())
    world.wait(10 * HOUR)
    plan = world.plan(env=("test",))
    assert re.search(r"10 h old, ends in (2 h|11. min|12. min)", plan.notes[0].text)
    before = world.auths(cluster="two", namespace="cf-test")
    world.run = "run-2"
    assert world.apply(plan) == {}
    assert world.auths(cluster="two", namespace="cf-test") != before


def test_others_stay(world: Any) -> None:
    """Logins for other registries, other keys and other annotations of the secret stay; the plan says so."""
    quay = {"auth": "eDp5", "email": "a@example.com"}
    world.put_secret(
        {"auths": {"quay.io": quay, f"https://{ECR}": {"auth": "QVdTOm9sZA=="}}, "credsStore": "x"},
        labels={"app.kubernetes.io/managed-by": "Helm", "team": "cf"},
        annotations={"note": "ours"},
    )
    plan = world.plan(env=("dev",))
    assert "the logins for quay.io stay" in plan.notes[0].text
    assert any("something else writes the secret too" in warning for warning in plan.warnings)
    assert world.apply(plan) == {}
    auths = world.auths()
    assert auths["quay.io"] == quay
    assert set(auths) == {"quay.io", f"https://{ECR}"}, "the spelling that is there gets the login"
    metadata = world.secret()["metadata"]
    assert metadata["labels"] == {"app.kubernetes.io/managed-by": "Helm", "team": "cf"}
    assert metadata["annotations"]["note"] == "ours"
    assert world.answer(env=("dev",)).title.startswith("Fresh")


def test_undone_and_retired(world: Any) -> None:
    """Undoing puts the old document back as it was; retiring removes the backup. What others wrote since stays."""
    world.put_secret({"auths": {"quay.io": {"auth": "eDp5"}}}, annotations={"note": "ours"})
    before = world.secret()
    (step,) = world.plan(env=("dev",)).stages[0].steps
    step.do(world.tools, world.ref)
    assert world.secret(name="ecr-secret-before-hivekeeper")["data"] == before["data"]
    step.undo(world.tools, world.ref)
    after = world.secret()
    assert (after["data"], after["metadata"]["annotations"]) == (before["data"], {"note": "ours"})
    step.undo(world.tools, world.ref)
    step.do(world.tools, world.ref)
    world.put_secret({"auths": {"ghcr.io": {"auth": "eDp5"}}})
    step.undo(world.tools, world.ref)
    assert set(world.auths()) == {"ghcr.io"}
    step.retire(world.tools, world.ref)
    assert world.secret(name="ecr-secret-before-hivekeeper") is None


def test_undone_where_nothing_was(world: Any) -> None:
    """A secret that did not exist is removed again."""
    (step,) = world.plan(env=("dev",)).stages[0].steps
    step.undo(world.tools, world.ref)
    step.do(world.tools, world.ref)
    step.undo(world.tools, world.ref)
    assert world.secret() is None


def test_the_wrong_type(world: Any) -> None:
    """A secret made without its type is deleted and created, announced; its other logins come along, and undoing
    makes it what it was."""
    world.put_secret({"auths": {"quay.io": {"auth": "eDp5"}}}, type="Opaque")
    plan = world.plan(env=("dev",))
    (step,) = plan.stages[0].steps
    assert step.says().startswith("Delete and create dev/cf-dev/ecr-secret")
    assert any("wrong type" in warning for warning in plan.warnings)
    assert "which no pull reads" in plan.notes[0].text
    assert world.apply(plan) == {}
    assert set(world.auths()) == {"quay.io", ECR}
    assert world.secret()["type"] == "kubernetes.io/dockerconfigjson"
    step.undo(world.tools, world.ref)
    assert (world.secret()["type"], set(world.auths())) == ("Opaque", {"quay.io"})


def test_killed_between_delete_and_create(world: Any) -> None:
    """A crash while there is no secret at all loses nothing: the other logins come from the backup."""
    world.put_secret({"auths": {"quay.io": {"auth": "eDp5"}}}, type="Opaque")
    (step,) = world.plan(env=("dev",)).stages[0].steps
    cluster = world.clusters["one"]

    def dies(entry: Any, when: str) -> None:
        if entry.verb == "delete" and when == "after":
            cluster.down()

    cluster.on_write = dies
    with pytest.raises(Transient):
        step.do(world.tools, world.ref)
    cluster.on_write = None
    cluster.heal()
    assert world.secret() is None
    step.do(world.tools, world.ref)
    assert set(world.auths()) == {"quay.io", ECR}


def test_a_type_that_changed_meanwhile(world: Any) -> None:
    """A secret that is replaced by one of another type after the plan was shown is not deleted without a word."""
    (step,) = world.plan(env=("dev",)).stages[0].steps
    world.put_secret({"auths": {}}, type="Opaque")
    with pytest.raises(Drifted):
        step.do(world.tools, world.ref)
    assert world.secret()["type"] == "Opaque"


@pytest.mark.parametrize(
    ("document", "type"),
    [('{"auths": 7}', "kubernetes.io/dockerconfigjson"), ("{", "Opaque"), ("", "Opaque"), ('{"auths": 7}', "Opaque")],
)
def test_an_unreadable_document(world: Any, document: str, type: str) -> None:
    """A document that nobody can read is replaced, announced, and kept beside it."""
    world.put_secret(document, type=type)
    plan = world.plan(env=("dev",))
    assert any("cannot be read" in warning or "wrong type" in warning for warning in plan.warnings)
    assert world.apply(plan) == {}
    assert set(world.auths()) == {ECR}
    assert world.secret(name="ecr-secret-before-hivekeeper") is not None


def test_a_plan_that_waited(world: Any) -> None:
    """A plan that is approved half a day later writes a login that lasts from then on, not the one it was tried with."""
    plan = world.plan(env=("dev",))
    world.wait(13 * HOUR)
    world.apply(plan, stages=1)
    ends = world.secret()["metadata"]["annotations"]["hivekeeper/expires-at"]
    assert moment(ends) - world.now() > 11 * HOUR
    assert world.aws.mints == 2


def test_a_clock_that_is_behind(world: Any) -> None:
    """A replica whose clock is a little behind the one that planned still proves what it did."""
    plan = world.plan(env=("dev",))
    world.ahead -= 3
    assert world.apply(plan) == {}


def test_another_registry_this_once(world: Any) -> None:
    """registry= and region= get a login for another registry of Amazon beside the one that is there."""
    other = "444455556666.dkr.ecr.us-west-2.amazonaws.com"
    world.apply(world.plan(env=("dev",)))
    with pytest.raises(Told):  # nothing answers there in this test
        world.ask(env=("dev",), registry=other)
    assert ("GetAuthorizationToken", world.keys.key_id, "us-west-2") in world.aws.asked
