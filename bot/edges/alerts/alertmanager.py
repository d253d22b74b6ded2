"""Alertmanager's webhook (version 4) and Grafana's, which has the same shape (version 1). Unknown fields are ignored.

Formats: Alertmanager's notify/webhook and template/template.go; Grafana's documentation of the webhook contact point.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from bot.core.alert import Alert, Notice
from bot.edges.alerts import values

RESOLVED = frozenset({"resolved", "ok", "normal"})
Sender = Literal["alertmanager", "grafana"]


def notice(body: Any, origin: Sender, now: float) -> Notice | None:
    """What a webhook call says; None when it tells of no alert. `now` stands in where no time is given. Refused, with
    a sentence for the sender, when it has not the shape."""
    if not isinstance(body, Mapping):
        raise values.wrong("it is not a JSON object")
    told = body.get("alerts")
    if not isinstance(told, list):
        raise values.wrong("alerts is not a list")
    left_out = _count(body.get("truncatedAlerts")) + max(0, len(told) - values.ALERTS)
    alerts, spoken = _read(told[: values.ALERTS], body.get("status"), now)
    if not alerts and not left_out:
        return None
    group = values.line(body.get("groupKey"), 1000) or values.line(body.get("receiver"), 200)
    return Notice(
        key=values.key(origin, group, left_out, spoken),
        origin=origin,
        group=group,
        alerts=tuple(alerts),
        link=values.link(body.get("externalURL")),
        truncated=left_out,
    )


def _read(told: list[Any], status: Any, now: float) -> tuple[list[Alert], list[Any]]:
    """The alerts, and what the sender said of them: without the times that are ours."""
    alerts, spoken = [], []
    for number, each in enumerate(told):
        if not isinstance(each, Mapping):
            raise values.wrong(f"alerts[{number}] is not an object")
        alert = _alert(each, number, status, now)
        alerts.append(alert)
        ends = values.moment(each.get("endsAt")) if alert.status == "resolved" else None
        spoken.append([*values.content(alert), values.moment(each.get("startsAt")), ends])
    return alerts, spoken


def _alert(told: Mapping[str, Any], number: int, status: Any, now: float) -> Alert:
    labels = values.labels(told.get("labels"), f"alerts[{number}].labels")
    said = values.line(told.get("status") or status, 20).lower()
    over = said in RESOLVED
    return Alert(
        identity=values.identity(told.get("fingerprint"), labels),
        status="resolved" if over else "firing",  # what is neither counts as firing, which is looked into
        labels=labels,
        annotations=values.notes(told.get("annotations"), f"alerts[{number}].annotations"),
        starts_at=values.moment(told.get("startsAt")) or now,
        ends_at=(values.moment(told.get("endsAt")) or now) if over else None,
        link=values.link(told.get("generatorURL")),
    )


def _count(value: Any) -> int:
    """A number of alerts, 0 for what is none."""
    fits = isinstance(value, int) and not isinstance(value, bool) and value > 0
    return min(value, 1_000_000) if fits else 0
