"""A real Alertmanager posts by webhook and through its Slack receiver: both are told as the same alert."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from bot.core.alert import Notice
from playground.broken import unused_port
from playground.child import clean_environment, leashed
from playground.slack import incoming

pytestmark = pytest.mark.slow
NAME = "armada-deploy/armada_kubx_deployer_redhat_auth"
LABELS = {"alertname": NAME, "region": "us-south", "service": "armada-kubx-deployer", "severity": "critical"}
CONFIG = """
route:
  receiver: webhook
  group_by: [alertname, region]
  group_wait: 0s
  group_interval: 1s
  repeat_interval: 1h
  routes:
    - {{receiver: webhook, continue: true}}
    - {{receiver: slack}}
receivers:
  - name: webhook
    webhook_configs:
      - url: {hook}
        http_config: {{authorization: {{credentials_file: {key}}}}}
  - name: slack
    slack_configs:
      - {{api_url: '{slack}', channel: '#oncall', send_resolved: true}}
"""


@pytest.fixture
def alertmanager(
    fresh: Callable[..., Any],
    canary: Any,
    tmp_path: Path,
    server_binary: Callable[[str], str],
    until: Callable[..., Any],
) -> Iterator[tuple[Any, str]]:
    """The bot's edge between Slack and an Alertmanager that tells both; and that one's address."""
    program, world = server_binary("prometheus-alertmanager"), fresh("socket", slack_up=True)
    key, config, port = tmp_path / "key", tmp_path / "alertmanager.yml", unused_port()
    key.write_text(world.keys["alertmanager"])
    canary.may_hold(key)
    slack = f"http://127.0.0.1:{world.slack_port}{incoming.install(world.workspace, 'C0ONCALL')}"
    config.write_text(CONFIG.format(hook=world.bot_url("/webhooks/alertmanager"), key=key, slack=slack))
    command = [program, f"--config.file={config}", f"--storage.path={tmp_path / 'data'}",
               f"--web.listen-address=127.0.0.1:{port}", "--cluster.listen-address="]  # fmt: skip
    with (tmp_path / "alertmanager.log").open("wb") as log:
        process = subprocess.Popen(leashed(command), stdout=log, stderr=log, env=clean_environment())
    try:
        until(lambda: ready(f"http://127.0.0.1:{port}"))
        yield world, f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(60)


def test_both_ways_tell_the_same_alert(alertmanager: tuple[Any, str], until: Callable[..., Any]) -> None:
    """Firing and resolved, by webhook with a bearer token and as a message without text: one name, one state, and each
    way's end belongs to its own beginning."""
    world, address = alertmanager
    tell(address, LABELS)
    until(lambda: len(world.desk.notices) == 2)
    by_hook, by_channel = both(world, "firing")
    assert by_hook.alerts[0].labels == LABELS
    assert by_hook.alerts[0].name == by_channel.alerts[0].name == NAME
    assert abs(by_hook.alerts[0].starts_at - by_channel.alerts[0].starts_at) < 60
    (message,) = world.workspace.messages["C0ONCALL"]
    assert (by_channel.channel, by_channel.ts) == ("C0ONCALL", message["ts"])
    assert message["text"] == ""

    tell(address, LABELS, ends=time.time())
    until(lambda: len(world.desk.notices) == 4)
    for firing, over in zip((by_hook, by_channel), both(world, "resolved"), strict=True):
        assert over.alerts[0].identity == firing.alerts[0].identity
        assert (over.alerts[0].ends_at or 0) > firing.alerts[0].starts_at


def both(world: Any, status: str) -> tuple[Notice, Notice]:
    """The one notice by webhook and the one from the channel, of this status."""
    found = {n.origin: n for n in world.desk.notices.values() if n.alerts[0].status == status}
    return found["alertmanager"], found["channel"]


def tell(address: str, labels: dict[str, str], *, ends: float | None = None) -> None:
    """What Prometheus tells an Alertmanager."""
    alert: dict[str, Any] = {"labels": labels, "annotations": {"summary": "consistent failures"}}
    if ends is not None:
        alert["endsAt"] = datetime.fromtimestamp(ends, UTC).isoformat()
    answer = httpx.post(f"{address}/api/v2/alerts", json=[alert], trust_env=False)
    assert answer.status_code == 200, answer.text


def ready(address: str) -> bool:
    try:
        return httpx.get(f"{address}/-/ready", trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False
