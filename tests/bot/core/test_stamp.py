"""Times beside secrets: read back as written, and nothing else is taken for one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core import stamp


@given(st.floats(min_value=0, max_value=250_000_000_000))
def test_read_as_written(at: float) -> None:
    """To the second, for any time that has four digits of a year."""
    assert stamp.read(stamp.noted(at).reveal()) == int(at)


@pytest.mark.parametrize(
    "text",
    ["", "2026-02-31T00:00:00Z", "2026-01-01T00:00:00", "2026-01-01T00:00:00Z\n", " 2026-01-01T00:00:00Z",
     "٢٠٢٦-01-01T00:00:00Z", "0000-01-01T00:00:00Z", "2026-01-01T24:00:00Z", "hvs.something-secret"],
)  # fmt: skip
def test_anything_else_is_none(text: str) -> None:
    """A date that there is not, another spelling, a secret that somebody put there."""
    assert stamp.read(text) is None


@given(st.text(max_size=40))
def test_any_text_is_read(text: str) -> None:
    """Never an error."""
    found = stamp.read(text)
    assert found is None or stamp.noted(found).reveal() == text
