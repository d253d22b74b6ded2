"""Webhooks over HTTP: who posts is checked, what is stored is said, and nothing posted does harm."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import socket
import threading
from collections.abc import Callable
from typing import Any

import pytest

Start = Callable[..., Any]
BEARER = pytest.mark.parametrize("source", ["alertmanager", "grafana"])
ALERT = {
    "status": "firing",
    "labels": {"alertname": "redhat-auth", "region": "us-south"},
    "startsAt": "2026-01-02T03:04:05Z",
    "endsAt": "0001-01-01T00:00:00Z",
    "fingerprint": "0123456789abcdef",
}
CALL = {"version": "4", "groupKey": "g", "status": "firing", "alerts": [ALERT]}
EVENT = {
    "event": {
        "id": "01EVENT",
        "event_type": "incident.triggered",
        "data": {"id": "PINCIDENT1", "type": "incident", "title": "redhat-auth", "created_at": "2026-01-02T03:04:05Z"},
    }
}


def post(world: Any, source: str, body: Any, **headers: str | bytes) -> Any:
    """One call with the right key, unless `headers` say otherwise."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    known = {"content-type": "application/json", **authorized(world, source, content), **headers}
    return world.http.post(world.bot_url(f"/webhooks/{source}"), content=content, headers=known)


def authorized(world: Any, source: str, content: bytes) -> dict[str, str]:
    key = world.keys[source]
    if source == "pagerduty":
        return {"x-pagerduty-signature": signed(key, content)}
    return {"authorization": f"Bearer {key}"}


def signed(key: str, content: bytes) -> str:
    return "v1=" + hmac.new(key.encode(), content, hashlib.sha256).hexdigest()


@pytest.mark.parametrize(("source", "body"), [("alertmanager", CALL), ("grafana", CALL), ("pagerduty", EVENT)])
def test_an_alert_is_stored_and_accepted(start: Start, source: str, body: Any) -> None:
    """202 with the incident, the notice in the store, and counted; the sender's retry is the same notice."""
    world = start("socket")
    before = counted(world, source)
    for _ in range(2):
        answer = post(world, source, body)
        assert (answer.status_code, answer.json()) == (202, {"incidents": ["i-0000000"]})
    (notice,) = world.desk.notices.values()
    assert (notice.origin, notice.alerts[0].name) == (source, "redhat-auth")
    assert counted(world, source) - before == 2


def counted(world: Any, source: str) -> float:
    found = re.search(
        rf'hivekeeper_notices_total{{origin="{source}"}} (\S+)', world.http.get(world.bot_url("/metrics")).text
    )
    return float(found[1]) if found else 0


@BEARER
def test_strangers_are_refused(start: Start, source: str) -> None:
    """Nothing, other schemes, beginnings and ends of the key, another source's key: 401 with the same words."""
    world = start("socket")
    key = world.keys[source]
    other = world.keys["grafana" if source == "alertmanager" else "alertmanager"]
    tokens = ["", key, f"Basic {key}", f"Bearer {key[:-1]}", f"Bearer {key[1:]}", f"Bearer {key}x", f"Bearer {other}",
              "Bearer", f"Bearer {key} {key}", b"Bearer \xff\xfe"]  # fmt: skip
    answers = [post(world, source, CALL, authorization=token) for token in tokens]
    assert {answer.status_code for answer in answers} == {401}
    assert len({answer.text for answer in answers}) == 1
    assert answers[0].headers["www-authenticate"] == "Bearer"
    assert not world.desk.notices


def test_a_forged_signature_is_refused(start: Start) -> None:
    """Another secret, another body, none at all, a bare digest: 401."""
    world = start("socket")
    content = json.dumps(EVENT).encode()
    good = signed(world.keys["pagerduty"], content)
    for header in (
        "",
        good[3:],
        signed("another-key-of-theirs", content),
        good[:-1],
        f"v0={good[3:]}",
        "v1=" + "0" * 64,
    ):
        assert post(world, "pagerduty", content, **{"x-pagerduty-signature": header}).status_code == 401
    assert post(world, "pagerduty", content + b" ", **{"x-pagerduty-signature": good}).status_code == 401
    assert not world.desk.notices
    assert post(world, "pagerduty", content, **{"x-pagerduty-signature": f"v1={'0' * 64},{good}"}).status_code == 202


def test_a_replayed_event_changes_nothing(start: Start) -> None:
    """A captured request is good for what it was good for, once."""
    world = start("socket")
    for _ in range(5):
        assert post(world, "pagerduty", EVENT).status_code == 202
    assert len(world.desk.notices) == 1


def test_refusals_are_audited_and_cannot_fill_the_store(fresh: Start, until: Start) -> None:
    """The first stranger is in the audit log with the door he tried, a hundred more add nothing within the minute."""
    world = fresh("socket")
    for _ in range(100):
        post(world, "alertmanager", CALL, authorization="Bearer wrong")
    post(world, "pagerduty", EVENT, **{"x-pagerduty-signature": "v1=wrong"})
    until(lambda: len(world.desk.refusals) == 2)
    assert world.desk.refusals == [
        ("webhook:alertmanager", "webhook_unauthorized", {"unsaid_before": 0}),
        ("webhook:pagerduty", "webhook_unauthorized", {"unsaid_before": 0}),
    ]
    metrics = world.http.get(world.bot_url("/metrics")).text
    assert 'hivekeeper_refusals_total{reason="webhook_unauthorized"} 101.0' in metrics


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b'"x"',
        b"\xff\xfe\x00{}",
        b'{"alerts": [{"labels": {"a": "\xff"}}]}',
        b'{"alerts": NaN}',
        b'{"alerts": [' + b"9" * 5000 + b"]}",
        b'{"alerts": 1e999}',
        b"[" * 50_000,
        b'{"alerts":' * 10_000,
        b'{"alerts": {"hunter2": 1}}',
        b'{"alerts": [], "alerts": "hunter2"}',
        b'{"event": {"event_type": "hunter2"}}',
    ],
)
@pytest.mark.parametrize("source", ["alertmanager", "pagerduty"])
def test_garbage_gets_a_sentence(start: Start, source: str, content: bytes) -> None:
    """Not JSON, too deep, no numbers, wrong types: 400 with a sentence that holds nothing of it; nothing is stored."""
    world = start("socket")
    answer = post(world, source, content)
    assert answer.status_code == 400
    assert "Nothing was stored." in answer.json()["error"]
    assert "hunter2" not in answer.text
    assert not world.desk.notices


@pytest.mark.parametrize("content", [b'{"alerts":[{"startsAt":1e999,"labels":{"a":1e999,"b":' + b"9" * 300 + b"}}]}",
                                     b'{"alerts":[],"alerts":[{"labels":{"a":"1","a":"2"}}]}'])  # fmt: skip
def test_odd_but_readable_is_taken(start: Start, content: bytes) -> None:
    """Infinite and huge numbers, and names that come twice, are an alert all the same."""
    world = start("socket")
    assert post(world, "alertmanager", content).status_code == 202
    assert len(world.desk.notices) == 1


def test_other_content_is_refused(start: Start) -> None:
    """Forms, texts and nothing said: 415. JSON with a charset or by another name is taken."""
    world = start("socket")
    for kind in ("text/plain", "application/x-www-form-urlencoded", "", "multipart/form-data; boundary=x"):
        assert post(world, "alertmanager", CALL, **{"content-type": kind}).status_code == 415
    for kind in ("application/json; charset=utf-8", "Application/JSON", "application/vnd.alerts+json"):
        assert post(world, "alertmanager", CALL, **{"content-type": kind}).status_code == 202


@pytest.mark.parametrize("source", ["alertmanager", "grafana", "pagerduty"])
def test_ten_megabytes_are_cut_off(start: Start, source: str) -> None:
    """413, also without a length given in advance; a stranger's are not even read."""
    world = start("socket")
    assert post(world, source, b"x" * 10_000_000).status_code == 413

    def chunks() -> Any:
        for _ in range(1000):
            yield b"x" * 1000

    headers = {"content-type": "application/json", **authorized(world, source, b"")}
    assert world.http.post(world.bot_url(f"/webhooks/{source}"), content=chunks(), headers=headers).status_code == 413


def test_a_stranger_need_not_be_waited_for(start: Start) -> None:
    """With a wrong token the answer comes before the body does."""
    world = start("socket")
    with socket.create_connection(("127.0.0.1", world.port), timeout=60) as line:
        line.sendall(b"POST /webhooks/grafana HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000\r\n\r\n{")
        assert line.recv(100).startswith(b"HTTP/1.1 401 ")


def test_a_store_that_is_down_is_told_to_the_sender(start: Start) -> None:
    """503 with Retry-After, so that the sender comes again; then it is stored."""
    world = start("socket")
    world.desk.down = True
    answer = post(world, "alertmanager", CALL)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert not world.desk.notices
    world.desk.down = False
    assert post(world, "alertmanager", CALL).status_code == 202


def test_a_fault_of_ours_is_told_without_its_text(start: Start, caplog: pytest.LogCaptureFixture) -> None:
    """500, which senders repeat; neither the answer nor the log holds what went wrong in words."""
    world = start("socket")
    world.desk.broken = True
    answer = post(world, "alertmanager", CALL)
    assert answer.status_code == 500
    assert "secret" not in answer.text + caplog.text
    assert "RuntimeError" in str([record.__dict__ for record in caplog.records])


def test_a_storm_does_not_keep_people_waiting(fresh: Start, until: Start) -> None:
    """While the store is slow and more calls come than are taken at once, the rest are told to come again, and the
    page that says whether the bot is well answers."""
    world = fresh("socket")
    world.desk.hold = threading.Event()
    statuses: list[int] = []

    def send(number: int) -> None:
        statuses.append(post(world, "alertmanager", {**CALL, "groupKey": str(number)}).status_code)

    threads = [threading.Thread(target=send, args=(number,)) for number in range(90)]
    for thread in threads:
        thread.start()
    until(lambda: 503 in statuses)
    assert world.http.get(world.bot_url("/healthz")).status_code == 200
    world.desk.hold.set()
    for thread in threads:
        thread.join()
    assert set(statuses) == {202, 503}
    assert statuses.count(202) == len(world.desk.notices)


def test_only_posts_to_configured_doors_are_taken(start: Start) -> None:
    """Other methods 405, other doors 404."""
    world = start("socket")
    assert world.http.get(world.bot_url("/webhooks/alertmanager")).status_code == 405
    assert world.http.post(world.bot_url("/webhooks/nagios"), json={}).status_code == 404
    assert world.http.post(world.bot_url("/webhooks/"), json={}).status_code == 404


def test_the_test_button_of_pagerduty_is_accepted(start: Start) -> None:
    """A ping stores nothing and is no error."""
    world = start("socket")
    body = {"event": {"id": "1", "event_type": "pagey.ping", "data": {"type": "ping", "message": "Hello"}}}
    answer = post(world, "pagerduty", body)
    assert (answer.status_code, answer.json()) == (202, {"incidents": []})
    assert not world.desk.notices
