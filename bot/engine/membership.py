"""Who is in a Slack user group, remembered for a while: Slack answers only 20 such questions a minute."""

from __future__ import annotations

from collections.abc import Callable

from bot.core.ports import Membership


class RecentMembership:
    """`bot.core.ports.Membership`, remembered for `keep` seconds: good enough for who may ask and for what is shown,
    never for who may approve."""

    def __init__(self, fresh: Membership, clock: Callable[[], float], keep: float = 60) -> None:
        self._fresh, self._clock, self._keep = fresh, clock, keep
        self._known: dict[str, tuple[float, frozenset[str]]] = {}

    def of(self, slack_group: str) -> frozenset[str]:
        at, users = self._known.get(slack_group, (float("-inf"), frozenset[str]()))
        if self._clock() - at < self._keep:
            return users
        users = self._fresh.of(slack_group)
        self._known[slack_group] = (self._clock(), users)
        return users
