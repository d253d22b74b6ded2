"""What a refresh needs, taken away one by one: each is told apart, and keeps none of the others."""

from __future__ import annotations

from typing import Any

import pytest

from bot.core.errors import Refused, Told, Transient

ECR = "111122223333.dkr.ecr.us-east-1.amazonaws.com"


def refused(world: Any, **ask: Any) -> Told:
    with pytest.raises(Told) as error:
        world.ask(**ask)
    assert world.secret() is None, "nothing was changed"
    assert error.value.now, "it says what to do"
    return error.value


def test_nobody_at_amazon(world: Any) -> None:
    """Keys that were deleted are told as such, before any token is asked for."""
    world.aws.revoke(world.keys)
    assert isinstance(refused(world), Refused)
    assert world.aws.mints == 0


def test_no_right_to_a_token(world: Any) -> None:
    """A principal without ecr:GetAuthorizationToken is named with the action."""
    world.aws.forbid(world.keys, "ecr:GetAuthorizationToken")
    told = refused(world)
    assert "ecr:GetAuthorizationToken" in told.what
    assert world.keys.arn in told.what


def test_no_right_to_pull(world: Any) -> None:
    """A login that Amazon gives and the repository's policy does not let in: who, what and where are named."""
    world.registry.add("consultingfirm/frontend", "latest", pullers=("arn:aws:iam::999988887777:root",))
    told = refused(world)
    assert world.keys.arn in told.what
    assert "ecr:BatchGetImage" in told.what
    assert "repository/consultingfirm/frontend" in told.what


def test_a_token_that_the_registry_does_not_take(world: Any) -> None:
    """A registry that knows nothing of the token points at registry and region."""
    world.aws.expire_all = None
    world.registry._check = lambda user, password: None
    told = refused(world)
    assert "does not take the token" in told.what
    assert "us-east-1" in told.now


def test_a_kept_token_that_is_not_taken_any_more(world: Any) -> None:
    """A login that the registry took a moment ago and takes no more: a new one is had, and that one is written."""
    world.apply(world.plan(env=("dev",)), stages=1)
    old = world.auths()[ECR]
    world.aws.expire_all()
    world.wait(60)
    plan = world.plan(env=("dev",), force=True)
    assert world.apply(plan, stages=1) == {}
    assert world.auths()[ECR] != old
    assert world.aws.mints == 2


def test_a_restart_into_a_denial(world: Any) -> None:
    """Where the login stays as it is, it is tried all the same: what restarts would wait for its image."""
    world.apply(world.plan(env=("dev",)))
    assert world.plan(env=("dev",), restart=True).warnings == ()
    world.registry.add("consultingfirm/frontend", "latest", pullers=("arn:aws:iam::999988887777:root",))
    (warning,) = world.plan(env=("dev",), restart=True).warnings
    assert warning.startswith("dev/cf-dev: new pods would not get their image now. The registry ")
    assert "ecr:BatchGetImage" in warning
    assert world.answer(env=("dev",)).warnings == (), "nothing restarts"


@pytest.mark.parametrize(("state", "said"), [("limited", "not proven"), (500, "not proven")])
def test_a_registry_that_cannot_say(world: Any, state: Any, said: str) -> None:
    """A registry that is busy or broken says nothing about the token: it is written, with a warning."""
    world.registry.state = state
    plan = world.plan(env=("dev",))
    assert [said in warning for warning in plan.warnings] == [True]


def test_an_image_that_is_not_there(world: Any) -> None:
    """A missing tag proves that the token may look, and is told."""
    world.configure(image="consultingfirm/frontend:gone")
    plan = world.plan(env=("dev",))
    assert "consultingfirm/frontend:gone is not proven" in plan.warnings[0]


def test_no_image_to_ask_for(world: Any) -> None:
    """Without an image only the login is tried, and the plan says so."""
    world.configure(image="")
    plan = world.plan(env=("dev",))
    assert "only the login was tried" in plan.warnings[0]
    assert [path for _, path, _ in world.registry.log if "manifests" in path] == []


def test_no_namespace(world: Any) -> None:
    """A namespace that is not there is named with its cluster; the other environment is refreshed."""
    world.configure(namespaces=["cf-gone"])
    everything = [{"apiGroups": ["", "apps"], "resources": ["*"], "verbs": ["*"]}]
    world.clusters["one"].rules.grant("system:serviceaccount:hivekeeper:hivekeeper", everything)
    plan = world.plan()
    assert plan.title == "Refresh 1 ECR pull secret"
    assert plan.warnings[0].startswith("dev/cf-gone: left out. There is no namespace cf-gone in cluster one.")


@pytest.mark.parametrize(
    ("verb", "resource"),
    [
        ("get", "secrets"),
        ("create", "secrets"),
        ("list", "deployments"),
        ("get", "deployments"),
        ("patch", "deployments"),
        ("delete", "secrets"),  # to undo what was not there before
        ("list", "pods"),
        ("list", "serviceaccounts"),
        ("get", "namespaces"),
    ],
)
def test_one_verb_less(world: Any, verb: str, resource: str) -> None:
    """Each right that a refresh uses is missed by name before anything is proposed."""
    world.clusters["one"].deny(verb, resource)
    told = refused(world, env=("dev",))
    assert isinstance(told, Refused)
    assert verb in str(told)
    assert resource in str(told)
    assert "cf-dev" in str(told)


def test_update_and_patch_of_accounts(world: Any) -> None:
    """The rights that only some plans use are missed by those plans alone."""
    world.clusters["one"].deny("patch", "serviceaccounts")
    world.clusters["one"].deny("update", "secrets")
    assert world.plan(env=("dev",)).title.startswith("Refresh 1")
    world.configure(service_accounts=["default"])
    with pytest.raises(Refused, match="may not patch serviceaccounts"):
        world.ask(env=("dev",))
    world.configure(service_accounts=[])
    world.put_secret({"auths": {}})
    with pytest.raises(Refused, match="may not update secrets ecr-secret in cf-dev"):
        world.ask(env=("dev",))


def test_the_rights_to_a_backup(world: Any) -> None:
    """Where something is there already, it must be possible to keep a copy and to remove that; and the secret itself,
    when its type is wrong."""
    world.put_secret({"auths": {}}, type="Opaque")
    assert world.plan(env=("dev",)).title.startswith("Refresh 1")
    world.clusters["one"].deny("delete", "secrets")
    with pytest.raises(Refused, match="may not delete secrets ecr-secret-before-hivekeeper"):
        world.ask(env=("dev",))


def test_no_such_service_account(world: Any) -> None:
    """A service account of the settings that is not there is named."""
    world.configure(service_accounts=["puller"])
    assert "no service account puller" in refused(world, env=("dev",)).what


def test_a_dead_cluster_keeps_nobody(world: Any) -> None:
    """A cluster that is down is told with its environment, and the other one is refreshed."""
    world.clusters["one"].down()
    plan = world.plan()
    assert [step.target.name for step in plan.stages[0].steps] == ["test/cf-test"]
    assert plan.warnings[0].startswith("dev/cf-dev: left out.")


def test_all_dead_is_temporary(world: Any) -> None:
    """When the one reason is that a cluster is away, it is the error that the engine tries again."""
    world.clusters["one"].down()
    with pytest.raises(Transient):
        world.ask(env=("dev",))


def test_each_for_its_own_reason(world: Any) -> None:
    """When everything fails for different reasons, the answer lists each with its cure."""
    world.clusters["one"].down()
    world.clusters["two"].deny("create", "secrets")
    answer = world.answer()
    assert answer.title == "Nothing was changed: 2 ECR pull secrets cannot be refreshed"
    assert [row[0] for row in answer.table.rows] == ["dev/cf-dev", "test/cf-test"]
    assert all(all(cell for cell in row) for row in answer.table.rows)
    assert [one.ask["namespace"] for one in answer.offers] == [["cf-dev", "cf-test"]]
    assert not answer.quiet


def test_one_broken_and_the_other_fresh(world: Any) -> None:
    """A fresh one beside a broken one: nothing to do, and the broken one is not kept quiet."""
    world.apply(world.plan(env=("test",)))
    world.clusters["one"].down()
    answer = world.answer()
    assert answer.title == "Fresh, nothing to do: 1 ECR pull secret"
    assert "dev/cf-dev: left out." in answer.warnings[0]
    assert not answer.quiet
    assert [(one.ask["env"], one.ask["namespace"]) for one in answer.offers] == [(["dev"], ["cf-dev"])]


def test_one_token_for_all(world: Any) -> None:
    """Targets with one access and region share one token and one proof."""
    world.space("a", "b", "c")
    world.configure(namespaces=["cf-dev", "a", "b", "c"])
    plan = world.plan()
    assert len(plan.stages[0].steps) == 5
    assert world.apply(plan, stages=1) == {}
    assert world.aws.mints == 1
    assert len([path for _, path, _ in world.registry.log if "manifests" in path]) == 1
