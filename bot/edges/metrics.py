"""What Prometheus reads of the bot itself. Labels come from short lists of our own, never from a payload."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import perf_counter

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from bot.core.alert import Notice

# Seconds. Slack gives up at three; a store that answers stays under 0.1.
ACK = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 3)
DECISION = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class Metrics:
    """The edges' own counters, and gauges that others offer through a callback."""

    content_type = CONTENT_TYPE_LATEST

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "hivekeeper_slack_requests", "Payloads taken from Slack.", ["kind"], registry=self.registry
        )
        self.refusals = Counter(
            "hivekeeper_refusals", "Requests refused at the edge, by reason.", ["reason"], registry=self.registry
        )
        self.ack = Histogram(
            "hivekeeper_ack_seconds", "From payload to acknowledgement.", ["kind"], buckets=ACK, registry=self.registry
        )
        self.decision = Histogram(
            "hivekeeper_decision_seconds", "Time to take a decision.", buckets=DECISION, registry=self.registry
        )
        self.notices = Counter(
            "hivekeeper_notices", "Webhook calls and messages with alerts that were stored.", ["origin"],
            registry=self.registry,
        )  # fmt: skip
        self.alerts = Counter(
            "hivekeeper_alerts", "Alerts in them, repeats included.", ["origin", "status"], registry=self.registry
        )

    def noticed(self, notice: Notice) -> None:
        """Counts a notice that is stored."""
        self.notices.labels(notice.origin).inc()
        for alert in notice.alerts:
            self.alerts.labels(notice.origin, alert.status).inc()

    def gauge(self, name: str, help: str, value: Callable[[], float]) -> None:
        """A value read when Prometheus asks, such as the outbox's lag; NaN when it cannot be read just now."""
        Gauge(f"hivekeeper_{name}", help, registry=self.registry).set_function(lambda: _or_nan(value))

    @contextmanager
    def acknowledging(self, kind: str) -> Iterator[None]:
        """Counts one payload and times it until it is answered."""
        self.requests.labels(kind).inc()
        begun = perf_counter()
        try:
            yield
        finally:
            self.ack.labels(kind).observe(perf_counter() - begun)

    def text(self) -> bytes:
        return generate_latest(self.registry)


def _or_nan(value: Callable[[], float]) -> float:
    try:
        return float(value())
    except Exception:
        return float("nan")  # one gauge that fails must not hide all the others
