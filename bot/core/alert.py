"""Alerts as they come in, whatever sent them. All of it is hostile input: text to show, never to interpret."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import Field

from bot.core.value import Value

Origin = Literal["alertmanager", "grafana", "pagerduty", "channel", "hand"]


class Alert(Value):
    """One alert. `identity` tells it from others (the sender's fingerprint, or a hash of the labels); together with
    `starts_at` (seconds since the epoch) it is one occurrence. A sender that does not say when it began (a message in a
    channel) gets the time of its message; so a resolved alert ends every occurrence of its identity that began before
    its `ends_at`. Texts are cut to limits by whoever parses them."""

    identity: str = Field(min_length=1, max_length=128)
    status: Literal["firing", "resolved"]
    labels: dict[str, str] = Field(default_factory=dict)
    annotations: dict[str, str] = Field(default_factory=dict)
    starts_at: float
    ends_at: float | None = None
    link: str = ""  # where the sender says it comes from; shown as text, never fetched

    @property
    def name(self) -> str:
        return self.labels.get("alertname", "")


class Notice(Value):
    """What one webhook call or one channel message said.

    `key` makes taking it twice taking it once (source, group, content). `channel` and `ts` are the message to answer
    in the thread of. `text` is what a person or a log posted, where there are no labels. `truncated`: alerts that the
    sender left out.
    """

    key: str = Field(min_length=1, max_length=256)
    origin: Origin
    group: str = ""
    alerts: tuple[Alert, ...] = ()
    text: str = Field(default="", max_length=8000)
    channel: str | None = None
    ts: str | None = None
    link: str = ""
    truncated: int = 0


class Matcher(Value):
    """One condition on a label: equal, or a regular expression that fits the whole value."""

    label: str
    equal: str | None = None
    regex: str | None = None

    def fits(self, labels: dict[str, str]) -> bool:
        value = labels.get(self.label, "")
        if self.equal is not None:
            return value == self.equal
        return self.regex is not None and re.fullmatch(self.regex, value[:1024]) is not None


def specificity(matchers: tuple[Matcher, ...]) -> tuple[int, int]:
    """More conditions before fewer, equality before expressions."""
    return len(matchers), sum(m.equal is not None for m in matchers)
