"""PagerDuty's V3 webhook: one event of one incident per call. Labels are not in it: the title names the alert.

Format: developer.pagerduty.com, "Webhooks overview"; how Alertmanager and Grafana word titles, see `subject`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from bot.core.alert import Alert, Notice
from bot.edges.alerts import subject, values

ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


def notice(body: Any, now: float) -> Notice | None:
    """What an event says; None for one that is about something else than an incident. Refused when it is no event."""
    event = body.get("event") if isinstance(body, Mapping) else None
    if not isinstance(event, Mapping):
        raise values.wrong("event is not an object")
    kind, data = values.line(event.get("event_type"), 100), event.get("data")
    if not kind or not isinstance(data, Mapping):
        raise values.wrong("event.event_type or event.data is missing")
    if not kind.startswith("incident.") or data.get("type") != "incident":
        return None  # a test of the subscription, a note, a responder, a service
    if not ID.fullmatch(number := values.line(event.get("id"), 65)) or not _named(data):
        raise values.wrong("event.id or event.data.id is missing")
    title = values.line(data.get("title"), values.LABEL)
    return Notice(
        key=f"pagerduty:{number}",
        origin="pagerduty",
        group=data["id"],
        alerts=(_alert(event, data, kind, title, now),),
        text=title,
        link=values.link(data.get("html_url")),
    )


def _named(data: Mapping[str, Any]) -> bool:
    return isinstance(data.get("id"), str) and ID.fullmatch(data["id"]) is not None


def _alert(event: Mapping[str, Any], data: Mapping[str, Any], kind: str, title: str, now: float) -> Alert:
    over = kind == "incident.resolved" or data.get("status") == "resolved"
    happened = values.moment(event.get("occurred_at")) or now
    begun = None if kind == "incident.reopened" else values.moment(data.get("created_at"))
    return Alert(
        identity=data["id"],
        status="resolved" if over else "firing",
        labels=_labels(data, title),
        annotations={"summary": title} if title else {},
        starts_at=begun or happened,
        ends_at=happened if over else None,
        link=values.link(data.get("html_url")),
    )


def _labels(data: Mapping[str, Any], title: str) -> dict[str, str]:
    said = subject.read(title)
    service, priority = data.get("service"), data.get("priority")
    return values.labels(
        {
            "alertname": said.name if said else title,
            "pagerduty_service": service.get("summary") if isinstance(service, Mapping) else None,
            "pagerduty_priority": priority.get("summary") if isinstance(priority, Mapping) else None,
            "pagerduty_urgency": data.get("urgency"),
        }
    )
