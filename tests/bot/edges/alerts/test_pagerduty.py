"""PagerDuty's V3 events become notices about one incident of theirs."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.alert import Notice
from bot.core.errors import Refused
from bot.edges.alerts import pagerduty

NOW = 1_800_000_000.0
CREATED = 1_767_323_045.0
TITLE = "[FIRING:1] armada-deploy/armada_kubx_deployer_redhat_auth (armada-kubx-deployer critical)"


def event(kind: str = "incident.triggered", number: str = "01EVENT", **data: Any) -> dict[str, Any]:
    return {
        "event": {
            "id": number,
            "event_type": kind,
            "resource_type": "incident",
            "occurred_at": "2026-01-02T03:14:05.123Z",
            "agent": None,
            "client": None,
            "data": {
                "id": "PINCIDENT1",
                "type": "incident",
                "self": "https://api.pagerduty.com/incidents/PINCIDENT1",
                "html_url": "https://acme.pagerduty.com/incidents/PINCIDENT1",
                "number": 7,
                "status": "triggered",
                "incident_key": "x",
                "created_at": "2026-01-02T03:04:05Z",
                "title": TITLE,
                "service": {"id": "PS", "summary": "Deployer", "html_url": "https://acme.pagerduty.com/services/PS"},
                "assignees": [],
                "urgency": "high",
                "priority": None,
                **data,
            },
        }
    }


def read(body: Any) -> Notice:
    found = pagerduty.notice(body, NOW)
    assert found is not None
    return found


def test_an_incident_is_an_alert() -> None:
    """Its id is the identity, its title names the alert, and what it belongs to can be matched."""
    found = read(event())
    (one,) = found.alerts
    assert (one.identity, one.status, one.starts_at) == ("PINCIDENT1", "firing", CREATED)
    assert one.name == "armada-deploy/armada_kubx_deployer_redhat_auth"
    assert one.labels["pagerduty_service"] == "Deployer"
    assert (found.text, found.group) == (TITLE, "PINCIDENT1")
    assert one.link == "https://acme.pagerduty.com/incidents/PINCIDENT1"


def test_a_title_of_ones_own_is_the_name() -> None:
    """Where nobody wrote [FIRING:1], the title is all there is."""
    assert read(event(title="Deployer is sick")).alerts[0].name == "Deployer is sick"


@pytest.mark.parametrize("kind", ["acknowledged", "escalated", "reassigned", "priority_updated", "of_the_future"])
def test_other_events_of_an_open_incident_keep_it_open(kind: str) -> None:
    """They are the same occurrence, and notices of their own."""
    found = read(event(f"incident.{kind}", number=f"01{kind[:4]}", status="acknowledged"))
    assert (found.alerts[0].status, found.alerts[0].starts_at) == ("firing", CREATED)
    assert found.key != read(event()).key


def test_resolved_and_reopened() -> None:
    """Resolving ends the occurrence when it happened; reopening begins another one, later."""
    over = read(event("incident.resolved", status="resolved")).alerts[0]
    assert (over.status, over.starts_at) == ("resolved", CREATED)
    assert over.ends_at is not None
    assert over.ends_at > CREATED
    again = read(event("incident.reopened")).alerts[0]
    assert again.status == "firing"
    assert again.starts_at == over.ends_at


def test_a_repeated_delivery_is_the_same_notice() -> None:
    """PagerDuty delivers at least once; the event's id tells."""
    assert read(event()).key == read(event(title="changed meanwhile")).key != read(event(number="01OTHER")).key


@pytest.mark.parametrize(
    "body",
    [
        {"event": {"id": "1", "event_type": "pagey.ping", "data": {"type": "ping", "message": "Hello"}}},
        {"event": {"id": "1", "event_type": "incident.annotated", "data": {"type": "incident_note", "id": "N"}}},
        {"event": {"id": "1", "event_type": "service.updated", "data": {"type": "service", "id": "S"}}},
    ],
)
def test_other_things_are_no_notice(body: Any) -> None:
    """The test button, notes and services are taken and mean nothing."""
    assert pagerduty.notice(body, NOW) is None


@pytest.mark.parametrize(
    "body",
    [None, [], {}, {"event": []}, {"event": {}}, {"event": {"event_type": "incident.x", "data": 1}},
     event(number=""), event(id=""), event(id=7), event(id="../x"), {"event": {**event()["event"], "id": ["x"]}}],
)  # fmt: skip
def test_garbage_gets_a_sentence(body: Any) -> None:
    """What is no event is refused in words of ours."""
    with pytest.raises(Refused, match="not the alert payload"):
        pagerduty.notice(body, NOW)


@given(
    st.dictionaries(
        st.sampled_from(["title", "service", "priority", "urgency", "status", "created_at", "html_url"]),
        st.none() | st.integers() | st.text() | st.lists(st.text()) | st.dictionaries(st.just("summary"), st.text()),
    )
)
def test_any_data_is_a_notice(data: dict[str, Any]) -> None:
    """Whatever the fields hold, the incident is told, and can be stored."""
    found = read(event(**data))
    assert Notice.model_validate_json(found.model_dump_json()) == found
