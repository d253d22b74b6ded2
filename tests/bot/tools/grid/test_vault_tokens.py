"""Vault tokens by true Kerberos logins: had, kept while good, had anew when not, and every trouble told."""

from __future__ import annotations

import socket
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from bot.core.errors import Refused, Told, Transient
from bot.tools.vault_tokens import VaultTokens
from playground.vault_answers import Answer, error
from playground.vault_faults import Fault
from tests.conftest import Canary

pytestmark = pytest.mark.slow
LOGIN = "auth/kerberos-dune_pro/login"
CREDS = "secret/oauth/creds"
DAY = 86_400.0


def test_a_token_is_had_by_kerberos_and_lives_as_long_as_asked(played: Any) -> None:
    """Vault takes it, it has the wanted life, and its fingerprint is told, not the token."""
    tokens = played.open(ttl_hours=48)
    held = tokens.obtain(played.service())
    text = tokens.secret(played.service()).reveal()
    assert played.oauth.logins == ["dunepro@TEST.LOCAL"]
    assert held.how == "login"
    assert held.expires_at == played.now[0] + 2 * DAY
    assert played.vault.tokens.valid(text).ends == held.expires_at
    assert text not in repr(held)
    assert text not in repr(tokens._has)
    assert played.asked("auth/token/create") == 1


def test_a_login_that_lives_short_enough_is_not_exchanged(played: Any) -> None:
    """Its own token is taken."""
    played.oauth.lease = 3600
    assert played.open().obtain(played.service()).expires_at == played.now[0] + 3600
    assert played.asked("auth/token/create") == 0


def test_a_token_that_may_register_keys_is_exchanged_for_one_that_may_not(played: Any) -> None:
    """However short it lives: nothing on a node may register SSH keys at Vault."""
    played.oauth.lease, played.oauth.extra_policies = 3600, ("sshregister-dune",)
    played.open().obtain(played.service())
    assert played.asked("auth/token/create") == 1


def test_a_token_is_used_again_while_it_is_good(played: Any) -> None:
    """One login; Vault is asked again after a minute whether it still works, and then it is kept."""
    tokens, service = played.open(), played.service()
    first = tokens.obtain(service)
    assert tokens.obtain(service).how == "kept"
    assert played.asked(CREDS) == 1
    played.now[0] += 3600
    again = tokens.obtain(service)
    assert (again.how, again.fingerprint) == ("kept", first.fingerprint)
    assert played.asked(CREDS) == 2
    assert len(played.oauth.logins) == 1


def test_the_least_life_is_kept_to(played: Any) -> None:
    """With less than `min_lifetime` left nothing is held any more, and a new one is had."""
    tokens, service = played.open(), played.service(min_lifetime=3 * DAY)
    tokens.obtain(service)
    played.now[0] += 3.5 * DAY
    assert tokens.held(service) is not None
    played.now[0] += DAY
    assert tokens.held(service) is None
    with pytest.raises(Refused, match="holds no Vault token"):
        tokens.secret(service)
    assert tokens.obtain(service).how == "login"


@pytest.mark.parametrize(("hours", "keeps", "renews"), [(7 * 24, 5.9 * DAY, 6.1 * DAY), (3, 5000, 6000)])
def test_another_is_had_before_it_ends(played: Any, hours: float, keeps: float, renews: float) -> None:
    """With the usual `min_lifetime` of seconds, too: a day before its end, or at half of a short life, so that nodes
    never hold one that ends before the next hour."""
    tokens, service = played.open(ttl_hours=hours), played.service()
    first, began = tokens.obtain(service), played.now[0]
    played.now[0] = began + keeps
    assert tokens.obtain(service).fingerprint == first.fingerprint
    played.now[0] = began + renews
    second = tokens.obtain(service)
    assert (second.how, second.expires_at) == ("login", began + renews + hours * 3600)
    assert second.fingerprint != first.fingerprint


@pytest.mark.parametrize("status", [403, 500])
def test_what_ends_tomorrow_is_better_than_none(played: Any, status: int) -> None:
    """No other can be had: the one there is still works and is brought, and each call tries for another."""
    tokens, service = played.open(), played.service()
    first = tokens.obtain(service)
    played.now[0] += 6.5 * DAY
    played.vault.faults.add(Fault(path=LOGIN, answer=error(status, "no")))
    assert (tokens.obtain(service).how, tokens.obtain(service).fingerprint) == ("kept", first.fingerprint)
    played.vault.heal()
    assert tokens.obtain(service).how == "login"
    played.now[0] += 6.5 * DAY
    played.vault.faults.add(Fault(path=LOGIN, answer=error(status, "no")))
    played.now[0] += DAY
    with pytest.raises(Told):
        tokens.obtain(service)


def test_a_token_that_lives_too_short_is_refused(played: Any) -> None:
    """Vault's own limit, or the settings', is below what the service needs: said before it is used."""
    played.oauth.longest = DAY
    with pytest.raises(Refused, match=r"a token for 24 hours, and it must be good for 3 days"):
        played.open().obtain(played.service(min_lifetime=3 * DAY))
    with pytest.raises(Refused, match="ttl_hours"):
        played.open(ttl_hours=24).obtain(played.service(min_lifetime=3 * DAY))


def test_a_token_that_vault_revoked_is_replaced(played: Any) -> None:
    """It is seen at the next use, and one login brings a new one."""
    tokens, service = played.open(), played.service()
    first = tokens.obtain(service)
    del played.vault.tokens.tokens[tokens.secret(service).reveal()]
    played.now[0] += 61
    again = tokens.obtain(service)
    assert again.how == "login"
    assert again.fingerprint != first.fingerprint


def test_a_revoked_token_is_brought_nowhere(played: Any) -> None:
    """Although its time is not over, and no other could be had."""
    tokens, service = played.open(), played.service()
    tokens.obtain(service)
    played.vault.tokens.tokens.clear()
    played.vault.faults.add(Fault(path=LOGIN, answer=error(500, "no")))
    played.now[0] += 61
    with pytest.raises(Transient):
        tokens.obtain(service)
    assert tokens.held(service) is None
    with pytest.raises(Refused, match="holds no Vault token"):
        tokens.secret(service)


def test_a_good_token_outlives_a_vault_that_is_away(played: Any) -> None:
    """Vault cannot say whether it still works; it was good and has days left, so it is used."""
    tokens, service = played.open(timeout=60), played.service()
    first = tokens.obtain(service)
    played.now[0] += 3600
    played.vault.sealed = True
    assert tokens.obtain(service).fingerprint == first.fingerprint


@pytest.mark.parametrize("dead", [True, False])
def test_without_a_refresh_token_somebody_must_sign_in(played: Any, dead: bool) -> None:
    """None there, or one that its issuer no longer takes: told in the words that handlers know, with the service."""
    if dead:
        played.oauth.dead.add("rt-of-the-tests")
    else:
        played.oauth.refresh.clear()
    with pytest.raises(Refused, match="dune_pro needs somebody to sign in") as raised:
        played.open().obtain(played.service())
    assert "/onboard-tokens dune_pro" in raised.value.now


def test_a_refresh_token_that_dies_meanwhile_is_seen(played: Any) -> None:
    """Although the Vault token itself is good for days: jobs would get nothing with it, so it is brought nowhere."""
    tokens, service = played.open(), played.service()
    tokens.obtain(service)
    played.now[0] += 3600
    played.oauth.dead.add("rt-of-the-tests")
    with pytest.raises(Refused, match="needs somebody to sign in"):
        tokens.obtain(service)
    assert tokens.held(service) is None


def sealed(played: Any) -> None:
    played.vault.sealed = True


def fault(path: str, **what: Any) -> Any:
    return lambda played: played.vault.faults.add(Fault(path=path, **what))


TROUBLES: dict[str, tuple[Any, type[Told], str]] = {
    "sealed": (sealed, Transient, "sealed"),
    "login 403": (fault(LOGIN, answer=error(403, "permission denied")), Refused, "refused the Kerberos login of dune_pro"),
    "login 500": (fault(LOGIN, answer=error(500, "internal error")), Transient, "failed inside"),
    "login cut": (fault(LOGIN, cut=10), Transient, "broke off"),
    "login slow": (fault(LOGIN, delay=6), Transient, "did not answer within 1.5 s"),
    "login page": (fault(LOGIN, answer=Answer(200, raw=b"<html>")), Transient, "does not speak like Vault"),
    "login moved": (fault(LOGIN, answer=Answer(307, headers={"Location": "https://x.example.com"})), Refused, "another address"),
    "creds 403": (fault(CREDS, answer=error(403, "permission denied")), Refused, "does not let it read"),
    "creds 500": (fault(CREDS, answer=error(500, "no issuer")), Transient, "failed inside"),
    "creds cut": (fault(CREDS, cut=4), Transient, "broke off"),
    "creds empty": (fault(CREDS, answer=Answer(200, {"data": {"access_token": ""}})), Transient, "not speak"),
    "create 403": (fault("auth/token/create", answer=error(403, "permission denied")), Refused, "exchange the token of dune_pro"),
    "create 503": (fault("auth/token/create", answer=error(503, "Vault is sealed")), Transient, "sealed"),
    "lookup 500": (fault("auth/token/lookup-self", answer=error(500, "no")), Transient, "failed inside"),
    "lookup odd": (fault("auth/token/lookup-self", answer=Answer(200, {"data": {"ttl": True}})), Transient, "not speak"),
    "busy": (fault(LOGIN, answer=error(429, "quota")), Transient, "asked too often"),
}  # fmt: skip


@pytest.mark.parametrize("name", TROUBLES)
def test_every_trouble_of_vault_is_told_and_heals(played: Any, name: str) -> None:
    """Transient or Refused as somebody must act, in our words; nothing is held, and when it heals the next one works."""
    breaks, kind, words = TROUBLES[name]
    breaks(played)
    tokens = played.open(timeout=1.5 if "slow" in name else 60)
    with pytest.raises(kind) as raised:
        tokens.obtain(played.service())
    assert words in raised.value.what, raised.value.what
    assert raised.value.now
    assert raised.value.__cause__ is None
    assert tokens.held(played.service()) is None
    played.vault.heal()
    healed = played.open(timeout=60) if "slow" in name else tokens
    assert healed.obtain(played.service()).how == "login"


def test_a_vault_that_is_down(played: Any) -> None:
    """Nothing listens there."""
    with socket.create_server(("127.0.0.1", 0)) as bound:
        port = bound.getsockname()[1]
    with pytest.raises(Transient, match="does not accept connections"):
        played.open().obtain(played.service(vault_server=f"http://localhost:{port}"))


def test_no_kdc(played: Any) -> None:
    """What Kerberos says comes through as it is."""
    played.kdc.stop()
    try:
        with pytest.raises(Transient, match="No KDC could be reached for dunepro"):
            played.open().obtain(played.service())
    finally:
        played.kdc.start()


def test_an_issuer_or_role_that_vault_has_not(played: Any) -> None:
    """Vault has nothing mounted there."""
    with pytest.raises(Refused, match=r"no Kerberos login at auth/kerberos-nova_pro|refused the Kerberos login"):
        played.open(issuer="nova").obtain(played.service())


def test_a_principal_that_vault_does_not_let_in(played: Any) -> None:
    """Its ticket is good, its login is not."""
    played.oauth.principals = {"somebody@TEST.LOCAL"}
    with pytest.raises(Refused, match="refused the Kerberos login of dune_pro"):
        played.open().obtain(played.service())


@pytest.mark.parametrize(
    ("changed", "words"),
    [({"vault_server": "http://vault.example.com"}, "not an https address"), ({"vault_server": "https://a b"}, "not an https"),
     ({"vault_server": "https://u:p@vault.example.com"}, "not an https"), ({"vault_server": ""}, "not said which Vault"),
     ({"role": "../../sys"}, "cannot stand in a path"), ({"credkey": "a/../b"}, "cannot stand in a path")],
)  # fmt: skip
def test_what_no_request_may_go_to(played: Any, changed: dict[str, Any], words: str) -> None:
    """The managedTokens file can neither send tokens in clear nor reach other parts of Vault."""
    with pytest.raises(Refused, match=words):
        played.open().obtain(played.service(**changed))
    assert not played.vault.log


def test_a_service_that_has_moved_gets_a_token_of_its_own(played: Any) -> None:
    """The token of one principal or credkey is never taken for another's."""
    tokens = played.open()
    tokens.obtain(played.service())
    played.sign_in(name="dune/robot:pro")
    assert tokens.obtain(played.service(credkey="robot")).how == "login"


def test_side_by_side(played: Any, keytab_of: Any) -> None:
    """Twenty askers for two services: one login each."""
    played.sign_in(name="dune/duneana:ana")
    other = played.service(
        name="dune_ana", role="ana", principal="duneana@TEST.LOCAL", keytab=str(keytab_of("duneana"))
    )
    tokens = played.open()
    with ThreadPoolExecutor(20) as pool:
        marks = list(pool.map(lambda each: tokens.obtain(each).fingerprint, [played.service(), other] * 10))
    assert len(set(marks)) == 2
    assert sorted(played.oauth.logins) == ["duneana@TEST.LOCAL", "dunepro@TEST.LOCAL"]


def test_forgetting_leaves_nothing(played: Any) -> None:
    """Neither the token nor the ticket; the next one is had anew."""
    tokens: VaultTokens = played.open()
    tokens.obtain(played.service())
    tokens.forget(played.service())
    assert tokens.held(played.service()) is None
    assert tokens.obtain(played.service()).how == "login"
    assert len(played.oauth.logins) == 2


def test_the_reader_gets_nothing(played: Any) -> None:
    """What planning has can only look."""
    reader = played.open().reader
    assert reader.held(played.service()) is None
    assert [name for name in dir(reader) if not name.startswith("_")] == ["held", "source"]


def test_where_tokens_come_from_is_known_without_asking(played: Any) -> None:
    """Vault's address and the paths there, so that a plan can name them; nothing where they cannot be told."""
    service = played.service()
    address, login, creds = played.open().reader.source(service).split(" ")
    assert address.startswith(("https://", "http://127.0.0.1", "http://localhost"))
    assert login.startswith("auth/kerberos-")
    assert creds.startswith("secret/oauth/creds/")
    assert played.open().reader.source(service.model_copy(update={"role": "../x"})) == ""


def test_nothing_secret_stays_behind(played: Any, canary: Canary) -> None:
    """No log, file, argument or environment has the refresh token, the ticket or the token."""
    played.sign_in(canary("refresh token"))
    tokens = played.open()
    tokens.obtain(played.service())
    canary.add("token", tokens.secret(played.service()).reveal())
    canary.add("ticket", tokens._tickets.negotiate(played.service(), "localhost").reveal()[:400])
    canary.watch("the traffic as the stand-in tells it", lambda: repr(played.vault.log))
    for breaks, kind, _ in list(TROUBLES.values())[:3]:
        played.vault.heal()
        breaks(played)
        tokens.forget(played.service())
        with pytest.raises(kind) as raised:
            tokens.obtain(played.service())
        canary.watch("an error", lambda raised=raised: repr(raised.value) + str(raised.getrepr(style="short")))
