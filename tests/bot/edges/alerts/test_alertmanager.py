"""Webhooks of Alertmanager and Grafana become notices, whatever else is in them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.alert import Notice
from bot.core.errors import Refused
from bot.edges.alerts import alertmanager, values

NOW = 1_800_000_000.0
STARTED = 1_767_323_045.0  # 2026-01-02T03:04:05Z
NAME = "armada-deploy/armada_kubx_deployer_redhat_auth"

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=12,
)
NAMED = st.dictionaries(
    st.sampled_from(["alerts", "status", "groupKey", "truncatedAlerts", "receiver", "externalURL", "version"]),
    ANYTHING
    | st.lists(
        st.dictionaries(
            st.sampled_from(["labels", "annotations", "status", "startsAt", "endsAt", "fingerprint", "generatorURL"]),
            ANYTHING,
        ),
        max_size=3,
    ),
)


def alert(status: str = "firing", **more: Any) -> dict[str, Any]:
    ends = "0001-01-01T00:00:00Z" if status == "firing" else "2026-01-02T03:14:05.5Z"
    return {
        "status": status,
        "labels": {"alertname": NAME, "service": "armada-kubx-deployer", "severity": "critical", "region": "us-south"},
        "annotations": {"summary": "consistent failures", "description": "10 failures\nin 15 minutes"},
        "startsAt": "2026-01-02T03:04:05.000Z",
        "endsAt": ends,
        "generatorURL": "https://prometheus.example.com/graph?g0.expr=up",
        "fingerprint": "0123456789abcdef",
        **more,
    }


def call(*alerts: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "receiver": "chatops",
        "status": "firing",
        "alerts": list(alerts),
        "groupLabels": {"alertname": NAME},
        "commonLabels": {},
        "commonAnnotations": {},
        "externalURL": "https://alertmanager.example.com",
        "version": "4",
        "groupKey": '{}:{alertname="x"}',
        "truncatedAlerts": 0,
        **more,
    }


def read(body: Any, now: float = NOW) -> Notice:
    found = alertmanager.notice(body, "alertmanager", now)
    assert found is not None
    return found


def test_a_firing_alert_is_read() -> None:
    """Identity, labels, texts, time and link are those that were sent; no end is invented."""
    (one,) = read(call(alert())).alerts
    assert (one.identity, one.status, one.name, one.labels["region"]) == (
        "0123456789abcdef",
        "firing",
        NAME,
        "us-south",
    )
    assert (one.starts_at, one.ends_at) == (STARTED, None)
    assert one.annotations["description"] == "10 failures\nin 15 minutes"
    assert one.link.startswith("https://prometheus.example.com/")


def test_a_resolved_alert_is_the_same_occurrence() -> None:
    """Identity and start stay, the end is told, and the notice is another one."""
    firing, resolved = read(call(alert())), read(call(alert("resolved"), status="resolved"))
    (one,), (other,) = firing.alerts, resolved.alerts
    assert (one.identity, one.starts_at) == (other.identity, other.starts_at)
    assert (other.status, other.ends_at) == ("resolved", STARTED + 600.5)
    assert firing.key != resolved.key


def test_a_retry_is_the_same_notice() -> None:
    """The same body at another time and with unknown fields reordered has the same key; other content has another."""
    once = read(call(alert()))
    assert read(call(alert()), NOW + 60).key == once.key
    assert read(dict(reversed(call(alert()).items()))).key == once.key
    assert read(call({k: v for k, v in alert().items() if k != "startsAt"})).key != once.key
    undated = {k: v for k, v in alert().items() if k != "startsAt"}
    assert read(call(undated)).key == read(call(undated), NOW + 60).key
    others = [
        call(alert(), groupKey="another"),
        call(alert(startsAt="2026-01-02T03:04:06Z")),
        call(alert(annotations={"summary": "worse"})),
        call(alert(), alert(fingerprint="another")),
        call(alert(), truncatedAlerts=3),
    ]
    assert len({once.key, *(read(other).key for other in others)}) == len(others) + 1


def test_grafanas_extra_fields_are_ignored() -> None:
    """Version 1, organisation, state, values and silence links change nothing."""
    body = call(
        alert(silenceURL="https://g.example.com/s", values={"A": 1}, dashboardURL="", panelURL="", imageURL=None),
        version="1", orgId=1, title="[FIRING:1] x", state="alerting", message="**Firing**",
    )  # fmt: skip
    found = alertmanager.notice(body, "grafana", NOW)
    assert found is not None
    assert (found.origin, found.alerts[0].labels["region"]) == ("grafana", "us-south")
    assert found.key != read(body).key


def test_what_the_sender_left_out_is_counted() -> None:
    """Its own count is carried over, and what is above our limit comes on top."""
    assert read(call(alert(), truncatedAlerts=7)).truncated == 7
    many = read(call(*[alert(fingerprint=str(n)) for n in range(values.ALERTS + 5)], truncatedAlerts=7))
    assert (len(many.alerts), many.truncated) == (values.ALERTS, 12)
    assert read(call(truncatedAlerts=3)).alerts == ()
    assert [read(call(alert(), truncatedAlerts=odd)).truncated for odd in (-1, True, "x", None, 10**30)] == [
        0, 0, 0, 0, 1_000_000,
    ]  # fmt: skip


def test_no_alerts_is_no_notice() -> None:
    """A call that tells of nothing is taken and means nothing."""
    assert alertmanager.notice(call(), "alertmanager", NOW) is None


def test_a_fingerprint_is_made_of_the_labels() -> None:
    """Without a usable one, the same labels in any order are the same alert, others another."""
    for odd in (None, 7, "", "x" * 500, "a b\n"):
        (one,) = read(call(alert(fingerprint=odd))).alerts
        (same,) = read(call(alert(fingerprint=odd, labels=dict(reversed(alert()["labels"].items()))))).alerts
        (other,) = read(call(alert(fingerprint=odd, labels={"alertname": "other"}))).alerts
        assert one.identity == same.identity != other.identity


@pytest.mark.parametrize(
    ("told", "seconds"),
    [
        ("2026-01-02T03:04:05.123456789Z", STARTED + 0.123456),
        ("2026-01-02T05:04:05+02:00", STARTED),
        ("2026-01-02T03:04:05", STARTED),
        ("0001-01-01T00:00:00Z", None),
        ("0001-01-01T00:00:00+14:00", None),
        ("1969-12-31T00:00:00Z", None),
        ("yesterday", None),
        ("2026-13-01T00:00:00Z", None),
        (STARTED, None),
        ("2" * 1000, None),
    ],
)
def test_times_are_read(told: Any, seconds: float | None) -> None:
    """Nanoseconds, offsets and none at all; the year 1 and garbage mean no time."""
    found = values.moment(told)
    assert (found is None) if seconds is None else (found is not None and abs(found - seconds) < 1e-5)


def test_without_a_start_it_began_now() -> None:
    """And what ended at no time ended now."""
    (one,) = read(call(alert("resolved", startsAt=None, endsAt="0001-01-01T00:00:00Z"))).alerts
    assert (one.starts_at, one.ends_at) == (NOW, NOW)


@pytest.mark.parametrize(
    ("status", "meant"),
    [("firing", "firing"), ("resolved", "resolved"), ("RESOLVED", "resolved"), ("suppressed", "firing"), (7, "firing")],
)
def test_a_status_of_the_future_is_looked_into(status: Any, meant: str) -> None:
    """Only what says that it is over is over."""
    assert read(call(alert(status=status))).alerts[0].status == meant


@pytest.mark.parametrize(
    "body",
    [None, 7, "x", [], {}, {"alerts": {}}, {"alerts": "x"}, {"alerts": [7]}, {"alerts": [{"labels": [1]}]},
     {"alerts": [{"annotations": "x"}]}],
)  # fmt: skip
def test_garbage_gets_a_sentence(body: Any) -> None:
    """What is no alert is refused with the place, and with nothing of the input."""
    with pytest.raises(Refused, match="not the alert payload"):
        alertmanager.notice(body, "alertmanager", NOW)


def test_the_input_is_not_echoed() -> None:
    """A word in the wrong place does not come back."""
    with pytest.raises(Refused) as told:
        read({"alerts": [{"labels": "hunter2"}]})
    assert "hunter2" not in str(told.value)
    assert "alerts[0].labels" in str(told.value)


def test_labels_are_cut_and_cleaned() -> None:
    """Long names, long values, many of them, control characters, numbers and nests: kept to the limits, or dropped."""
    labels: dict[str, Any] = {f"n{number}": "x" for number in range(500)}
    odd = {"a\x00b": "c\x00d\r\ne\u2028", "long": "y" * 5000, "n" * 500: "z", "number": 7, "big": 10**400,
           "true": True, "none": None, "list": [1], "": "nameless"}  # fmt: skip
    (one,) = read(call(alert(labels={**odd, **labels}))).alerts
    assert len(one.labels) == values.LABELS
    assert one.labels["ab"] == "cd e\u2028"
    assert len(one.labels["long"]) == values.LABEL
    assert one.labels["long"].endswith("…")
    assert (one.labels["number"], one.labels["true"]) == ("7", "true")
    assert all(len(name) <= values.NAME for name in one.labels)
    assert not {"none", "list", "", "big"} & set(one.labels)


@pytest.mark.parametrize(
    "link",
    ["javascript:alert(1)", "file:///etc/passwd", "https://user:pass@example.com/", "https://", "http://[", 7, None,
     "https://example.com/" + "x" * 3000],
)  # fmt: skip
def test_only_plain_http_links_are_kept(link: Any) -> None:
    """Other schemes, logins inside, and endless ones are dropped; the alert is not."""
    (one,) = read(call(alert(generatorURL=link))).alerts
    assert one.link == ""


@given(NAMED | ANYTHING)
def test_any_json_is_a_notice_or_a_sentence(body: Any) -> None:
    """Nothing else can come of it, and a notice can always be stored as JSON again."""
    try:
        found = alertmanager.notice(body, "alertmanager", NOW)
    except Refused as told:
        assert told.what.endswith(".")
        return
    if found is not None:
        stored = found.model_dump_json()
        assert Notice.model_validate_json(stored) == found
        assert "\\u0000" not in stored
        assert len(stored) < 100_000


@given(st.dictionaries(st.text(), st.text()), st.dictionaries(st.text(), st.text()))
def test_labels_can_hold_anything(labels: dict[str, str], annotations: dict[str, str]) -> None:
    """Any names and values are kept within limits; twice the same body is the same notice."""
    body = json.loads(json.dumps(call(alert(labels=labels, annotations=annotations))))
    found = read(body)
    assert found.key == read(body, NOW + 1).key
    for name, value in found.alerts[0].labels.items():
        assert 0 < len(name) <= values.NAME
        assert len(value) <= values.LABEL
        assert not any(c < " " or "\x7f" <= c < "\xa0" for c in name + value)
