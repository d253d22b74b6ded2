"""A picture as data, for an incident or an answer; an edge draws it."""

from __future__ import annotations

from bot.core.value import Value


class Series(Value):
    """One line of a chart: (seconds since the epoch, value) in order of time; None is a gap."""

    name: str
    points: tuple[tuple[float, float | None], ...]
    bad: bool = False


class Chart(Value):
    """One picture. `alt` says in words what it shows, with the numbers."""

    title: str
    unit: str
    series: tuple[Series, ...]
    begins: float | None = None  # the incident's start, marked
    threshold: float | None = None
    alt: str
