"""An alert reaches the real bot by webhook and in the channel, and one thread tells of it."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from playground.people import ONCALL_CHANNEL
from playground.slack import incoming

pytestmark = pytest.mark.slow
NAME = "armada-deploy/armada_kubx_deployer_redhat_auth"


def told(status: str = "firing", ends: str = "0001-01-01T00:00:00Z") -> dict[str, Any]:
    alert = {
        "status": status,
        "labels": {"alertname": NAME, "alert_situation": NAME, "service": "armada-kubx-deployer", "region": "us-south"},
        "annotations": {"summary": "<!channel> *consistent* failures"},
        "startsAt": "2026-11-22T03:04:05Z",
        "endsAt": ends,
        "fingerprint": "0123456789abcdef",
    }
    return {"version": "4", "groupKey": "g", "status": status, "alerts": [alert], "receiver": "hivekeeper"}


@pytest.fixture
def scene(started: Callable[..., Any], watched: Callable[[Any], Any], canary: Any, tmp_path: Path) -> Any:
    """A bot that takes alerts by webhook, with a key of its own, and listens to the channel."""
    key, file = canary("webhook"), tmp_path / "key"
    file.write_text(key)
    canary.may_hold(file)

    def adjust(settings: dict[str, Any]) -> None:
        settings["webhooks"] = {"alertmanager": [{"file": str(file)}]}
        settings["alerts"] = {"channels": [ONCALL_CHANNEL], "handlers": {"redhat-auth": {"channel": ONCALL_CHANNEL}}}

    made = started(name="alerts", adjust=adjust)
    made.hook = key
    return watched(made)


def post(scene: Any, body: Any, key: str | None = None) -> tuple[int, Any]:
    request = urllib.request.Request(
        scene.line_to_bot().replace("/slack/events", "/webhooks/alertmanager"),
        json.dumps(body).encode(),
        {"content-type": "application/json", "authorization": f"Bearer {scene.hook if key is None else key}"},
    )
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as refused:
        return refused.code, json.loads(refused.read())


def test_both_ways_lead_to_one_incident(scene: Any, until: Callable[..., Any]) -> None:
    """By webhook it is told in the channel; Alertmanager's own message and a repeat open nothing more; a wrong key
    opens nothing at all."""
    assert post(scene, told(), key="wrong")[0] == 401
    status, answer = post(scene, told())
    assert status == 202
    (incident,) = answer["incidents"]
    assert post(scene, told()) == (202, {"incidents": [incident]})
    until(lambda: heads(scene), told=scene.log)

    body = {
        "username": "Alertmanager",
        "attachments": [{"title": f"[FIRING:1] {NAME} (armada-kubx-deployer critical)"}],
    }
    path = incoming.install(scene.space, ONCALL_CHANNEL)
    assert httpx.post(f"{scene.demo.url}{path}", json=body, trust_env=False).text == "ok"
    until(lambda: len(scene.rows("SELECT key FROM notice")) == 2, told=scene.log)
    assert len(scene.rows("SELECT id FROM incident")) == 1
    assert "<!channel>" not in json.dumps(heads(scene))


def heads(scene: Any) -> list[Any]:
    """What the bot has posted into the channel."""
    return [m for m in scene.space.messages.get(ONCALL_CHANNEL, []) if m.get("user") == "U0HIVEKEEP"]
