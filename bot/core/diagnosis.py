"""What a handler finds out about an alert. A value: the same object is stored, shown and compared with the next one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from pydantic import Field

from bot.core.alert import Alert, Matcher
from bot.core.chart import Chart, Series
from bot.core.checklist import Offer, RunbookStep
from bot.core.handler import HandlerSettings
from bot.core.plan import Note, Table
from bot.core.ports import ReadTools
from bot.core.value import Value

__all__ = ["Chart", "Offer", "RunbookStep", "Series"]  # defined elsewhere, known from here


class Mood(StrEnum):
    """How bad it is, for colour, sign and word (never colour alone)."""

    GOOD = "good"
    WATCH = "watch"  # degraded, or over but not yet quiet long enough
    BAD = "bad"
    UNKNOWN = "unknown"  # could not be found out, which is not good


class Diagnosis(Value):
    """A verdict with its reason.

    `verdict` is a short stable word (a change of it is told in the thread), `title` one sentence, `reason` the rule
    and the numbers behind it. `unchecked`: what could not be checked (label) and how to do it by hand (text).
    `over`: nothing is failing any more; after a quiet time the incident is closed. `earlier`: it began before `since`,
    which is only as far back as was looked.
    """

    verdict: str = Field(max_length=40)
    mood: Mood
    title: str = Field(min_length=1, max_length=150)
    reason: tuple[str, ...] = ()
    since: float | None = None
    earlier: bool = False
    evidence: tuple[Note, ...] = ()
    table: Table | None = None
    chart: Chart | None = None
    links: tuple[Note, ...] = ()  # label and address, from the settings only, never from an alert
    unchecked: tuple[Note, ...] = ()
    steps: tuple[RunbookStep, ...] = ()
    offers: tuple[Offer, ...] = ()
    runbook: str = ""
    over: bool = False


class Subject(Value):
    """What is to be diagnosed: the alerts of an incident (none when asked by hand), and its key, such as a region."""

    incident: str
    key: str
    alerts: tuple[Alert, ...] = ()
    text: str = ""
    began: float
    options: dict[str, Any] = Field(default_factory=dict)  # by hand: the parameters


class Watching(Value):
    """How an incident is followed. Seconds."""

    every: float = 120
    quiet: float = 1800  # this long over (or resolved) closes it
    longest: float = 12 * 3600  # then it is handed to people


@dataclass(frozen=True)
class AlertHandler:
    """What answers an alert. `diagnose(subject, settings, tools)` looks and changes nothing.

    `key(alert)` says which incident an alert belongs to ("" when the alert does not tell: it then joins the open
    incident of this handler, if there is one); `keyed(settings)` makes it where the handler's settings decide.
    `recognises(text)` is for posted logs and messages without labels.
    """

    name: str
    summary: str
    settings: type[HandlerSettings]
    matchers: tuple[tuple[Matcher, ...], ...]
    diagnose: Callable[[Subject, Any, ReadTools], Diagnosis]
    key: Callable[[Alert], str] = lambda _: ""
    recognises: Callable[[str], bool] = lambda _: False
    watching: Watching = field(default_factory=Watching)
    runbook: str = ""
    keyed: Callable[[Any], Callable[[Alert], str]] | None = None

    def knowing(self, settings: HandlerSettings) -> AlertHandler:
        """This handler with the key that its settings decide."""
        return replace(self, key=self.keyed(settings)) if self.keyed else self
