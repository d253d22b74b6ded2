"""What Prometheus reads of the bot itself. Labels come from short lists of our own, never from a payload."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from time import perf_counter

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from bot.core.alert import Notice
from bot.core.grid import Figure

# Seconds. Slack gives up at three; a store that answers stays under 0.1.
ACK = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 3)
DECISION = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
Family = tuple[str, str, tuple[str, ...], Iterable[tuple[tuple[str, ...], float]]]
"""A gauge with labels: name, help, the labels' names, and for each combination of their values a number."""


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

    def families(self, read: Callable[[], Iterable[Family]]) -> None:
        """Gauges with labels, read all at once when Prometheus asks; none of them when they cannot be read just now."""
        self.registry.register(_Families(read))

    def figures(self, read: Callable[[], Iterable[Figure]]) -> None:
        """Handlers' own figures, by names that others may know already; none when they cannot be read just now."""
        self.registry.register(_Figures(read))

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


class _Families(Collector):
    def __init__(self, read: Callable[[], Iterable[Family]]) -> None:
        self._read = read

    def collect(self) -> Iterator[GaugeMetricFamily]:
        try:
            found = tuple(self._read())
        except Exception:  # as for one gauge
            return
        for name, help, labels, samples in found:
            family = GaugeMetricFamily(f"hivekeeper_{name}", help, labels=labels)
            for values, number in samples:
                family.add_metric(values, number)
            yield family


class _Figures(Collector):
    def __init__(self, read: Callable[[], Iterable[Figure]]) -> None:
        self._read = read

    def describe(self) -> Iterator[Metric]:
        """Nothing is read before somebody asks."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        try:
            found = tuple(self._read())
        except Exception:  # as for one gauge
            return
        families: dict[str, Metric] = {}
        for one in found:
            kind = "histogram" if one.within else "gauge"
            family = families.setdefault(one.name, Metric(one.name, one.help, kind))
            for suffix, labels, value in one.samples:
                family.add_sample(f"{one.name}{suffix}", labels, value)
        yield from families.values()


def _or_nan(value: Callable[[], float]) -> float:
    try:
        return float(value())
    except Exception:
        return float("nan")  # one gauge that fails must not hide all the others
