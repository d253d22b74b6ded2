"""What a cluster's insights-config says of transfers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.pull_secret_wish import read


@pytest.mark.parametrize(
    ("text", "endpoint", "interval", "unclear"),
    [
        ("clusterTransfer:\n  endpoint: https://a.example.com/x\n  interval: 2h\n", "https://a.example.com/x", 7200, 0),
        ("dataReporting:\n  interval: 2h\n", "", None, 0),
        ("", "", None, 0),
        ("clusterTransfer: yes\n", "", None, 0),
        ("clusterTransfer: {interval: soon}\n", "", None, 1),
        ("clusterTransfer: {interval: 2}\n", "", None, 1),
        ("clusterTransfer: {endpoint: [1]}\n", "", None, 1),
        ("- a\n", "", None, 1),
        ("a: b: c", "", None, 1),
        ("a: &a [*a]\nclusterTransfer: {interval: 1h}\n", "", 3600, 0),
        ("x: " + "y" * 70_000, "", None, 1),
        ("!!python/object/apply:os.system [true]", "", None, 1),
        ("a: 2026-99-99", "", None, 1),
    ],
)
def test_insights_config(text: str, endpoint: str, interval: float | None, unclear: int) -> None:
    """Endpoint and interval; what cannot be understood is told of once, and counts as not said."""
    found = read(text)
    assert (found.endpoint, found.interval, len(found.unclear)) == (endpoint, interval, unclear)


@given(st.text(alphabet="ab:{}[]&*!-? \n'\"\t%", max_size=40))
def test_anything(text: str) -> None:
    """Whatever somebody wrote there, it is read or told of."""
    assert read(text) is not None
