"""/diagnose-image-pull against a cluster and a registry over HTTP: every trouble gets its verdict, evidence and cure."""

from __future__ import annotations

import json
from typing import Any

import pytest

from handlers.image_pull_told import FOR_NEW, HEALED

ECR = "111122223333.dkr.ecr.us-east-1.amazonaws.com"
REPOSITORY = "consultingfirm/frontend"
PULLER = "arn:aws:iam::606639739464:user/puller"
STRANGER = "arn:aws:sts::606639739464:assumed-role/builder/session-1"
RUNTIMES = ["cri-o", "cri-o-old", "containerd", "docker"]


REFRESH = {"Refresh dev/cf-dev": {"env": ["dev"], "namespace": ["cf-dev"], "restart": False, "force": True}}


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_no_secret(world: Any, runtime: str) -> None:
    """The pods name a secret that is not there: the refresh of exactly this target is offered, and no restart."""
    world.life.pulls.runtime = runtime
    world.deploy()
    found = world.ask(where="dev")
    assert world.verdict(found) == "secret_missing"
    assert found.title == "naming-server-new (2 pods) in cf-dev: pull secret ecr-secret is missing"
    assert HEALED in found.text[1]
    assert world.steps(found) == ["refresh", "watch"]
    assert world.offers(found) == REFRESH
    assert found.table.rows[0][0] == "naming-server-new (2 pods)"


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_expired(world: Any, runtime: str) -> None:
    """The registry says that the login has expired, also where the node is not told why."""
    world.life.pulls.runtime = runtime
    world.secret(world.user("expired"))
    world.deploy()
    found = world.ask(where="cf-dev")
    assert world.verdict(found) == "expired"
    assert "the login in ecr-secret has expired" in found.title
    assert world.offers(found) == REFRESH


def test_expired_by_our_annotation(world: Any) -> None:
    """The registry is silent about why; our own annotation says since when."""
    world.secret(world.user("nobody knows"), registry=ECR, expires_at="2026-01-01T00:00:00Z")
    world.users.clear()
    world.deploy()
    found = world.ask()
    assert world.verdict(found) == "expired"
    assert "(2026-01-01T00:00:00Z)" in found.text[1]


def test_wrong_type(world: Any) -> None:
    """A secret made without its type; the type that it has is named."""
    world.secret(world.user(), type="Opaque")
    world.deploy()
    found = world.ask()
    assert world.verdict(found) == "wrong_type"
    assert "of type Opaque" in found.text[1]
    assert world.offers(found) == REFRESH


def test_wrong_host(world: Any) -> None:
    """The login stands under another registry; both are named."""
    world.secret(world.user(), host="registry.example.com")
    world.deploy()
    found = world.ask()
    assert world.verdict(found) == "wrong_host"
    assert "a login for registry.example.com" in found.text[1]
    assert ECR in found.text[1]
    assert world.offers(found) == REFRESH


def test_unreadable(world: Any) -> None:
    """What is in the secret is no login, and nothing of it is repeated."""
    world.secret(text=json.dumps({"auths": {ECR: {"auth": "no base64 at all"}}}))
    world.deploy()
    found = world.ask()
    assert world.verdict(found) == "unreadable"
    assert "no base64" not in found.model_dump_json()
    assert world.offers(found) == REFRESH


def test_a_login_that_is_not_taken(world: Any) -> None:
    """Neither expired nor denied: wrong."""
    world.secret(world.user())
    world.users.clear()
    world.deploy()
    found = world.ask()
    assert world.verdict(found) == "login_refused"
    assert world.offers(found) == REFRESH


def test_not_named(world: Any) -> None:
    """The secret is there and good, and nobody names it: no refresh helps, the Deployment must name it."""
    world.secret(world.user())
    world.deploy(pull=())
    found = world.ask()
    assert world.verdict(found) == "not_referenced"
    assert "neither the pods nor their service account default name it" in found.text[1]
    assert FOR_NEW in found.text[1]
    assert (world.steps(found), world.offers(found)) == (["reference", "watch"], {})


@pytest.mark.parametrize("type", ["", "Opaque"])
def test_not_named_and_of_no_use(world: Any, type: str) -> None:
    """The secret is missing or of the wrong type, and nobody names it: both are told, with a step for each."""
    if type:
        world.secret(world.user(), type=type)
    world.deploy(pull=())
    found = world.ask()
    assert world.verdict(found) == ("wrong_type" if type else "secret_missing")
    assert "neither the pods nor their service account default name it" in found.text[1]
    assert FOR_NEW not in found.text[1]
    assert world.steps(found) == ["refresh", "reference", "watch"]


def test_not_named_where_the_account_is_to_have_it(world: Any) -> None:
    """Where the settings give the secret to the account, a refresh with a restart does both."""
    world.configure(service_accounts=["default"])
    world.secret(world.user())
    world.deploy(pull=())
    assert world.offers(world.ask()) == {
        "Restart in dev/cf-dev": {"env": ["dev"], "namespace": ["cf-dev"], "restart": True}
    }


def test_pods_that_are_too_old(world: Any) -> None:
    """The service account got the secret after the pods were made: the restart alone is offered, and why."""
    world.secret(world.user())
    world.deploy(pull=())
    world.give("ecr-secret")
    found = world.ask()
    assert world.verdict(found) == "pod_too_old"
    assert FOR_NEW in found.text[1]
    assert world.offers(found) == {"Restart in dev/cf-dev": {"env": ["dev"], "namespace": ["cf-dev"], "restart": True}}


def test_named_by_the_account_only(world: Any) -> None:
    """Pods that name another secret get none from their service account."""
    world.secret(world.user())
    world.secret(world.user(), name="other", host="registry.example.com")
    world.give("ecr-secret")
    world.deploy(pull=("other",))
    found = world.ask()
    assert world.verdict(found) == "not_referenced"
    assert "get none from their service account default" in found.text[1]


def test_two_logins_for_one_registry(world: Any) -> None:
    """A node tries one after the other: of two that are not taken only one has ended by our dates, so they are told to
    be refused; and as soon as the second one pulls, the first is no trouble."""
    world.secret(world.user("nobody knows"), registry=ECR, expires_at="2026-01-01T00:00:00Z")
    world.secret(world.user("nobody knows"), name="second")
    world.users.clear()
    world.deploy(pull=("ecr-secret", "second"))
    assert world.verdict(world.ask()) == "login_refused"
    world.secret(world.user(), name="second")
    assert world.verdict(world.ask()) == "tries_again"
