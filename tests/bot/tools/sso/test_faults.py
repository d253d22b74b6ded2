"""A realm that is broken, away, hidden behind something else or set to another time: never a verdict on the token."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.errors import Refused, Told, Transient
from bot.core.sso import WORDS, verdict
from bot.tools import sso_told
from bot.tools.http_answer import Answer
from playground import broken

Clean = Callable[[BaseException], None]


@pytest.mark.parametrize(
    ("state", "kind", "words"),
    [
        (500, Transient, r"trouble of its own \(500\)"),
        (502, Transient, r"trouble of its own \(502\)"),
        (503, Transient, r"trouble of its own \(503\)"),
        (429, Transient, r"asked too often \(429\)"),
        ("html", Transient, "something else stands in front"),
        ("empty", Transient, "something else stands in front"),
        ("garbage", Transient, "something else stands in front"),
        ("text", Transient, "something else stands in front"),
        (400, Transient, "something else stands in front"),
        ("login", Refused, r"sends the bot elsewhere \(302\). Correct sso\.redhat\.issuer"),
        (403, Refused, "something in front of it keeps the bot out"),
        (404, Refused, r"no such realm \(404\). Check sso\.redhat\.issuer"),
    ],
)
def test_each_trouble_has_its_sentence(
    scene: Any, clean: Clean, state: str | int, kind: type[Told], words: str
) -> None:
    """For tokens and for sign-ins; the server's words do not travel, and the token is asked about once only."""
    scene.realm.state = state
    token = scene.token()
    for call in (lambda: scene.open().refresh("redhat", token), lambda: scene.sign_ins().start("sso/redhat")):
        with pytest.raises(kind, match=words) as told:
            call()
        clean(told.value)
        assert type(told.value) is kind


@pytest.mark.parametrize("status", [429, 503])
def test_the_time_to_wait_is_handed_on(scene: Any, status: int) -> None:
    """Retry-After, in seconds."""
    scene.realm.state, scene.realm.retry_after = status, 7
    with pytest.raises(Transient) as told:
        scene.open().refresh("redhat", scene.token())
    assert told.value.after == 7


@pytest.mark.parametrize(
    ("error", "words"),
    [
        ("invalid_scope", "may not have the scope"),
        ("unsupported_grant_type", "does not do this kind of login"),
        ("not_allowed", "may have no offline token"),
        ("access_denied", "does not let the client in"),
        ("gobbledygook", "does not know its error"),
    ],
)
def test_errors_that_judge_no_token(scene: Any, clean: Clean, error: str, words: str) -> None:
    """The protocol's other errors are told, and are no verdict either."""
    scene.realm.refusal = (400, error, "gobbledygook")
    with pytest.raises(Refused, match=words) as told:
        scene.open().refresh("redhat", scene.token())
    clean(told.value)


@pytest.mark.parametrize("status", [403, 429, 500, 503])
def test_only_the_statuses_of_the_protocol_judge(scene: Any, clean: Clean, status: int) -> None:
    """A refusal in words that are known, with another status than the protocol's, is no verdict."""
    scene.realm.refusal = (status, "invalid_grant", "Offline user session not found")
    with pytest.raises(Told) as told:
        scene.open().refresh("redhat", scene.token())
    clean(told.value)


@pytest.mark.parametrize("token", ['["gobbledygook"]', '"two gobbledygook"', f'"{"x" * 40_000}"', '"é"', '""', "7"])
def test_a_token_that_is_none(scene: Any, clean: Clean, token: str) -> None:
    """An answer whose token cannot be one is refused, and not stored as one."""
    odd = f'{{"access_token": {token}, "expires_in": 900}}'.encode()
    with broken.broken(broken.cut(broken.answer(200, odd, "Content-Type: application/json"))) as server:
        with pytest.raises(Refused, match="gave something that is no token") as told:
            scene.open(address=server.url).refresh("redhat", scene.token())
        clean(told.value)


def test_a_closed_port(scene: Any, clean: Clean) -> None:
    """Nobody listens."""
    with pytest.raises(Transient, match="does not accept connections") as told:
        scene.open(address=f"http://127.0.0.1:{broken.unused_port()}").refresh("redhat", scene.token())
    clean(told.value)


def test_a_name_that_is_not_known(scene: Any, clean: Clean, monkeypatch: pytest.MonkeyPatch) -> None:
    """The address does not resolve."""

    def nobody(*_: Any, **__: Any) -> Any:
        raise socket.gaierror(-2, "gobbledygook")

    monkeypatch.setattr(socket, "getaddrinfo", nobody)
    with pytest.raises(Transient, match="host name of Red Hat SSO") as told:
        scene.open(address="https://sso.example.com").refresh("redhat", scene.token())
    clean(told.value)


def test_plain_text_where_tls_should_be(scene: Any, clean: Clean) -> None:
    """That is for people to mend, not for another try."""
    with pytest.raises(Refused, match=r"No TLS connection .* Check sso\.redhat\.ca_file") as told:
        scene.open(address=scene.url.replace("http:", "https:")).refresh("redhat", scene.token())
    clean(told.value)


@pytest.mark.parametrize(
    ("breaks", "words"),
    [
        (broken.silent, r"did not answer within 0\.2 s"),
        (broken.reset, "broke off"),
        (broken.cut(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{"), "broke off"),
    ],
)
def test_answers_that_do_not_come(scene: Any, clean: Clean, breaks: broken.Breaks, words: str) -> None:
    """It is not known whether the token was used: Transient, and it was sent once."""
    patience = 0.2 if "within" in words else 60
    with broken.broken(breaks) as server:
        with pytest.raises(Transient, match=words) as told:
            scene.open(address=server.url, timeout=patience).refresh("redhat", scene.token())
        clean(told.value)
        assert server.came(1) == 1


def test_no_redirect_takes_the_token_along(scene: Any) -> None:
    """Not even to the same place."""
    scene.realm.state = "login"
    with pytest.raises(Refused):
        scene.open().refresh("redhat", scene.token())
    assert scene.realm.forms == []


@pytest.mark.parametrize(("off", "words"), [(600.0, "10 min ahead of"), (-3600.0, "60 min behind")])
def test_clocks_that_differ(scene: Any, clean: Clean, off: float, words: str) -> None:
    """A token past its end is a question of clocks, and is said to be."""
    scene.off = off
    scene.realm.refusal = (400, "invalid_grant", "Token is not active")
    with pytest.raises(Refused, match=words) as told:
        scene.open().refresh("redhat", scene.token())
    clean(told.value)
    scene.realm.refusal = (400, "invalid_grant", "Offline session not active")
    assert scene.open().refresh("redhat", scene.token()).judged.verdict == "session_not_active"
    scene.off, scene.realm.refusal = 0.0, (400, "invalid_grant", "Token is not active")
    assert scene.open().refresh("redhat", scene.token()).judged.verdict == "token_not_active"


@pytest.mark.parametrize("date", ["", "gobbledygook", "Sun, 99 Nov 99999 99:99:99 GMT", "0"])
def test_a_date_that_is_none(scene: Any, date: str) -> None:
    """Then there is nothing to compare with, and the verdict stands."""
    body = b'{"error": "invalid_grant", "error_description": "Token is not active"}'
    head = ("Content-Type: application/json;charset=UTF-8", f"Date: {date}")
    with broken.broken(broken.cut(broken.answer(400, body, *head))) as server:
        found = scene.open(address=server.url).refresh("redhat", scene.token())
    assert found.judged.verdict == "token_not_active"


@given(st.integers(-1_000_000, 1_000_000) | st.integers(-90, 200), st.integers(0, 120))
def test_a_slow_answer_is_no_wrong_clock(ahead: int, latency: int) -> None:
    """Only what the way of the answer cannot explain counts, and it counts with its sign."""
    found = sso_told.apart(Answer("answered", status=400, date=1e9, latency=float(latency)), 1e9 + ahead)
    assert (found is None) == (-sso_told.CLOCKS <= ahead <= latency + sso_told.CLOCKS)
    assert found is None or (found > 0) == (ahead > 0)


@given(st.text(max_size=80), st.text(max_size=80))
def test_any_error_has_a_verdict_or_none(error: str, description: str) -> None:
    """Whatever a server says, it is one of the verdicts or no verdict; invalid_grant always is one."""
    assert verdict(error, description) in {None, *(one.verdict for one in WORDS)}
    assert verdict(f"invalid_grant {error}", description) is not None
