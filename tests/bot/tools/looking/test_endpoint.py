"""Is an endpoint reachable, and which way is it not?"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from bot.core.errors import Refused
from bot.core.outside import Health
from bot.looking import Endpoint
from bot.tools.endpoint import CheckedEndpoints
from playground import accounts, broken
from playground.accounts import AccountsStandIn
from playground.tcp_proxy import proxied

Check = Callable[..., Health]


@pytest.fixture
def api(served: Any) -> AccountsStandIn:
    fresh = AccountsStandIn()
    served.app = fresh.app()
    return fresh


@pytest.fixture
def check(served: Any, api: AccountsStandIn) -> Check:
    def made(**changed: Any) -> Health:
        endpoint = Endpoint.model_validate({"address": served.url + accounts.PATH, "timeout": 60, **changed})
        health = CheckedEndpoints({"accounts": endpoint}).check("accounts")
        assert health.told.startswith(("Accounts at 127.0.0.1", "No TLS", "The "))
        assert health.told.endswith(".")
        assert health.address == endpoint.address
        return health

    return made


STATES: list[tuple[str | int, bool, str, int | None, str]] = [
    ("up", True, "asks_for_login", 401, "is up: it asked for a login (401)"),
    ("forbidden", True, "asks_for_login", 403, "is up: it asked for a login (403)"),
    ("open", True, "ok", 200, "answered 200 in"),
    ("html", False, "not_json", 200, "something else stands in front of it"),
    ("login", False, "not_json", 302, "sends to another address (302)"),
    ("empty", False, "not_json", 200, "gave an empty answer (200)"),
    ("garbage", False, "not_json", 200, "not with what the API says"),
    (400, False, "server_error", 400, "answered with an error (400)"),
    (404, False, "server_error", 404, "answered with an error (404)"),
    (429, False, "server_error", 429, "answered with an error (429)"),
    (500, False, "server_error", 500, "answered with an error (500)"),
    (503, False, "server_error", 503, "answered with an error (503)"),
]


@pytest.mark.parametrize(("state", "reachable", "how", "status", "told"), STATES)
def test_each_state_is_judged(
    state: str | int, reachable: bool, how: str, status: int, told: str, api: AccountsStandIn, check: Check
) -> None:
    """2xx JSON and the API's own 401 and 403 are reachable, everything else is down and says how."""
    api.state = state
    health = check()
    assert (health.reachable, health.how, health.status) == (reachable, how, status)
    assert told in health.told
    assert health.latency is not None
    assert 0 < health.latency < 60


@pytest.mark.parametrize("body", [b'{"message": "no"}', b"[]", b'"x"', b"<html>", b'{"kind": 7}', b""])
@pytest.mark.parametrize("status", [401, 403])
def test_somebody_elses_refusal_is_not_the_api(status: int, body: bytes, check: Check) -> None:
    """A proxy's 401 or 403 does not prove that the API behind it lives."""
    with broken.broken(broken.cut(broken.answer(status, body))) as server:
        health = check(address=server.url)
    assert (health.reachable, health.how, health.status) == (False, "not_json", status)


BREAKS = [
    ("reset", broken.reset, "cut"),
    ("closed", broken.cut(b""), "cut"),
    ("cut in the head", broken.cut(b"HTTP/1.1 200 OK\r\nX-Some: th"), "cut"),
    ("cut in the body", broken.cut(broken.answer(200, b'{"kind": "API"}')[:-3]), "cut"),
    ("silent", broken.silent, "timeout"),
    ("slow body", broken.drip(broken.answer(200, b" " * 999), 0.1), "timeout"),
    ("endless body", broken.cut(broken.answer(200, b" " * 2_000_000)), "not_json"),
]


@pytest.mark.parametrize(("breaks", "how"), [b[1:] for b in BREAKS], ids=[b[0] for b in BREAKS])
def test_broken_connections_are_answers(breaks: Any, how: str, check: Check) -> None:
    """A failure to reach it is no error but what was asked for, in time."""
    with broken.broken(breaks) as server:
        began = time.monotonic()
        health = check(address=server.url, timeout=0.3 if how == "timeout" else 60)
    assert (health.reachable, health.how, health.status) == (False, how, None)
    assert time.monotonic() - began < 20


def test_closed_port_and_unknown_name(api: AccountsStandIn) -> None:
    """Refused and DNS are told apart."""
    closed = Endpoint(address=f"http://127.0.0.1:{broken.unused_port()}")
    endpoints = CheckedEndpoints({"closed": closed, "unknown": Endpoint(address="https://api.invalid")})
    assert endpoints.check("closed").how == "refused"
    unknown = endpoints.check("unknown")
    assert (unknown.how, unknown.told) == ("dns", "The host name of unknown at api.invalid cannot be resolved.")


def test_certificates(served: Any, api: AccountsStandIn, check: Check, tls: Any, make_certificate: Any) -> None:
    """An untrusted certificate, a missing CA file and no TLS at all are "tls"; the right CA file is reachable."""
    good, key = make_certificate("good")
    with tls(api.app(), good, key) as address:
        assert check(address=address + accounts.PATH, ca_file=good).reachable
        untrusted = check(address=address + accounts.PATH)
        missing = check(address=address, ca_file=good.with_name("none"))
    plain = check(address=served.url.replace("http", "https"))
    assert [h.how for h in (untrusted, missing, plain)] == ["tls"] * 3
    assert "does not trust" in untrusted.told
    assert "CA file" in missing.told


def test_a_blip_is_looked_at_twice(served: Any, api: AccountsStandIn, check: Check) -> None:
    """One reset connection makes no outage; what lasts does; what fails slowly is not asked again."""
    with proxied(served.port) as way:
        address = f"http://127.0.0.1:{way.port}{accounts.PATH}"
        way.failing, way.reset = 1, True
        assert check(address=address).reachable
        assert way.connections == 2
        way.failing = 0
        assert check(address=address).how == "cut"
        assert way.connections == 4
        way.heal()
        way.blackhole = True
        assert check(address=address, timeout=0.3).how == "timeout"
        assert way.came(5) == 5


def test_redirects(served: Any, api: AccountsStandIn, check: Check) -> None:
    """A redirect at home is followed, one in circles is down, one to another host is not followed."""
    api.state, api.login_page = "login", accounts.PATH
    assert check().told == "Accounts at 127.0.0.1 sends the bot round in circles."
    with broken.broken(broken.silent) as trap:
        api.login_page = trap.url
        assert not check().reachable
        assert trap.heard == 0


def test_only_what_the_settings_name(api: AccountsStandIn) -> None:
    """An endpoint that the settings do not have is refused."""
    with pytest.raises(Refused, match=r"endpoints\.accounts"):
        CheckedEndpoints({}).check("accounts")
