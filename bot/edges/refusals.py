"""Requests that were turned away at an HTTP door: counted each time, put into the audit log once a minute."""

from __future__ import annotations

from collections.abc import Callable

from bot.core.errors import Told
from bot.edges.parts import Parts

QUIET = 60.0  # seconds between audit entries of one reason: strangers must not be able to fill the store


class Refusals:
    def __init__(self, parts: Parts, clock: Callable[[], float]) -> None:
        self._parts, self._clock = parts, clock
        self._heard: dict[tuple[str, str], tuple[float, int]] = {}

    def note(self, reason: str, who: str = "unknown") -> None:
        """Both are words of ours; nothing of the request goes into the log."""
        self._parts.metrics.refusals.labels(reason).inc()
        at, unsaid = self._heard.get((reason, who), (float("-inf"), 0))
        if self._clock() - at < QUIET:
            self._heard[reason, who] = (at, unsaid + 1)
        else:
            self._heard[reason, who] = (self._clock(), 0)
            self._parts.threads.start(self._audit(reason, who, unsaid))

    async def _audit(self, reason: str, who: str, unsaid: int) -> None:
        try:
            await self._parts.threads.call(self._parts.desk.refuse, who, reason, {"unsaid_before": unsaid})
        except Told:
            self._heard.pop((reason, who), None)  # not told, so the next one is
