"""The demo's Red Hat: each button makes the world that it promises, and its alerts are what monitoring sends."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import quote
from urllib.request import urlopen

import pytest

from bot.edges.alerts import alertmanager, channel
from handlers.redhat_auth import QUERY, SHORT
from playground import redhat
from playground.redhat import OTHER, REGION, RedHat
from playground.server import run_in_thread


def counts(made: RedHat, region: str, query: str) -> dict[str, int]:
    """What Prometheus answers now: "jwt failed" -> count."""
    server = run_in_thread(made.prometheus[region].app())
    try:
        with urlopen(f"{server.url}/api/v1/query?query={quote(query)}", timeout=60) as answer:
            found = json.load(answer)["data"]["result"]
    finally:
        server.stop()
    return {f"{each['metric']['method']} {each['metric']['status']}": int(each["value"][1]) for each in found}


@pytest.mark.parametrize(
    ("does", "now", "hour"),
    [
        (lambda made: None, {"jwt success"}, {"jwt success"}),
        (RedHat.jwt_fails, {"jwt failed", "token success"}, {"jwt success", "jwt failed", "token success"}),
        (RedHat.both_fail, {"jwt failed", "token failed"}, {"jwt success", "jwt failed", "token failed"}),
    ],
)
def test_a_button_makes_the_logins_it_promises(does: Callable[[RedHat], None], now: set[str], hour: set[str]) -> None:
    """Now and within the hour, there are exactly these kinds of logins; the other region is calm."""
    made = RedHat()
    does(made)
    assert set(counts(made, REGION, SHORT)) == now
    assert set(counts(made, REGION, QUERY)) == hour
    assert set(counts(made, OTHER, QUERY)) == {"jwt success"}


def test_recovery_leaves_the_failures_in_the_hour() -> None:
    """What failed is still counted within the hour, and nothing fails now."""
    made = RedHat()
    made.both_fail()
    made.recovers()
    assert set(counts(made, REGION, SHORT)) == {"jwt success"}
    hour = counts(made, REGION, QUERY)
    assert hour["jwt failed"] == hour["token failed"] == 60


def test_starting_over_heals_all() -> None:
    """After every kind of trouble all is calm again."""
    made = RedHat()
    for break_it in (made.both_fail, made.endpoint_down, made.prometheus_down, made.storm):
        break_it()
    made.start_over()
    assert made.accounts.state == "up"
    assert made.pages["quay.io"].summary()["status"]["indicator"] == "none"
    assert set(counts(made, REGION, QUERY)) == set(counts(made, OTHER, QUERY)) == {"jwt success"}


def test_the_alert_in_the_channel_is_read_as_one() -> None:
    """Firing and resolved are two notices of one alert, with its labels."""
    found = []
    for n, firing in enumerate((True, False)):
        event: dict[str, Any] = {
            "type": "message", "subtype": "bot_message", "bot_id": "B0ALERTS", "channel": "C0ALERTS",
            "ts": f"{time.time() + n:.6f}", **redhat.posted(firing),
        }  # fmt: skip
        notice = channel.notice(event, f"Ev{n}", frozenset({"B0BOT"}), lambda _: False)
        assert notice
        found.append(notice.alerts[0])
    assert [alert.status for alert in found] == ["firing", "resolved"]
    assert found[0].identity == found[1].identity
    assert found[0].labels == redhat.labels_of(REGION)


def test_the_storm_is_read_as_a_thousand_alerts() -> None:
    """Twenty calls, each alert once in them, half of them resolved."""
    now = time.time()
    documents = [redhat.notification(range(n, redhat.STORM, redhat.NOTICES), now, n) for n in range(redhat.NOTICES)]
    notices = [alertmanager.notice(document, "alertmanager", now) for document in documents]
    alerts = [alert for notice in notices if notice for alert in notice.alerts]
    assert len({alert.identity for alert in alerts}) == len(alerts) == 1000
    assert sum(alert.status == "resolved" for alert in alerts) == 500
