"""An incident: one story, one thread, from the first alert to its end. What the engine keeps and an edge renders."""

from __future__ import annotations

from enum import StrEnum

from bot.core.alert import Alert
from bot.core.checklist import Tick
from bot.core.diagnosis import Diagnosis
from bot.core.value import Value
from bot.core.view import Trouble

__all__ = ["Tick"]  # defined elsewhere, known from here


class IncidentState(StrEnum):
    OPEN = "open"
    QUIET = "quiet"  # over or resolved; closed when it stays so
    CLOSED = "closed"
    HANDED_OVER = "handed_over"  # watched for the longest time; people go on


class IncidentView(Value):
    """All a person can be told about an incident. Times are seconds since the epoch, UTC."""

    id: str  # "i-…"
    revision: int
    handler: str
    key: str
    state: IncidentState
    opened_at: float
    closed_at: float | None = None
    looked_at: float | None = None
    next_look_at: float | None = None
    firing: int = 0
    resolved: int = 0
    truncated: int = 0
    notices: int = 0
    alerts: tuple[Alert, ...] = ()  # a few of them, newest first
    diagnosis: Diagnosis | None = None
    trouble: Trouble | None = None  # the diagnosis itself failed
    ticks: tuple[Tick, ...] = ()
    owner: str | None = None  # who took it ("I am on it")
    runs: tuple[str, ...] = ()  # runs that its offers started
    channel: str | None = None
    ts: str | None = None
