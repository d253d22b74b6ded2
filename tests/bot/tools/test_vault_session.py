"""How the bot logs in to Vault, keeps its token alive and tells what is wrong with it."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from bot import settings
from bot.core.errors import Refused
from bot.core.secret import Secret
from playground.vault import VaultStandIn
from playground.vault_answers import error
from playground.vault_faults import Fault
from playground.vault_tokens import Login

NAMED = settings.FromEnv(env="NAMED_IN_THE_TEST")


class Clock:
    """Seconds that pass when the test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(stand_in: VaultStandIn) -> Clock:
    """One clock for the bot and for Vault."""
    clock = Clock()
    stand_in.tokens.now = clock
    stand_in.put("sd-uhc/sandbox", {"config": "x"})
    return clock


def calls(stand_in: VaultStandIn, path: str) -> int:
    return sum(entry.path == path for entry in stand_in.log)


def logins(canary: Any) -> list[tuple[settings.VaultAuth, Login, dict[str, str]]]:
    one, two = canary("one"), canary("two")
    env_one, env_two = settings.FromEnv(env="ONE"), settings.FromEnv(env="TWO")
    known = {"ONE": one, "TWO": two}
    return [
        (settings.AppRoleAuth(role_id=env_one, secret_id=env_two, mount="approle/bots"),
         Login("approle/bots", "approle", {"role_id": one, "secret_id": two}), known),
        (settings.KubernetesAuth(role="bot", jwt=env_one),
         Login("kubernetes", "kubernetes", {"role": "bot", "jwt": one}), known),
        (settings.JwtAuth(role="bot", jwt=env_two, mount="gitlab"),
         Login("gitlab", "jwt", {"role": "bot", "jwt": two}), known),
    ]  # fmt: skip


@pytest.mark.parametrize("which", range(3))
def test_each_method_logs_in_once(which: int, stand_in: VaultStandIn, clock: Clock, open_it: Any, canary: Any) -> None:
    """AppRole, Kubernetes and JWT, each at its own mount: one login serves many calls and threads."""
    auth, login, known = logins(canary)[which]
    stand_in.tokens.logins.append(login)
    vault = open_it(auth=auth, resolve=lambda source: Secret(known[source.env]), clock=clock)
    threads = [threading.Thread(target=vault.read, args=("sd-uhc/sandbox", "config")) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert vault.read("sd-uhc/sandbox", "config").reveal() == "x"
    assert stand_in.tokens.logged_in == 1
    assert vault.expires_in == 3600


@pytest.mark.parametrize("which", range(3))
def test_a_refused_login_names_the_method_and_the_setting(
    which: int, stand_in: VaultStandIn, clock: Clock, open_it: Any, canary: Any
) -> None:
    """Wrong credentials: the sentence says which login where, and which setting to check; nothing secret is in it."""
    auth, login, known = logins(canary)[which]
    stand_in.tokens.logins.append(login)
    vault = open_it(auth=auth, resolve=lambda _: Secret(canary("wrong")), clock=clock)
    with pytest.raises(Refused) as told:
        vault.read("sd-uhc/sandbox", "config")
    assert f"Vault refused the bot's login by {login.method} at auth/{login.mount} (40" in told.value.what
    assert "vault.auth" in told.value.now
    assert not any(word in str(told.value) for word in known.values())
    assert told.value.__context__ is None


def test_an_auth_method_that_is_not_there(stand_in: VaultStandIn, clock: Clock, open_it: Any) -> None:
    """A login at a mount that Vault does not have says so."""
    with pytest.raises(Refused, match=r"no auth method at auth/jwt \(404\)"):
        open_it(auth=settings.JwtAuth(role="bot", jwt=NAMED), clock=clock).fields("sd-uhc/sandbox")


def test_a_token_is_renewed_at_half_its_life(stand_in: VaultStandIn, clock: Clock, open_it: Any, canary: Any) -> None:
    """No renewal before half the life has passed, one after it, and the bot never logs in again for it."""
    auth, login, known = logins(canary)[0]
    stand_in.tokens.logins.append(login)
    vault = open_it(auth=auth, resolve=lambda source: Secret(known[source.env]), clock=clock)
    for passed, renewals in ((0, 0), (1700, 0), (200, 1), (1700, 1), (200, 2), (3500, 3)):
        clock.now += passed
        vault.read("sd-uhc/sandbox", "config")
        assert calls(stand_in, "auth/token/renew-self") == renewals
    assert stand_in.tokens.logged_in == 1


def test_at_the_end_of_the_longest_life_the_bot_logs_in_again(
    stand_in: VaultStandIn, clock: Clock, open_it: Any, canary: Any
) -> None:
    """When renewing brings too little more, the bot takes a new token instead of renewing ever more often."""
    auth, login, known = logins(canary)[0]
    stand_in.tokens.logins.append(Login(**{**login.__dict__, "max_ttl": 5000}))
    vault = open_it(auth=auth, resolve=lambda source: Secret(known[source.env]), clock=clock)
    for _ in range(100):
        clock.now += 100
        vault.read("sd-uhc/sandbox", "config")
    assert stand_in.tokens.logged_in == 3
    assert calls(stand_in, "auth/token/renew-self") <= 8


def test_a_failed_renewal_is_put_off_while_the_token_lives(
    stand_in: VaultStandIn, clock: Clock, open_it: Any, canary: Any
) -> None:
    """Neither renewing nor logging in works any more: calls go on, with few tries, until the token's end says why."""
    auth, login, known = logins(canary)[0]
    stand_in.tokens.logins.append(login)
    vault = open_it(auth=auth, resolve=lambda source: Secret(known[source.env]), clock=clock)
    vault.read("sd-uhc/sandbox", "config")
    known["TWO"] = "revoked"
    stand_in.faults.add(Fault(path="auth/token/renew-self", answer=error(403, "permission denied")))
    for _ in range(35):
        clock.now += 100
        vault.read("sd-uhc/sandbox", "config")
    assert calls(stand_in, "auth/approle/bots/login") <= 7
    clock.now += 200
    with pytest.raises(Refused, match="refused the bot's login by approle"):
        vault.read("sd-uhc/sandbox", "config")


def test_a_lost_token_is_replaced_by_a_new_login(
    stand_in: VaultStandIn, clock: Clock, open_it: Any, canary: Any
) -> None:
    """Vault forgot our token (restart, revocation): the call that meets it succeeds all the same."""
    auth, login, known = logins(canary)[1]
    stand_in.tokens.logins.append(login)
    vault = open_it(auth=auth, resolve=lambda source: Secret(known[source.env]), clock=clock)
    vault.read("sd-uhc/sandbox", "config")
    stand_in.tokens.tokens.clear()
    assert vault.read("sd-uhc/sandbox", "config").reveal() == "x"
    assert stand_in.tokens.logged_in == 2


def test_a_token_that_cannot_be_renewed_is_replaced_before_its_end(
    stand_in: VaultStandIn, clock: Clock, open_it: Any, canary: Any
) -> None:
    """A batch token lives to nine tenths of its time, then there is a new one."""
    auth, login, known = logins(canary)[2]
    stand_in.tokens.logins.append(Login(**{**login.__dict__, "renewable": False, "ttl": 1000}))
    vault = open_it(auth=auth, resolve=lambda source: Secret(known[source.env]), clock=clock)
    for passed, logged_in in ((0, 1), (880, 1), (30, 2)):
        clock.now += passed
        vault.read("sd-uhc/sandbox", "config")
        assert stand_in.tokens.logged_in == logged_in


def test_a_fixed_token_tells_when_it_ends(stand_in: VaultStandIn, clock: Clock, open_it: Any, canary: Any) -> None:
    """`expires_in` counts down for a token that nobody can renew, and is None for one that lives for ever."""
    token = stand_in.tokens.issue(("root",), ttl=5 * 86400, text=canary("short"))
    vault = open_it(resolve=lambda _: Secret(token), clock=clock)
    assert vault.expires_in == 5 * 86400
    clock.now += 86400
    assert vault.expires_in == 4 * 86400
    assert open_it(clock=clock).expires_in is None


def test_a_renewable_fixed_token_is_renewed(stand_in: VaultStandIn, clock: Clock, open_it: Any, canary: Any) -> None:
    """Token authentication too prolongs what can be prolonged."""
    token = stand_in.tokens.issue(("root",), ttl=1000, renewable=True, text=canary("short"))
    vault = open_it(resolve=lambda _: Secret(token), clock=clock)
    for _ in range(20):
        clock.now += 400
        vault.read("sd-uhc/sandbox", "config")
    assert vault.expires_in is not None


def test_a_fixed_token_that_ended_says_so(stand_in: VaultStandIn, clock: Clock, open_it: Any, canary: Any) -> None:
    """The sentence tells an expired token from a missing right; a new token in the same place mends it at once."""
    held = [stand_in.tokens.issue(("root",), ttl=1000, text=canary("short"))]
    vault = open_it(resolve=lambda _: Secret(held[0]), clock=clock)
    vault.read("sd-uhc/sandbox", "config")
    clock.now += 2000
    with pytest.raises(Refused, match="does not accept the bot's own token either") as told:
        vault.read("sd-uhc/sandbox", "config")
    assert "put a new one where vault.auth says" in told.value.now
    held[0] = stand_in.tokens.issue(("root",), text=canary("next"))
    assert vault.read("sd-uhc/sandbox", "config").reveal() == "x"


def test_a_missing_right_is_named_with_its_place(
    stand_in: VaultStandIn, clock: Clock, open_it: Any, canary: Any
) -> None:
    """403 for a good token: which verb, which path, which capability, on the path that a policy must name."""
    stand_in.tokens.policies["looks"] = {"sd-uhc/*": ("read",), "kv/*": ("read",)}
    stand_in.put("kv/there", {"a": "b"})
    stand_in.put("sd-uhc/there", {"a": "b"})
    token = stand_in.tokens.issue(("looks",), text=canary("small"))
    vault = open_it(resolve=lambda _: Secret(token), clock=clock)
    said = {}
    for path in ("sd-uhc/sandbox-tokens", "sd-uhc/there", "kv/new", "kv/there"):
        with pytest.raises(Refused) as told:
            vault.write(path, {"x": Secret("y")}, run="r-1")
        said[path] = str(told.value)
    assert said == {
        "sd-uhc/sandbox-tokens": "Vault refused to write sd-uhc/sandbox-tokens (403). The bot's role needs `create` there.",
        "sd-uhc/there": "Vault refused to write sd-uhc/there-before-r-1 (403). The bot's role needs `create`, `read` and "
        "`delete` on sd-uhc/there-before-*: there it keeps what a run replaces.",  # the next run has another name
        "kv/new": "Vault refused to write kv/new (403). The bot's role needs `create` on kv/data/new.",
        "kv/there": "Vault refused to write kv/there (403). The bot's role needs `update` on kv/data/there.",
    }


def test_the_design_sentence(stand_in: VaultStandIn, open_it: Any) -> None:
    """The sentence of the design for a refused write, word by word."""
    stand_in.put("sd-uhc/sandbox-tokens", {"a": "b"})
    stand_in.deny("sd-uhc/sandbox-tokens", "update")
    with pytest.raises(Refused) as told:
        open_it().write("sd-uhc/sandbox-tokens", {"a": Secret("c")}, run="r-1")
    assert str(told.value) == "Vault refused to write sd-uhc/sandbox-tokens (403). The bot's role needs `update` there."


def test_namespaces_are_other_vaults(stand_in: VaultStandIn, open_it: Any, bot_token: str) -> None:
    """With `namespace` the bot reads what lies in that namespace, and a namespace that is not there is told."""
    stand_in.put("sd-uhc/sandbox", {"config": "outside"})
    inside = VaultStandIn.of({"sd-uhc": 1}, {"sd-uhc/sandbox": {"config": "inside"}}, {bot_token: ("root",)})
    stand_in.namespaces["team-a"] = inside
    assert open_it(namespace="team-a/").read("sd-uhc/sandbox", "config").reveal() == "inside"
    assert open_it().read("sd-uhc/sandbox", "config").reveal() == "outside"
    with pytest.raises(Refused):
        open_it(namespace="team-b").read("sd-uhc/sandbox", "config")


def test_nothing_of_the_environment_is_used(
    stand_in: VaultStandIn, open_it: Any, monkeypatch: pytest.MonkeyPatch, canary: Any
) -> None:
    """A proxy, a token, an address or a CA in the environment change nothing."""
    stand_in.put("sd-uhc/sandbox", {"config": "x"})
    for name, value in {"HTTP_PROXY": "http://127.0.0.1:1", "http_proxy": "http://127.0.0.1:1",
                        "VAULT_TOKEN": canary("theirs"), "VAULT_ADDR": "http://127.0.0.1:1",
                        "VAULT_NAMESPACE": "theirs", "REQUESTS_CA_BUNDLE": "/nowhere"}.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    assert open_it().read("sd-uhc/sandbox", "config").reveal() == "x"
