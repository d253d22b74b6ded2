"""`hivekeeper check` about the realms of Red Hat SSO."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bot import doctor_sso
from bot.app import Parts
from bot.findings import Finding
from bot.settings import parse
from playground import broken
from playground.server import run_in_thread
from playground.sso import SsoStandIn


@pytest.fixture
def served() -> Iterator[tuple[SsoStandIn, str]]:
    realm = SsoStandIn()
    server = run_in_thread(realm.app(), date_header=False)
    yield realm, server.url + realm.PATH
    server.stop()


def found(realm: SsoStandIn, address: str, **changed: Any) -> list[Finding]:
    document = {"sso": {"redhat": {"issuer": realm.issuer, "address": address} | changed}}
    return list(doctor_sso.realms(Parts(parse(document, "settings.yaml"))))


def test_a_realm_that_answers(served: tuple[SsoStandIn, str]) -> None:
    """It is looked at without a login: no token is tried, nobody signs in."""
    (good,) = found(*served, device_flow=True)
    assert (good.subject, good.good) == ("sso redhat", True)
    assert good.told == "it answers, and people can sign in by device flow."
    assert served[0].forms == []


def test_a_realm_that_is_another(served: tuple[SsoStandIn, str]) -> None:
    """The issuer must fit to the letter, for it is what tokens are compared with."""
    (bad,) = found(*served, issuer=served[0].issuer + "/")
    assert (bad.good, bad.now) == (False, "Correct sso.redhat.issuer, to the letter.")


def test_a_realm_without_device_flow(served: tuple[SsoStandIn, str]) -> None:
    """Only who wants it is told."""
    served[0].offers_device = False
    assert found(*served)[0].good
    (bad,) = found(*served, device_flow=True)
    assert (bad.good, bad.now) == (False, "Set sso.redhat.device_flow to false.")


@pytest.mark.parametrize("state", ["html", 503, 404, "login"])
def test_a_realm_that_does_not_answer(served: tuple[SsoStandIn, str], state: str | int) -> None:
    """What stands there instead is said, and what to do."""
    served[0].state = state
    (bad,) = found(*served)
    assert bad.good is False
    assert bad.told.startswith("Red Hat SSO (realm redhat)")
    assert bad.now


def test_a_realm_that_is_not_there(served: tuple[SsoStandIn, str]) -> None:
    """A closed port is told as one."""
    (bad,) = found(served[0], f"http://127.0.0.1:{broken.unused_port()}")
    assert bad.told == "Red Hat SSO (realm redhat) does not accept connections."


def test_secrets_of_accounts(served: tuple[SsoStandIn, str], tmp_path: Path) -> None:
    """Those that are there, and one that is not, by its place."""
    (tmp_path / "key.pem").write_text("a key")
    accounts = {
        "signed": {"method": "private_key_jwt", "client_id": "a", "key": {"file": str(tmp_path / "key.pem")}},
        "ci": {"method": "client_secret", "client_id": "b", "secret": {"file": str(tmp_path / "nothing")}},
    }
    _, good, bad = found(*served, accounts=accounts)
    assert (good.subject, good.good) == ("sso redhat signed", True)
    assert (bad.subject, bad.good) == ("sso redhat ci", False)
    assert "nothing is not there" in bad.told
