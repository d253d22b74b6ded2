"""The bot's own HTTP, and what it counts."""

from __future__ import annotations

import math
import socket
from collections.abc import Callable
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from bot.core.errors import Refused
from bot.edges import web
from bot.edges.metrics import Metrics
from bot.settings import Web


def test_the_counts_are_readable_by_prometheus(start: Callable[..., Any]) -> None:
    """Commands and their acknowledgement are counted, in Prometheus' own format, without a payload's words."""
    world = start("http")
    world.command("/rotate-demo alpha")
    text = world.http.get(world.bot_url("/metrics")).text
    names = {sample.name for family in text_string_to_metric_families(text) for sample in family.samples}
    assert {"hivekeeper_slack_requests_total", "hivekeeper_ack_seconds_bucket"} <= names
    assert "U0ASKER" not in text
    assert "rotate-demo" not in text


def test_a_gauge_that_fails_hides_no_other() -> None:
    """A callback that raises reads as NaN, and the rest is still there."""
    metrics = Metrics()
    metrics.gauge("outbox_lag_seconds", "Age of the oldest undelivered message.", lambda: 1.5)
    metrics.gauge("broken", "Cannot be read.", lambda: 1 / 0)
    values = {f.name: f.samples[0].value for f in text_string_to_metric_families(metrics.text().decode()) if f.samples}
    assert values["hivekeeper_outbox_lag_seconds"] == 1.5
    assert math.isnan(values["hivekeeper_broken"])


def test_a_taken_port_is_a_sentence() -> None:
    """The error names the address and the setting, not an errno."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(Refused, match=f"port {port} cannot be listened on.*web.port"):
            web.listening(Web(port=port))


def test_answers_are_not_held_back() -> None:
    """Connections send at once: held back by Nagle's algorithm, each acknowledgement would take 40 ms longer."""
    with web.listening(Web(port=0)) as bound, socket.create_connection(bound.getsockname()):
        accepted, _ = bound.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
