"""Which pull secrets there are, and what may be typed over them."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from bot.core.ask import AskError, parse
from bot.core.errors import Refused
from handlers.ecr import Settings, choose, overridden
from handlers.refresh_ecr import HANDLER

ECR = "111122223333.dkr.ecr.us-east-1.amazonaws.com"
OTHER = "444455556666.dkr.ecr.us-west-2.amazonaws.com"


def env(**more: Any) -> dict[str, Any]:
    return {"cluster": "one", "namespaces": ["cf-dev"], "registry": ECR, **more}


def settings(**environments: Any) -> Settings:
    return Settings.model_validate({"environments": environments})


TWO = settings(Dev=env(namespaces=["cf-dev", "cf-ci"]), test=env(cluster="two", namespaces=["cf-test"]))


def test_the_defaults_are_those_of_the_seed() -> None:
    """An environment that says only where it is gets the seed's region, name, validity and no restart."""
    (target,) = settings(dev=env()).targets()
    assert (target.region, target.secret, target.restart) == ("us-east-1", "ecr-secret", False)
    assert (target.validity, target.renew_before, target.deadline) == (12 * 3600, 6 * 3600, 600)
    assert (target.name, target.credential) == ("dev/cf-dev", "dev/cf-dev/ecr-secret")


@pytest.mark.parametrize(
    ("envs", "namespaces", "names"),
    [
        ((), (), ["Dev/cf-dev", "Dev/cf-ci", "test/cf-test"]),
        (("all",), (), ["Dev/cf-dev", "Dev/cf-ci", "test/cf-test"]),
        (("ALL", "dev"), (), ["Dev/cf-dev", "Dev/cf-ci", "test/cf-test"]),
        (("dev",), (), ["Dev/cf-dev", "Dev/cf-ci"]),
        (("dev", "TEST"), ("cf-test",), ["test/cf-test"]),
        ((), ("CF-ci",), ["Dev/cf-ci"]),
    ],
)
def test_what_is_chosen(envs: tuple[str, ...], namespaces: tuple[str, ...], names: list[str]) -> None:
    """Environments and namespaces choose, in any case of letters, and in the order of the settings."""
    assert [one.name for one in choose(TWO, envs, namespaces)] == names


@pytest.mark.parametrize(
    ("envs", "namespaces", "told"),
    [(("prod",), (), "Dev, test, all"), (("dev",), ("cf-test",), "cf-ci, cf-dev")],
)
def test_what_there_is_not(envs: tuple[str, ...], namespaces: tuple[str, ...], told: str) -> None:
    """An unknown name is refused with the names that there are."""
    with pytest.raises(Refused) as refused:
        choose(TWO, envs, namespaces)
    assert told in refused.value.now


def test_no_environment_at_all() -> None:
    """Without settings the command says where to put them."""
    with pytest.raises(Refused, match=r"commands\.refresh-ecr\.settings\.environments"):
        choose(Settings(), (), ())


@pytest.mark.parametrize(
    "wrong",
    [
        {"dev": env(registry=f"https://{ECR}")},
        {"dev": env(registry=f"{ECR}/team")},
        {"dev": env(image=":latest")},
        {"dev": env(region="../../x")},
        {"dev": env(namespaces=[])},
        {"dev": env(namespaces=["../kube-system"])},
        {"dev": env(secret_name="a/b")},
        {"dev": env(renew_before_hours=12)},
        {"all": env()},
        {"dev": env(), "DEV": env(cluster="two")},
        {"dev": env(), "again": env()},
    ],
)
def test_settings_that_cannot_be_meant(wrong: dict[str, Any]) -> None:
    """Hosts with a scheme or path, names that climb, "all", twins and double writers are refused when they load."""
    with pytest.raises(ValidationError):
        settings(**wrong)


def test_what_is_typed_goes_first() -> None:
    """Registry, region and restart of the command take the place of the settings'."""
    (target,) = settings(dev=env()).targets()
    made = overridden(target, TWO, host=OTHER, region="", restart=True)
    assert (made.registry, made.region, made.restart) == (OTHER, "us-west-2", True)
    made = overridden(target, TWO, host=OTHER, region="eu-west-1", restart=None)
    assert (made.region, made.restart) == ("eu-west-1", False)
    assert overridden(target, TWO, host="", region="", restart=None) == target


@pytest.mark.parametrize(
    "host", ["evil.example.com", f"{ECR}.example.com", f"x{ECR}", "12.dkr.ecr.us-east-1.amazonaws.com", f"{ECR}:8443"]
)
def test_no_token_for_strangers(host: str) -> None:
    """A registry that is neither ECR's nor the settings' is refused: the token would be sent there."""
    (target,) = settings(dev=env()).targets()
    with pytest.raises(Refused, match="neither"):
        overridden(target, TWO, host=host, region="", restart=None)


def test_as_people_type_it() -> None:
    """The words of the seed's -e, as words of a command."""
    ask: Any = parse("dev test --no-restart registry=localhost:5000 --force namespace=a,b", HANDLER)
    assert (ask.env, ask.namespace, ask.restart, ask.force) == (("dev", "test"), ("a", "b"), False, True)
    nothing: Any = parse("", HANDLER)
    assert (nothing.env, nothing.restart) == ((), None)
    assert parse("--restart", HANDLER).model_dump()["restart"] is True


@pytest.mark.parametrize("text", ["dev registry=https://x", "dev region=Paris", "dev ../x", "namespace=a/b"])
def test_nonsense(text: str) -> None:
    """What can be no host, region or name is an error for people, not an exception."""
    with pytest.raises(AskError):
        parse(text, HANDLER)
