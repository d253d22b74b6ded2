"""What /rotate-hive-tokens refuses, and what it warns of, before anything is written."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest

from bot.core.errors import Refused
from handlers.hive_tokens import HIVE_FRONTEND as FRONTEND
from handlers.hive_tokens import Settings
from playground import tokens

CONFIG = "sd-uhc/sandbox"
NOW = 1_900_000_000.0


def legacy(**changed: Any) -> str:
    """A legacy token of hive-frontend with some claims changed."""
    flat = "kubernetes.io/serviceaccount/"
    claims = {"iss": "kubernetes/serviceaccount", "sub": "system:serviceaccount:hive:hive-frontend"}
    claims |= {flat + "namespace": "hive", flat + "service-account.name": "hive-frontend"}
    return tokens.signed({**claims, **changed})


def bound(expires: float = NOW + 86400 * 30, issuer: str = "https://issuer.example.com") -> str:
    return tokens.bound("hive", "hive-frontend", issuer=issuer, issued=NOW - 600, expires=expires)


FLAT = "kubernetes.io/serviceaccount/"
WRONG: dict[str, tuple[Callable[[], str], str]] = {
    "no JWT": (lambda: "hvs.CAESIA" + "x" * 40, "not a JWT"),
    "trailing newline": (lambda: legacy() + "\n", "white space"),
    "another account": (lambda: tokens.legacy("hive", "hive-controllers"), "is for system:serviceaccount:hive:hive-controllers"),
    "another namespace": (lambda: tokens.legacy("hive-stage", "hive-frontend"), "is for system:serviceaccount:hive-stage"),
    "nobody": (lambda: tokens.signed({"iss": "x"}), "is for nobody, not for"),
    "a list": (lambda: legacy(sub=["a"]), "is for something that is not a name"),
    "flat namespace": (lambda: legacy(**{FLAT + "namespace": "other"}), "is for the namespace other, not for hive"),
    "flat name": (lambda: legacy(**{FLAT + "service-account.name": "x"}), "is for the service account x, not for"),
    "no namespace": (lambda: tokens.signed({"sub": "system:serviceaccount:hive:hive-frontend"}), "no service-account token"),
    "nested namespace": (lambda: legacy(**{"kubernetes.io": {"namespace": "other"}}), "is for the namespace other"),
    "nested name": (lambda: legacy(**{"kubernetes.io": {"namespace": "hive", "serviceaccount": 5}}), "is for the service account nobody"),
    "expired": (lambda: bound(expires=NOW - 7300), "expired 2 h ago"),
    "not yet": (lambda: legacy(nbf=NOW + 3600), "is valid only in 60 min"),
    "odd date": (lambda: legacy(exp="tomorrow"), "no readable date in its claim exp"),
    "endless date": (lambda: legacy(exp=float("inf")), "no readable date"),
    "another issuer": (lambda: bound(issuer="https://other.example.com"), "was issued by https://other.example.com, not by hive-integration"),
    "hostile subject": (lambda: legacy(sub="<!channel>\u202e\n" + "x" * 500), r"is for <!channel>\?\?x{90,110}…"),
}  # fmt: skip


@pytest.mark.parametrize("world", [1], indirect=True)  # how Vault stores it makes no difference here
@pytest.mark.parametrize("name", WRONG)
def test_wrong_tokens_are_refused(world: Any, canary: Any, name: str) -> None:
    """Each is refused with its reason and its place before anything is written, without a part of the token."""
    make, reason = WRONG[name]
    token = canary.add("wrong", make())
    world.change(FRONTEND.source, token=token)
    with_issuer = FRONTEND.model_copy(
        update={"issuer": "https://issuer.example.com", "places": (("hive", "frontend_token"),)}
    )
    world.settings = world.settings.model_copy(update={"accounts": (with_issuer, *world.settings.accounts[1:])})
    world.cluster.accept(token, FRONTEND.expected.subject)
    with pytest.raises(Refused, match=reason) as caught:
        world.ask()
    told = str(caught.value)
    assert f"{FRONTEND.source} (token)" in told
    assert "\n" not in told
    assert token.rsplit(".", 1)[-1] not in told
    assert caught.value.now
    assert world.writes() == []


@pytest.mark.parametrize("world", [1], indirect=True)
def test_a_token_that_the_cluster_does_not_know(world: Any) -> None:
    """A token that is revoked, or for another cluster, is refused while planning."""
    world.cluster.revoke(world.new["hive-frontend"])
    with pytest.raises(Refused, match="hive-integration"):
        world.ask()
    assert world.writes() == []


@pytest.mark.parametrize("world", [1], indirect=True)
def test_a_token_that_the_cluster_takes_for_another(world: Any) -> None:
    """If the cluster names somebody else than the claims do, the cluster is believed."""
    world.cluster.accept(world.new["hive-frontend"], "system:serviceaccount:hive:somebody")
    with pytest.raises(Refused, match="someone other than system:serviceaccount:hive:hive-frontend"):
        world.ask()


@pytest.mark.parametrize("world", [1], indirect=True)
def test_warnings(world: Any, canary: Any) -> None:
    """A token that ends within the day, or with its pod, and a config that holds a stranger are told to the approver."""
    token = canary.add("bound", bound(expires=NOW + 2 * 3600))
    world.change(FRONTEND.source, token=token)
    world.cluster.accept(token, FRONTEND.expected.subject)
    stranger = canary.add("stranger", tokens.legacy("hive", "hive-frontend"))
    world.put_config(world.text(stranger, world.old["aws-account-operator"]))
    ends, found = world.plan().warnings
    assert ends == f"The token in {FRONTEND.source} (token) expires in 2 h."
    assert found.startswith(f"hive › frontend_token in {CONFIG} (config) holds a value that is neither the new token")


@pytest.mark.parametrize("world", [1], indirect=True)
def test_a_token_of_a_pod(world: Any, canary: Any) -> None:
    """A token that is bound to a pod is worth a warning: it ends with the pod."""
    nested = {"namespace": "hive", "serviceaccount": {"name": "hive-frontend"}, "pod": {"name": "p", "uid": "u"}}
    token = canary.add("pod", legacy(**{"kubernetes.io": nested}))
    world.change(FRONTEND.source, token=token)
    world.cluster.accept(token, FRONTEND.expected.subject)
    assert any("bound to a pod" in warning for warning in world.plan().warnings)


BOMB = "a0: &a0 [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12)
)
UNUSABLE: dict[str, tuple[str, str]] = {
    "garbage": ("%%%", "is not base64"),
    "bomb": (base64.b64encode(BOMB.encode()).decode(), "aliases"),
    "broken": (base64.b64encode(b"a: [").decode(), "not valid YAML"),
    "empty": ("", "exactly one YAML document"),
    "moved": (base64.b64encode(b"hive: {}").decode(), "There is no hive › frontend_token"),
    "a list": (base64.b64encode(b"hive: {frontend_token: []}").decode(), "more than one value"),
    "huge": ("A" * 2_000_001, "longer than"),
}


@pytest.mark.parametrize("world", [1], indirect=True)  # how Vault stores it makes no difference here
@pytest.mark.parametrize("name", UNUSABLE)
def test_unusable_configs_are_refused(world: Any, name: str) -> None:
    """Each is refused, naming the place, and nothing is written, not even the handover path."""
    config, reason = UNUSABLE[name]
    world.change(CONFIG, config=config)
    with pytest.raises(Refused, match=reason) as caught:
        world.ask()
    assert CONFIG in str(caught.value)
    assert caught.value.__cause__ is None
    assert world.writes() == []


@pytest.mark.parametrize("world", [1], indirect=True)
def test_without_places_it_says_how_to_go_on(world: Any) -> None:
    """Without places the refusal names the setting and the way around; handover_only needs none."""
    world.settings = Settings()
    with pytest.raises(Refused, match="do not say where hive-frontend stands") as caught:
        world.ask()
    assert "commands.rotate-hive-tokens.settings.accounts" in caught.value.now
    assert "handover_only" in caught.value.now
    assert world.plan(handover_only=True)


@pytest.mark.parametrize("world", [1], indirect=True)
def test_a_token_that_is_not_configured(world: Any) -> None:
    """only= for an account that the settings do not have is refused."""
    world.settings = Settings(accounts=(FRONTEND,))
    with pytest.raises(Refused, match="no token called aws-account-operator"):
        world.ask(only="aws-account-operator")


@pytest.mark.parametrize("world", [1], indirect=True)
def test_a_missing_source(world: Any) -> None:
    """A source that is not there is refused with its path."""
    world.settings = Settings(accounts=(FRONTEND.model_copy(update={"source": "app-sre/nowhere"}),))
    with pytest.raises(Refused, match="app-sre/nowhere"):
        world.ask(handover_only=True)


@pytest.mark.parametrize(
    "changed",
    [
        {"accounts": ()},
        {"accounts": (FRONTEND.model_dump(), FRONTEND.model_dump())},
        {"accounts": ({**FRONTEND.model_dump(), "places": [["a"], ["a"]]},)},
        {"accounts": ({**FRONTEND.model_dump(), "name": "other"},)},
        {"expiry_warning_hours": -1},
        {"unknown": 1},
    ],
)
def test_settings_that_make_no_sense(changed: dict[str, Any]) -> None:
    """Settings that could not mean one thing only are refused when they are read."""
    with pytest.raises(ValueError, match=r"validation error"):
        Settings(**changed)


def test_settings_from_yaml() -> None:
    """Places come from YAML as lists of names and numbers, and stay what they were."""
    account = {**FRONTEND.model_dump(), "places": [["clusters", 0, "token"], ["8080"]]}
    settings = Settings.model_validate(json.loads(json.dumps({"accounts": [account]})))
    assert settings.accounts[0].places == (("clusters", 0, "token"), ("8080",))
