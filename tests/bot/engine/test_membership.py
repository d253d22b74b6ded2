"""Membership remembered for a while."""

from __future__ import annotations

import pytest

from bot.core.errors import Transient
from bot.engine.membership import RecentMembership


class Slack:
    """Answers once, then never again."""

    asked = 0

    def of(self, slack_group: str) -> frozenset[str]:
        self.asked += 1
        if self.asked > 1:
            raise Transient(f"Slack does not say who is in {slack_group}.")
        return frozenset({"U1"})


def test_kept_for_a_minute() -> None:
    """Within the minute Slack is not asked again; after it, it is."""
    now, slack = [0.0], Slack()
    members = RecentMembership(slack, lambda: now[0])
    assert members.of("S1") == {"U1"}
    now[0] = 59
    assert (members.of("S1"), slack.asked) == ({"U1"}, 1)
    now[0] = 61
    with pytest.raises(Transient):
        members.of("S1")


def test_each_group_by_itself() -> None:
    """What is known of one group says nothing of another."""
    members = RecentMembership(Slack(), lambda: 0.0)
    assert members.of("S1") == {"U1"}
    with pytest.raises(Transient):
        members.of("S2")
