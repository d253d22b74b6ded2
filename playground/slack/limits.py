"""How often each method may be called (facts/slack.md section 5): token buckets."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from playground.slack.errors import Limited

PER_MINUTE = {1: 1, 2: 20, 3: 50, 4: 100, 0: 300}  # by tier; 0 stands for Slack's "special"
POST_BURST = 4


@dataclass
class Bucket:
    level: float
    at: float


class Limits:
    """Refuses what is too often. A burst of a whole minute's calls is tolerated, and some posts in one channel."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._buckets: dict[tuple[str, str], Bucket] = {}

    def count(self, method: str, tier: int, channel: str) -> None:
        """Count a call; Limited when it is one too many."""
        if method == "chat.postMessage":
            self._take((method, channel), rate=1.0, most=POST_BURST)
        self._take((method, ""), rate=PER_MINUTE[tier] / 60, most=PER_MINUTE[tier])

    def _take(self, key: tuple[str, str], *, rate: float, most: int) -> None:
        now = self._clock()
        bucket = self._buckets.setdefault(key, Bucket(most, now))
        bucket.level = min(most, bucket.level + max(0.0, now - bucket.at) * rate)
        bucket.at = now
        if bucket.level < 1:
            raise Limited(max(1, math.ceil((1 - bucket.level) / rate)))
        bucket.level -= 1
