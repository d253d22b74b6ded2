"""The door of the HTTP mode: what is not signed by Slack, now, gets nowhere."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import pytest

from playground.slack.http_mode import signed

FORM = {"content-type": "application/x-www-form-urlencoded"}


def command(text: str = "alpha", trigger: str = "t.1") -> bytes:
    fields = {"command": "/rotate-demo", "text": text, "user_id": "U0ASKER", "channel_id": "C0ONCALL"}
    return urlencode({**fields, "trigger_id": trigger, "team_id": "T0PLAYGRND"}).encode()


def post(world: Any, body: bytes, headers: dict[str, str]) -> Any:
    return world.http.post(world.bot_url("/slack/events"), content=body, headers={**FORM, **headers})


def test_a_signed_command_is_taken(start: Callable[..., Any]) -> None:
    """The control: the same request with the right signature is stored."""
    world = start("http")
    assert post(world, command(), signed(world.tokens[2], command())).status_code == 200
    assert len(world.desk.requests) == 1


@pytest.mark.parametrize("age", [-301, -100_000, 305])
def test_an_old_or_future_signature_is_refused(start: Callable[..., Any], age: int) -> None:
    """Five minutes is all a captured request lives; refused with 401."""
    world = start("http")
    assert post(world, command(), signed(world.tokens[2], command(), time.time() + age)).status_code == 401
    assert not world.desk.requests


@pytest.mark.parametrize("change", ["body", "secret", "signature", "none", "words", "negative", "huge"])
def test_a_forged_signature_is_refused(start: Callable[..., Any], change: str) -> None:
    """Another body, another secret, no header, headers that are no numbers: 401, never a 500, and nothing stored."""
    world = start("http")
    headers = signed(world.tokens[2], command())
    body = command("beta") if change == "body" else command()
    if change == "secret":
        headers = signed("another", command())
    odd = {"words": "now", "negative": "-5", "huge": "9" * 5000}
    if change == "signature":
        headers["X-Slack-Signature"] = "v0=" + "0" * 64
    if change == "none":
        headers = {}
    if change in odd:
        headers["X-Slack-Request-Timestamp"] = odd[change]
    assert post(world, body, headers).status_code == 401
    assert not world.desk.requests


def test_refusals_are_audited_and_cannot_fill_the_store(fresh: Callable[..., Any], until: Callable[..., Any]) -> None:
    """The first forgery is in the audit log at once; a hundred more of its kind add no entry within the minute."""
    world = fresh("http")
    for _ in range(100):
        post(world, command(), signed("another", command()))
    until(lambda: world.desk.refusals)
    assert world.desk.refusals == [("unknown", "bad_signature", {"unsaid_before": 0})]
    assert 'hivekeeper_refusals_total{reason="bad_signature"} 100.0' in world.http.get(world.bot_url("/metrics")).text


def test_a_huge_body_is_cut_off(start: Callable[..., Any]) -> None:
    """More than the limit is answered 413, also without a length given in advance."""
    world = start("http")
    assert post(world, b"x" * 200_000, {}).status_code == 413

    def chunks() -> Any:
        for _ in range(200):
            yield b"x" * 1000

    assert world.http.post(world.bot_url("/slack/events"), content=chunks()).status_code == 413


def test_bytes_that_are_no_text_are_refused(start: Callable[..., Any]) -> None:
    """A signed body that is not UTF-8 is answered 4xx."""
    world = start("http")
    body = b"\xff\xfe\x00"
    stamp = str(int(time.time()))
    assert (
        post(world, body, {"X-Slack-Request-Timestamp": stamp, "X-Slack-Signature": "v0=" + "0" * 64}).status_code < 500
    )


@pytest.mark.parametrize("document", ["[1]", '"x"', "7", '{"team": true}', "{", "null"])
def test_signed_oddities_are_no_failure(start: Callable[..., Any], document: str) -> None:
    """Signed JSON without the shape of a payload is answered, not with a 500."""
    world = start("http")
    for body in (document.encode(), urlencode({"payload": document}).encode()):
        media = {"content-type": "application/json"} if body == document.encode() else {}
        assert post(world, body, {**signed(world.tokens[2], body), **media}).status_code in (200, 400)


def test_slack_may_check_the_address_and_the_certificate(start: Callable[..., Any]) -> None:
    """The URL verification is answered with its challenge, the certificate check with an empty 200."""
    world = start("http")
    body = json.dumps({"type": "url_verification", "challenge": "made-up", "token": "x"}).encode()
    headers = {"content-type": "application/json", **signed(world.tokens[2], body)}
    assert "made-up" in world.http.post(world.bot_url("/slack/events"), content=body, headers=headers).text
    answer = post(world, b"token=x&ssl_check=1", {})
    assert (answer.status_code, answer.content) == (200, b"")


def test_only_posts_are_taken(start: Callable[..., Any]) -> None:
    """A GET of the address is a 405, an unknown path a 404; both with safe headers."""
    world = start("http")
    for path, status in (("/slack/events", 405), ("/nowhere", 404), ("/healthz", 200)):
        answer = world.http.get(world.bot_url(path))
        assert answer.status_code == status
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "server" not in answer.headers


def test_socket_mode_has_no_door(start: Callable[..., Any]) -> None:
    """In Socket Mode nobody can post payloads over HTTP."""
    world = start("socket")
    assert post(world, command(), signed(world.tokens[2], command())).status_code == 404
