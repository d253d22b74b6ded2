"""Standing approvals cover exactly what they say, until the day they say."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.engine import standing
from bot.settings import Standing

NOON = datetime(2026, 5, 31, 12, tzinfo=UTC).timestamp()
MIDNIGHT = datetime(2026, 6, 1, tzinfo=UTC).timestamp()


def approval(until: str = "2026-05-31", **ask: Any) -> Standing:
    return Standing(owner="U1", command="rotate", ask=ask, until=until)


def test_covers_until_the_last_day_has_ended() -> None:
    """The last second of the last day is covered, the next one is not."""
    standings = {"nightly": approval(only="a")}
    for now, name in ((NOON, "nightly"), (MIDNIGHT - 0.001, "nightly"), (MIDNIGHT, None)):
        assert standing.covering(standings, "rotate", {"only": "a"}, now) == name


@pytest.mark.parametrize(
    ("command", "ask"),
    [("other", {"n": 1}), ("rotate", {}), ("rotate", {"n": 1, "more": None}), ("rotate", {"n": True}), ("rotate", {"n": 1.0}),
     ("rotate", {"n": "1"}), ("rotate", {"n": [1]}), ("rotate", {"n": float("nan")}), ("rotate", {"n": object()})],
)  # fmt: skip
def test_another_command_or_parameter_is_not_covered(command: str, ask: dict[str, Any]) -> None:
    """A missing, additional or differently typed parameter is not the one that was approved."""
    assert standing.covering({"nightly": approval(n=1)}, command, ask, NOON) is None
    assert standing.covering({"nightly": approval(n=1)}, "rotate", {"n": 1}, NOON) == "nightly"


@pytest.mark.parametrize(
    "until", ["", "never", "2026-13-01", "20260601", "2026-W30-1", "9999-12-31", "2026-06-01T00:00", "２０２７-01-01"]
)
def test_what_is_no_date_covers_nothing(until: str) -> None:
    """Only YYYY-MM-DD, and a real day, counts; the last day of the calendar has no end and counts as none."""
    assert standing.covering({"nightly": approval(until)}, "rotate", {}, NOON) is None


def test_the_longest_lasting_is_named() -> None:
    """Of several that cover, the one with the latest date is named, whatever the order in the settings."""
    one, two = {"a": approval("2026-06-01")}, {"b": approval("2026-07-01")}
    assert standing.covering(one | two, "rotate", {}, NOON) == standing.covering(two | one, "rotate", {}, NOON) == "b"


@given(
    until=st.dates(max_value=date(9998, 12, 31), min_value=date(1970, 1, 1)), seconds=st.integers(-86400 * 3, 86400 * 3)
)
def test_covers_iff_the_day_has_not_passed(until: date, seconds: int) -> None:
    """Covered exactly when the UTC date of now is not after the last day."""
    now = datetime(until.year, until.month, until.day, tzinfo=UTC).timestamp() + seconds
    covered = standing.covering({"x": approval(until.isoformat())}, "rotate", {}, now) == "x"
    assert covered is (datetime.fromtimestamp(now, UTC).date() <= until)
