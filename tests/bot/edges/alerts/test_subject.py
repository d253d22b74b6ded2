"""Titles and bodies that Alertmanager and Grafana write are read back as far as they can be."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.edges.alerts import subject, values

NAME = "armada-deploy/armada_kubx_deployer_redhat_auth"
GRAFANA = f"""**Firing**

Value: A=10, C=1
Labels:
 - alertname = {NAME}
 - region = us-south
Annotations:
 - summary = consistent failures
 - description = line one
line two = three
Source: https://grafana.example.com/alerting/grafana/x/view
Silence: https://grafana.example.com/alerting/silence/new
Dashboard: https://grafana.example.com/d/x

**Resolved**

Value: A=0
Labels:
 - alertname = {NAME}
 - region = eu-de
Annotations:
Source: https://grafana.example.com/alerting/grafana/y/view
"""


@pytest.mark.parametrize(
    ("title", "status", "count", "name"),
    [
        (f"[FIRING:1] {NAME} (armada-kubx-deployer critical)", "firing", 1, NAME),
        (f"[FIRING:12] {NAME}", "firing", 12, NAME),
        (f"[RESOLVED] {NAME} us-south (critical)", "resolved", 1, NAME),
        (f"[RESOLVED:3] {NAME}", "resolved", 3, NAME),
        (f"[FIRING:1, RESOLVED:2] {NAME} Folder", "firing", 3, NAME),
        (f"[FIRING:2]  ({NAME} us-south critical)", "firing", 2, NAME),
        (f":rotating_light: *[firing:1]* {NAME}".replace("*", ""), "firing", 1, NAME),
        ("[FIRING:1]", "firing", 1, ""),
    ],
)
def test_titles_are_read(title: str, status: str, count: int, name: str) -> None:
    """Status, count and the likely name; the name is the group's first value, else the first of the others."""
    found = subject.read(title)
    assert found is not None
    assert (found.status, found.count, found.name) == (status, count, name)


@pytest.mark.parametrize("title", ["", "FIRING:1 x", "[OK] fine", "firing range", "x" * 41 + "[FIRING:1] far in"])
def test_other_titles_are_none(title: str) -> None:
    """Without the mark near its beginning it is not theirs."""
    assert subject.read(title) is None


def test_the_group_stays_while_the_alerts_change() -> None:
    """Firing, more of it, and resolved have the same group."""
    titles = (f"[FIRING:1] {NAME} x (a b)", f"[FIRING:2] {NAME} x (a)", f"[RESOLVED] {NAME} x (a c)")
    assert len({found.group for title in titles if (found := subject.read(title))}) == 1


def test_a_body_lists_its_alerts() -> None:
    """Two sections, two alerts, their labels and texts; a line that begins nothing belongs to what went before."""
    one, other = subject.alerts(GRAFANA, "firing")
    assert (one.status, one.labels) == ("firing", {"alertname": NAME, "region": "us-south"})
    assert one.annotations["description"] == "line one\nline two = three"
    assert one.link == "https://grafana.example.com/alerting/grafana/x/view"
    assert (other.status, other.labels["region"], other.annotations) == ("resolved", "eu-de", {})


def test_a_body_without_headings_has_the_titles_status() -> None:
    """As in the runbook's example, which is Alertmanager's list of alerts."""
    body = f"Labels:\n - alertname = {NAME}\n - severity = critical\nAnnotations:\n - summary = bad"
    (one,) = subject.alerts(body, "resolved")
    assert (one.status, one.labels["severity"], one.annotations) == ("resolved", "critical", {"summary": "bad"})


@given(st.text() | st.lists(st.sampled_from(GRAFANA.splitlines()), max_size=30).map("\n".join))
def test_any_body_is_read_within_limits(body: str) -> None:
    """Any text gives a list, maybe an empty one, of alerts that fit."""
    for alert in subject.alerts(body, "firing"):
        assert len(alert.labels) <= values.LABELS
        assert all(len(value) <= values.ANNOTATION for value in alert.annotations.values())
    subject.read(body)


@given(
    st.dictionaries(
        st.from_regex(r"[a-z_]{1,20}", fullmatch=True),
        st.text(st.characters(categories=["L", "N", "P"]), min_size=1),
        min_size=1,
    )
)
def test_what_grafana_writes_is_read_back(labels: dict[str, str]) -> None:
    """Labels of one line come back as they were."""
    body = "**Firing**\n\nLabels:\n" + "".join(f" - {k} = {v}\n" for k, v in labels.items()) + "Annotations:\n"
    (one,) = subject.alerts(body, "firing")
    assert one.labels == labels
