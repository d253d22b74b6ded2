"""What a message should show now. The engine keeps it, an edge renders it; neither knows the other."""

from __future__ import annotations

from enum import StrEnum

from pydantic import SerializeAsAny

from bot.core.checklist import Tick
from bot.core.handing_in import HandedIn
from bot.core.plan import Answer, Plan, Report
from bot.core.value import Value


class State(StrEnum):
    """Where a run stands. The first four are open, the rest final."""

    ASKED = "asked"  # stored, being planned
    PROPOSED = "proposed"  # waits for a decision
    APPROVED = "approved"  # enough people agreed; waits for its turn
    APPLYING = "applying"
    DONE = "done"  # applied and verified
    PARTLY = "partly"  # go_on: some steps failed, the rest is done
    UNDONE = "undone"  # a step failed and what was done is put back
    STOPPED = "stopped"  # a step failed and what was done stays, or the undo failed
    DENIED = "denied"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    SUPERSEDED = "superseded"  # a newer plan stands in its place
    ANSWERED = "answered"  # a command that changes nothing
    REFUSED = "refused"  # could not be planned


OPEN = frozenset({State.ASKED, State.PROPOSED, State.APPROVED, State.APPLYING})


class StepState(StrEnum):
    WAITING = "waiting"
    ALREADY = "already"  # the world was so before we did anything
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    UNDONE = "undone"
    UNDO_FAILED = "undo_failed"


class Trouble(Value):
    """An error as told to people."""

    what: str
    now: str = ""


class StepView(Value):
    stage: int
    place: int
    says: str
    reversible: bool
    state: StepState = StepState.WAITING
    trouble: Trouble | None = None
    progress: str = ""  # how far it is, while it runs


class DecisionView(Value):
    """Who decided what, when (seconds since the epoch)."""

    user: str
    verdict: str  # "approve" | "deny" | "cancel"
    at: float
    reason: str = ""


class RunView(Value):
    """All a person can be told about a run. Times are seconds since the epoch, UTC."""

    id: str
    revision: int
    command: str
    text: str = ""  # what the asker typed after the command
    asker: str  # Slack user id, "cli:<name>" or "schedule:<name>"
    source: str
    state: State
    asked_at: float
    proposed_at: float | None = None
    expires_at: float | None = None
    finished_at: float | None = None
    plan: SerializeAsAny[Plan] | None = None
    digest: str | None = None
    answer: Answer | None = None
    report: Report | None = None  # what the handler saw after it was applied
    ticks: tuple[Tick, ...] = ()  # of the answer's checklist
    handed_in: tuple[HandedIn, ...] = ()  # of what the answer wanted
    steps: tuple[StepView, ...] = ()
    decisions: tuple[DecisionView, ...] = ()
    approvals_needed: int = 1
    approver_groups: tuple[str, ...] = ()
    trouble: Trouble | None = None
    supersedes: str | None = None
    superseded_by: str | None = None
    standing: str | None = None  # the standing approval it runs under
    channel: str | None = None  # where its message is, if it has one
    ts: str | None = None


class NoteView(Value):
    """A line in a run's thread: plain text, and whom to mention (Slack user or user group ids). `lines` go under it."""

    run: str
    text: str
    mention: tuple[str, ...] = ()
    lines: tuple[str, ...] = ()
