"""The settings of realms and service accounts: addresses are derived, and what would betray a secret is refused."""

from __future__ import annotations

from typing import Any

import pytest

from bot.core.errors import Refused
from bot.identity import Realm
from bot.settings import parse

ISSUER = "https://sso.example.com/auth/realms/x"


def realm(**changed: Any) -> Realm:
    return parse({"sso": {"redhat": {"issuer": ISSUER} | changed}}, "s.yaml").sso["redhat"]


def account(**changed: Any) -> dict[str, Any]:
    return {"accounts": {"ci": {"client_id": "ocm-ci"} | changed}}


def test_addresses_follow_from_the_issuer() -> None:
    """From the address where it is really reached, if there is one; a slash at its end does no harm."""
    assert realm().token_url == f"{ISSUER}/protocol/openid-connect/token"
    moved = realm(address="https://proxy.example.com/x/")
    assert moved.token_url == "https://proxy.example.com/x/protocol/openid-connect/token"
    assert moved.device_url == "https://proxy.example.com/x/protocol/openid-connect/auth/device"
    assert moved.issuer == ISSUER
    assert realm(token_endpoint="https://sso.example.com/token").token_url == "https://sso.example.com/token"
    assert realm(address="http://127.0.0.1:8080/x").base == "http://127.0.0.1:8080/x"


def test_what_it_is_without_a_word() -> None:
    """OCM's own client, no sign-ins, a minute between two tries of a token."""
    assert (realm().client_id, realm().device_flow, realm().least_seconds_between_probes) == (
        "cloud-services",
        False,
        60,
    )


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"issuer": "http://sso.example.com/x"}, r"sso\.redhat\.issuer: .*must be https"),
        ({"address": "http://sso.example.com/x"}, "must be https"),
        ({"token_endpoint": "https://bee:canary@sso.example.com"}, "without a login"),
        ({"client_id": "a:canary"}, "client_id"),
        ({"least_seconds_between_probes": 4000}, "least_seconds_between_probes"),
        (account(method="client_secret", secret="canary"), r"accounts\.ci\.client_secret\.secret"),
        (account(method="private_key_jwt", key={"env": "K"}, algorithm="HS256"), "algorithm"),
        (account(method="private_key_jwt", key={"env": "K"}, algorithm="none"), "algorithm"),
        (account(method="password", password="canary"), r"accounts\.ci"),
    ],
    ids=["issuer", "address", "login", "client", "seconds", "secret", "HS256", "none", "method"],
)
def test_a_mistake_is_told_by_its_place(changed: dict[str, Any], words: str) -> None:
    """And never with what was written there."""
    with pytest.raises(Refused, match=words) as told:
        realm(**changed)
    assert "canary" not in str(told.value)
