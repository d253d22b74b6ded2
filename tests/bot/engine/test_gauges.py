"""The engine's figures."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bot.engine import gauges


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
