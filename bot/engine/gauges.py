"""What the engine tells about itself in figures, each read from the store when somebody asks."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol, TypeVar

import sqlalchemy as sa

from bot.engine import incidents, outbox, runs
from bot.engine.store import reading

T = TypeVar("T")


class Gauge(Protocol):
    """Takes a gauge's name, its help, and how to read it."""

    def __call__(self, name: str, help: str, value: Callable[[], float]) -> None: ...


def offer(gauge: Gauge, engine: sa.Engine) -> None:
    """Offer every gauge of the engine."""

    def read(query: Callable[[sa.Connection], T]) -> T:
        with reading(engine) as conn:
            return query(conn)

    def waiting() -> tuple[int, float]:
        return read(lambda conn: outbox.lag(conn, time.time()))

    def alerts() -> incidents.Figures:
        return read(lambda conn: incidents.figures(conn, time.time()))

    gauge("outbox_messages", "Slack messages that wait to be sent or updated.", lambda: waiting()[0])
    gauge("outbox_lag_seconds", "How long the oldest of them has been due.", lambda: waiting()[1])
    gauge("runs_open", "Runs that have not ended.", lambda: read(runs.count_open))
    gauge("incidents_open", "Incidents that are not closed.", lambda: alerts().open)
    gauge("alerts_unhandled", "Alerts of the last week that no handler answers.", lambda: alerts().unhandled)
    gauge("diagnosis_age_seconds", "Since the last look at the incident looked at longest ago.", lambda: alerts().age)
