"""Lengths of time as Go writes them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.ocm import seconds


@pytest.mark.parametrize(
    ("text", "length"),
    [("12h", 43200.0), ("1h30m", 5400.0), ("90s", 90.0), ("0.5h", 1800.0), ("1m500ms", 60.5), ("0s", None), ("", None),
     ("12", None), ("12 h", None), ("-1h", None), ("1d", None), ("h", None), ("1h\n", None), ("१h", None)],
)  # fmt: skip
def test_durations(text: str, length: float | None) -> None:
    """As Go's ParseDuration reads them; a length of nothing is none."""
    assert seconds(text) == length


@given(st.text())
def test_anything(text: str) -> None:
    """No text raises, and a length is always positive."""
    found = seconds(text)
    assert found is None or found > 0
