"""The engine as the edges and the command line see it.

Edges and engine do not know each other: `bot.app` joins them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Protocol

from bot.core.alert import Notice
from bot.core.handler import Handler
from bot.core.incident import IncidentView
from bot.core.intake import Decision, Outcome, Request
from bot.core.inventory import Holding
from bot.core.people import Rule
from bot.core.secret import Secret
from bot.core.value import Value
from bot.core.view import RunView


class AuditEntry(Value):
    """One line of the audit log. `hash` covers everything else here and the hash of the entry before."""

    number: int
    at: float
    who: str
    what: str  # "asked", "proposed", "approved", "step_done", "refused_decision", …
    run: str | None
    facts: dict[str, Any]
    before: str
    hash: str


class ScheduleView(Value):
    name: str
    command: str
    text: str
    every: float  # seconds
    next_at: float
    last_at: float | None = None
    last_run: str | None = None
    standing: str | None = None  # name of the standing approval that covers it, if any
    trouble: str | None = None  # the run with the trouble that people were told of, until one ends without


class IncidentDesk(Protocol):
    """The part of the desk that takes alerts in. Blocks as the rest does, and raises Transient likewise."""

    def notice(self, notice: Notice) -> tuple[str, ...]:
        """Store a notice and what follows from it (its alerts, its incidents, their next look), in one transaction.
        Returns the ids of the incidents it belongs to, none when no handler answers such alerts. The same `key` again
        returns the same ids and does nothing."""
        ...

    def incidents(self, *, open_only: bool = False, limit: int = 20) -> tuple[IncidentView, ...]:
        """Newest first."""
        ...

    def incident(self, incident: str) -> IncidentView | None: ...

    def incident_action(
        self, key: str, incident: str, user: str, action: Literal["take", "tick", "look", "close"], step: str = ""
    ) -> Outcome:
        """What a person does in an incident's thread: take it on, tick a step of the runbook (`step` is its name), have
        it looked at now, close it. The same `key` again returns the same outcome. Never raises for a refusal: the
        outcome tells (its `run` is the incident's id), and the refusal is audited."""
        ...


class Desk(IncidentDesk, Protocol):
    """Everything blocks (a few milliseconds, on the store); call it from a thread in async code.

    All raise Transient when the store does not answer within its time (2 s).
    """

    @property
    def handlers(self) -> Mapping[str, Handler]:
        """The enabled commands by name."""
        ...

    def rule(self, command: str) -> Rule: ...

    def ask(self, request: Request) -> str:
        """Store the request and enqueue its planning, in one transaction; returns the run's id. The same
        `key` again returns the same id and does nothing. Refused (and audited) if the asker may not ask."""
        ...

    def decide(self, decision: Decision) -> Outcome:
        """Take a decision: the rule, the digest and the state are checked here. Never raises for a refusal:
        the outcome tells, and the refusal is audited. Cancel: the asker or an approver, while proposed."""
        ...

    def tick(self, key: str, run: str, step: str, user: str, *, done: bool = True) -> Outcome:
        """Tick a step of an answer's checklist (`step` is its name), or take one's own tick back. The same `key` again
        returns the same outcome. Who may ask for the command may tick. Never raises for a refusal: the outcome tells,
        and the refusal is audited."""
        ...

    def hand_in(self, key: str, run: str, name: str, user: str, secret: Secret) -> Outcome:
        """Take a secret that the answer of this run wants (`name`), put it into Vault, and ask for what follows. Only
        who may ask for that command may. Reaches Vault: seconds. Never stored, never raised in an error; what is
        audited is that it was handed in. The same `key` again is the same outcome."""
        ...

    def sign_in(self, key: str, run: str, name: str, user: str) -> Outcome:
        """Begin a sign-in that the answer of this run wants; the link goes to this person alone."""
        ...

    def run(self, run: str) -> RunView | None: ...

    def runs(self, *, open_only: bool = False, limit: int = 20) -> tuple[RunView, ...]:
        """Newest first."""
        ...

    def waiting_for(self, user: str, *, limit: int = 20) -> tuple[RunView, ...]:
        """Proposals this person may decide, soonest expiry first."""
        ...

    def schedules(self) -> tuple[ScheduleView, ...]: ...

    def inventory(self) -> tuple[Holding, ...]:
        """The credentials that the handlers look after, as they were last looked at: those that need somebody first,
        then the soonest expiry."""
        ...

    def ask_again(self, key: str, run: str, user: str) -> Outcome:
        """Ask for the same once more, after a run that ended in any way but well: the new plan holds what is not so.
        The same `key` again returns the same outcome. Never raises for a refusal: the outcome tells (its `run` is the
        new run's id if there is one), and the refusal is audited."""
        ...

    def audit(self, *, limit: int = 20, run: str | None = None) -> tuple[AuditEntry, ...]:
        """The newest entries, oldest of them first."""
        ...

    def refuse(self, who: str, what: str, facts: dict[str, Any]) -> None:
        """Put a refusal at an edge (bad signature, unknown action, foreign payload) into the audit log."""
        ...

    def check(self) -> None:
        """Is the store there and does the executor live? Raises Transient with a sentence if not."""
        ...
