"""What the bot relies on in a Vault that gives grid tokens (htvault-config). Asked of the stand-in, with true Kerberos
logins at a real KDC; and of a real Vault when HIVEKEEPER_LIVE_TOKENS_VAULT (its address), _PRINCIPAL and _KEYTAB of a
service are set, with _ISSUER and _ROLE (_CREDKEY if it is not the principal's name, _CA for a CA file). KRB5_CONFIG then
names that realm's configuration. A sign-in is begun there and left to lapse; nothing is stored."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bot.core.errors import Refused
from bot.core.grid import Service
from bot.core.secret import Secret
from bot.managed import Kerberos, VaultTokens
from bot.tools.kerberos import Tickets
from bot.tools.vault_tokens_wire import Granted, Site, site
from playground.server import run_in_thread
from playground.vault import VaultStandIn
from playground.vault_kerberos import Acceptor
from playground.vault_oauth import VaultOauth
from tests.kdc import REALM, Kdc

PARTS = ("VAULT", "PRINCIPAL", "KEYTAB", "ISSUER", "ROLE", "CREDKEY", "CA")
LIVE = {part: os.environ.get(f"HIVEKEEPER_LIVE_TOKENS_{part}", "") for part in PARTS}
PLACES = ["stand-in", *(["live"] if LIVE["VAULT"] and LIVE["KEYTAB"] else [])]
pytestmark = pytest.mark.slow


class Place:
    def __init__(self, service: Service, **settings: Any) -> None:
        self.service, self.settings = service, VaultTokens(timeout=60, **settings)
        self.tickets = Tickets(Kerberos())

    def at(self, **changed: Any) -> Site:
        return site(self.settings, self.service.model_copy(update=changed))

    def log_in(self) -> Granted:
        there = self.at()
        return there.log_in(self.tickets.negotiate(self.service, there.host))


def stand_in(kdc: Kdc) -> Iterator[Place]:
    vault = VaultStandIn()
    oauth = VaultOauth(vault, Acceptor(kdc.host_keytab).who)
    oauth.issuers["dune"], oauth.refresh["dune/contract:pro"] = {"pro"}, secrets.token_hex()
    server = run_in_thread(vault.app())
    yield Place(
        Service(name="dune_pro", experiment="dune", role="pro", account="contract", principal=f"contract@{REALM}",
                keytab=str(kdc.keytab("contract")), vault_server=server.url.replace("127.0.0.1", "localhost"))
    )  # fmt: skip
    server.stop()


def live() -> Iterator[Place]:
    role = LIVE["ROLE"] or "default"
    service = Service(name=f"{LIVE['ISSUER']}_{role}", experiment=LIVE["ISSUER"], role=role, account="live",
                      principal=LIVE["PRINCIPAL"], keytab=LIVE["KEYTAB"], credkey=LIVE["CREDKEY"],
                      vault_server=LIVE["VAULT"])  # fmt: skip
    yield Place(service, ca_file=Path(LIVE["CA"]) if LIVE["CA"] else None)


@pytest.fixture(params=PLACES)
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    if request.param == "live":
        yield from live()
    else:
        yield from stand_in(request.getfixturevalue("kerberos"))


def test_a_kerberos_login_gives_a_token(place: Place) -> None:
    """Of some life, and Vault knows it."""
    granted = place.log_in()
    assert granted.life > 0
    assert place.at().life(granted.token)


def test_a_header_that_is_no_ticket_is_refused(place: Place) -> None:
    """Whatever is in it."""
    with pytest.raises(Refused):
        place.at().log_in(Secret("bm8gdGlja2V0IGF0IGFsbA=="))


def test_a_role_that_is_not_there_is_refused(place: Place) -> None:
    """Its login is mounted nowhere."""
    there = place.at(role="nosuchrole")
    with pytest.raises(Refused):
        there.log_in(place.tickets.negotiate(place.service, there.host))


def test_a_token_is_exchanged_for_a_shorter_one(place: Place) -> None:
    """That lives no longer than asked, and can do the same."""
    shorter = place.at().exchange(place.log_in(), 600)
    life = place.at().life(shorter.token)
    assert life is not None
    assert 0 < life <= 600
    assert place.at().signed_in(shorter.token)


def test_vault_gets_access_tokens_for_the_service(place: Place) -> None:
    """Where somebody has signed in for it."""
    assert place.at().signed_in(place.log_in().token)


def test_a_credkey_that_nobody_signed_in_for(place: Place) -> None:
    """Vault has nothing there, or does not let the service look: never an access token."""
    try:
        assert not place.at(credkey="nobody-of-the-contract").signed_in(place.log_in().token)
    except Refused as told:
        assert "needs somebody to sign in" in told.what


def test_a_token_that_vault_does_not_know(place: Place) -> None:
    """Neither lives nor gets anything."""
    unknown = Secret(f"hvs.{secrets.token_hex(20)}")
    assert place.at().life(unknown) is None
    assert place.at().signed_in(unknown) is False


def test_a_revoked_token_is_unknown(place: Place) -> None:
    """At once."""
    token = place.log_in().token
    place.at().revoke(token)
    assert place.at().life(token) is None


def test_a_sign_in_waits_for_a_person(place: Place) -> None:
    """It begins with a link and a state, and nothing comes of it by itself; another's nonce is nobody's."""
    nonce = secrets.token_urlsafe(24)
    told = place.at().begin(nonce)
    assert str(told["auth_url"]).startswith("https://")
    rest = {key: value for key, value in told.items() if key not in ("auth_url", "user_code", "poll_interval")}
    assert place.at().ask({**rest, "client_nonce": nonce}) is None
    with pytest.raises(Refused):
        place.at().ask({**rest, "state": "of-nobody", "client_nonce": nonce})
