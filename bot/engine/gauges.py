"""What the engine tells about itself in figures, each read from the store when somebody asks."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Protocol, TypeVar

import sqlalchemy as sa

from bot.core.inventory import Holding
from bot.engine import incidents, inventory, outbox, runs
from bot.engine.store import reading

T = TypeVar("T")
DAY = 86400.0  # seconds
MOST = 2000  # credentials that have figures of their own: those that need somebody first
Family = tuple[str, str, tuple[str, ...], Iterable[tuple[tuple[str, ...], float]]]
"""A gauge with labels: name, help, the labels' names, and for each combination of their values a number."""


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
    gauge("inventory_age_seconds", "Since the last look that worked, of the command looked at longest ago.",
          lambda: read(lambda conn: inventory.age(conn, time.time())))  # fmt: skip
    gauge("diagnosis_age_seconds", "Since the last look at the incident looked at longest ago.", lambda: alerts().age)


def offer_credentials(families: Callable[[Callable[[], Iterable[Family]]], None], engine: sa.Engine) -> None:
    """Offer the gauges that have one value per credential, and how the runs ended that look after them."""

    def read() -> tuple[Family, ...]:
        now = time.time()
        with reading(engine) as conn:
            held, ended = inventory.views(conn, MOST), runs.ended(conn, now - DAY)
        told = "Runs of the last 24 hours that have ended, by command and how."
        return (*_families(held, now), ("runs_last_day", told, ("command", "state"), ended))

    families(read)


def _families(held: Iterable[Holding], now: float) -> tuple[Family, ...]:
    ends, written, states = [], [], []
    for one in held:
        name, credential = (one.command, one.credential.name), one.credential
        states.append(((*name, credential.state), 1.0))
        ends += [(name, credential.expires_at - now)] if credential.expires_at is not None else []
        written += [(name, now - credential.written_at)] if credential.written_at is not None else []
    which = ("command", "name")
    return (
        ("credential_seconds_to_expiry", "Until the credential expires; below 0 it has expired.", which, ends),
        ("credential_written_seconds_ago", "Since the credential was last written with success.", which, written),
        ("credential_state", "1 for the state it was in at the last look.", (*which, "state"), states),
    )
