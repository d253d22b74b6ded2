"""Somebody signs in for a service in the browser, and Vault has its refresh token."""

from __future__ import annotations

from typing import Any

import pytest

from bot.core.errors import Refused, Transient
from bot.core.grid import Inventory, Service
from bot.core.secret import Secret
from bot.managed import VaultTokens as Settings
from bot.tools.sign_ins import BrowserSignIns
from bot.tools.vault_sign_in import OidcFlow
from playground.server import run_in_thread
from playground.vault import VaultStandIn
from playground.vault_answers import Answer, error, found
from playground.vault_faults import Fault
from playground.vault_oauth import VaultOauth
from tests.conftest import Canary

AUTH, POLL = "auth/oidc-dune/oidc/auth_url", "auth/oidc-dune/oidc/poll"


class Listed:
    """The managedTokens file, or what keeps it from being read."""

    def __init__(self, *services: Service) -> None:
        self.services = services
        self.trouble: Exception | None = None

    def read(self) -> Inventory:
        if self.trouble:
            raise self.trouble
        return Inventory(services=self.services)


class Site:
    def __init__(self) -> None:
        self.vault = VaultStandIn()
        self.oauth = VaultOauth(self.vault, lambda header: header)
        self.oauth.issuers["dune"] = {"pro"}
        self.server = run_in_thread(self.vault.app())
        self.listed = Listed(
            Service(name="dune_pro", experiment="dune", role="pro", account="dunepro", principal="dunepro@X.LOCAL",
                    keytab="/none", vault_server=self.server.url)
        )  # fmt: skip
        flow = OidcFlow(Settings(timeout=60), self.listed, clock=lambda: 1000.0, sleep=lambda _: None)
        self.sign_ins = BrowserSignIns({"vault": flow})

    def begun(self) -> tuple[str, Secret]:
        invitation = self.sign_ins.start("vault/dune_pro")
        return invitation.code, invitation.device


@pytest.fixture
def place() -> Any:
    made = Site()
    yield made
    made.server.stop()


def test_it_begins_with_a_link_and_a_code(place: Site) -> None:
    """What the person gets, and how often it is asked about."""
    invitation = place.sign_ins.start("vault/dune_pro")
    assert invitation.link == f"https://issuer.example.com/device?user_code={invitation.code}"
    assert (invitation.every, invitation.expires_at) == (5, 1600)


def test_what_comes_of_it_lies_in_vault(place: Site, canary: Canary) -> None:
    """Under the service's own credkey, whoever signed in; the sign-in's own token is revoked."""
    code, device = place.begun()
    assert place.sign_ins.poll("vault/dune_pro", device) is None
    place.oauth.approve(code, "somebody@example.com")
    got = place.sign_ins.poll("vault/dune_pro", device)
    assert got is not None
    assert place.oauth.refresh == {"dune/dunepro:pro": canary.add("refresh token", got.reveal())}
    assert place.vault.tokens.tokens == {}
    canary.watch("what the stand-in tells", lambda: repr(place.vault.log))


def test_too_often_denied_and_over(place: Site) -> None:
    """Later, never, and never."""
    code, device = place.begun()
    place.oauth.hurry = True
    with pytest.raises(Transient) as raised:
        place.sign_ins.poll("vault/dune_pro", device)
    assert raised.value.after == 10
    place.oauth.deny(code)
    with pytest.raises(Refused, match="turned down"):
        place.sign_ins.poll("vault/dune_pro", device)
    place.oauth.sign_ins.clear()
    with pytest.raises(Refused, match="took too long"):
        place.sign_ins.poll("vault/dune_pro", device)


def test_storing_is_tried_more_than_once(place: Site) -> None:
    """Vault gives the refresh token only once: a short trouble must not cost the person another sign-in."""
    code, device = place.begun()
    place.oauth.approve(code, "somebody")
    place.vault.faults.add(Fault(path="secret/oauth/creds", times=2, answer=error(503, "Vault is sealed")))
    assert place.sign_ins.poll("vault/dune_pro", device) is not None
    assert "dune/dunepro:pro" in place.oauth.refresh


@pytest.mark.parametrize("status", [403, 503])
def test_what_could_not_be_stored_is_told(place: Site, status: int, canary: Canary) -> None:
    """With what to do before somebody signs in once more."""
    code, device = place.begun()
    place.oauth.approve(code, "somebody")
    place.vault.faults.add(Fault(path="secret/oauth/creds", answer=error(status, "no")))
    with pytest.raises(Refused, match=r"signed in for dune_pro, but that could not be stored") as raised:
        place.sign_ins.poll("vault/dune_pro", device)
    assert "sign in once more" in raised.value.now


def test_an_issuer_that_gives_no_refresh_token(place: Site) -> None:
    """Somebody signed in, for nothing."""
    _, device = place.begun()
    auth = {"client_token": "hvs.made-up-token", "lease_duration": 60, "policies": [], "metadata": {"credkey": "x"}}
    place.vault.faults.add(Fault(path=POLL, answer=found(None, auth=auth)))
    with pytest.raises(Refused, match="got no refresh token"):
        place.sign_ins.poll("vault/dune_pro", device)


@pytest.mark.parametrize(
    "answer",
    [
        found({"auth_url": "javascript:alert(1)", "state": "s"}), found({"auth_url": "http://x.example.com", "state": "s"}),
        found({"auth_url": "https://x.example.com/"}), found({"auth_url": "", "state": "s"}),
        found({"auth_url": "https://x.example.com/", "state": "s", "user_code": "a b<c>"}),
    ],
)  # fmt: skip
def test_a_link_that_is_not_safe_to_show(place: Site, answer: Answer) -> None:
    """Vault says it when the redirect is not allowed, with an empty link; and nobody is sent to strange ones."""
    place.vault.faults.add(Fault(path=AUTH, answer=answer))
    with pytest.raises(Refused, match="without a link"):
        place.begun()


def test_a_sign_in_without_a_code(place: Site) -> None:
    """OpenID without device flow has none."""
    place.vault.faults.add(Fault(path=AUTH, answer=found({"auth_url": "https://x.example.com/", "state": "s"})))
    assert place.sign_ins.start("vault/dune_pro").code == ""


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [(error(400, 'role "pro" could not be found'), Refused, "does not let anybody sign in"),
     (error(403, "permission denied"), Refused, "does not let anybody sign in"), (error(503, "Vault is sealed"), Transient, "sealed"),
     (error(500, "no"), Transient, "failed inside"), (Answer(200, raw=b"<html>"), Transient, "not speak like Vault")],
)  # fmt: skip
def test_troubles_at_the_beginning(place: Site, answer: Answer, kind: type[Exception], words: str) -> None:
    """Each in our words."""
    place.vault.faults.add(Fault(path=AUTH, answer=answer))
    with pytest.raises(kind, match=words):
        place.begun()


def test_the_ways_are_the_services_of_the_file(place: Site) -> None:
    """None while it cannot be read, none without a Vault in the settings; one that has gone is refused."""
    assert place.sign_ins.ways() == ("vault/dune_pro",)
    _, device = place.begun()
    place.listed.services = ()
    with pytest.raises(Refused):
        place.sign_ins.poll("vault/dune_pro", device)
    place.listed.trouble = Refused("It cannot be read.")
    assert place.sign_ins.ways() == ()
    place.listed.trouble = None
    assert OidcFlow(None, place.listed).names() == ()
