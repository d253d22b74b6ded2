"""The engine's figures."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from bot.core.inventory import Credential
from bot.edges.metrics import Metrics
from bot.engine import gauges, inventory, store


def test_figures_are_read_when_somebody_asks(story: Any) -> None:
    """Not when they are offered; and each has words for people."""
    offered: dict[str, Callable[[], float]] = {}

    def gauge(name: str, help: str, value: Callable[[], float]) -> None:
        assert help.endswith(".")
        offered[name] = value

    gauges.offer(gauge, story.bench.shop.store)
    assert {name: read() for name, read in offered.items()} == dict.fromkeys(offered, 0)
    story.hear()
    story.bench.ask()
    figures = {name: read() for name, read in offered.items()}
    assert (figures["incidents_open"], figures["runs_open"], figures["outbox_messages"]) == (1, 1, 2)
    assert figures["diagnosis_age_seconds"] > 0
    assert figures["outbox_lag_seconds"] > 0


def held(bench: Any, *credentials: Credential) -> None:
    """/world looked after these at the last look."""
    bench.shop.write(lambda conn: inventory.sync(conn, ["world"], bench.now))
    bench.shop.write(lambda conn: inventory._put(conn, bench.shop, conn.execute(inventory.inventory.select()).one()))
    bench.with_handler(inventory=lambda settings, tools: credentials)
    inventory.look(bench.shop, "world", lambda _, call: call())


def figures(bench: Any) -> dict[tuple[str, ...], float]:
    """What Prometheus reads of credentials: name and labels -> value."""
    metrics = Metrics()
    gauges.offer_credentials(metrics.families, bench.shop.store)
    families = text_string_to_metric_families(metrics.text().decode())
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in families
        for sample in family.samples
        if "credential" in sample.name
    }


def test_how_runs_ended_is_counted(bench: Any) -> None:
    """By command and state, of the last day; what has not ended is no failure."""
    bench.now = time.time()
    bench.mood("do", "b", "refused")
    bench.carried_out("partly", stages=[["a", "b"]], on_failure="go_on")
    for key in ("x", "y"):
        bench.plan(bench.ask(key, stages=[]))
    bench.proposal("waits", stages=[["w"]])
    metrics = Metrics()
    gauges.offer_credentials(metrics.families, bench.shop.store)
    lines = [line for line in metrics.text().decode().splitlines() if line.startswith("hivekeeper_runs_last_day{")]
    assert sorted(lines) == [
        'hivekeeper_runs_last_day{command="world",state="answered"} 2.0',
        'hivekeeper_runs_last_day{command="world",state="partly"} 1.0',
    ]
    bench.now -= 90000
    bench.carried_out("long ago", stages=[["c"]])
    assert 'state="done"' not in metrics.text().decode()


def test_each_credential_has_its_figures(bench: Any) -> None:
    """Expiry and last success where they are known, and the state always; a name as it is, whatever is in it."""
    now = time.time()
    odd = 'prod/"b\\'
    held(
        bench,
        Credential(name="dev/a", state="due", written_at=now - 600, expires_at=now + 600),
        Credential(name=odd, state="missing"),
    )
    assert figures(bench) == {
        ("hivekeeper_credential_seconds_to_expiry", "world", "dev/a"): pytest.approx(600, abs=60),
        ("hivekeeper_credential_written_seconds_ago", "world", "dev/a"): pytest.approx(600, abs=60),
        ("hivekeeper_credential_state", "world", "dev/a", "due"): 1.0,
        ("hivekeeper_credential_state", "world", odd, "missing"): 1.0,
    }


def test_only_so_many_credentials_have_figures(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that need somebody first: a mistake in the settings must not flood Prometheus."""
    monkeypatch.setattr(gauges, "MOST", 3)
    held(bench, *(Credential(name=f"n{n}", state="fresh", expires_at=float(n)) for n in range(9)),
         Credential(name="gone", state="missing"))  # fmt: skip
    states = [key for key in figures(bench) if key[0].endswith("state")]
    assert [name for _, _, name, _ in states] == ["gone", "n0", "n1"]


def test_a_store_that_is_away_hides_these_figures_and_no_others(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Prometheus still gets the rest."""
    metrics = Metrics()
    metrics.gauge("one", "One.", lambda: 1.0)
    gauges.offer_credentials(metrics.families, bench.shop.store)

    def away(engine: Any) -> Any:
        raise store.away()

    monkeypatch.setattr(gauges, "reading", away)
    assert b"hivekeeper_one 1.0" in metrics.text()
    assert b"credential" not in metrics.text()
