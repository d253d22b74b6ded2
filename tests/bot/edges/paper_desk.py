"""The desk of the edge's tests: it keeps its rows in memory."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import Field

from bot.core.alert import Notice
from bot.core.desk import AuditEntry, ScheduleView
from bot.core.errors import Refused, Transient
from bot.core.handing_in import Invited
from bot.core.handler import Ask, Handler, HandlerSettings
from bot.core.incident import IncidentView
from bot.core.intake import Decision, Outcome, Request
from bot.core.inventory import Holding
from bot.core.people import Rule
from bot.core.plan import Plan, Stage, Step
from bot.core.secret import Secret
from bot.core.view import RunView, State, StepView

ASKER, APPROVER, STRANGER = "U0ASKER", "U0APPROVER", "U0STRANGER"


class Rotate(Ask):
    only: Literal["alpha", "beta"] | None = Field(
        default=None, description="One of them", json_schema_extra={"positional": True}
    )


class Grant(Ask):
    who: str = Field(description="Who gets it", json_schema_extra={"positional": True})


class Nothing(Step):
    kind: Literal["test.nothing"] = "test.nothing"

    def says(self) -> str:
        return "Do nothing at all"


def _no_plan(ask: Any, settings: Any, tools: Any) -> Plan:
    raise Refused("The desk of these tests does not plan.")


HANDLERS = {
    "rotate-demo": Handler("rotate-demo", "Rotate the demo", Rotate, HandlerSettings, _no_plan, example="alpha"),
    "grant-demo": Handler("grant-demo", "Grant something", Grant, HandlerSettings, _no_plan, example="somebody"),
}


@dataclass
class PaperDesk:
    """The other side of bot.core.desk.Desk, on dictionaries: enough rules to see what the edge makes of the answers."""

    handlers: Mapping[str, Handler] = field(default_factory=lambda: HANDLERS)
    down: bool = False
    broken: bool = False
    hold: threading.Event | None = None  # until then the store answers nobody
    requests: dict[str, Request] = field(default_factory=dict)
    decisions: dict[str, Outcome] = field(default_factory=dict)
    decided: list[Decision] = field(default_factory=list)
    views: dict[str, RunView] = field(default_factory=dict)
    refusals: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)
    notices: dict[str, Notice] = field(default_factory=dict)
    noticed: int = 0  # calls, repeats included
    stories: dict[str, IncidentView] = field(default_factory=dict)
    held: tuple[Holding, ...] = ()
    again: dict[str, tuple[str, str]] = field(default_factory=dict)  # key -> run, user
    given: dict[str, tuple[str, str, str, Secret | None]] = field(default_factory=dict)  # key -> run, name, user, what
    acted: dict[str, tuple[str, str, str, str]] = field(default_factory=dict)  # key -> incident, user, action, step
    lock: threading.Lock = field(default_factory=threading.Lock)

    def _store(self) -> None:
        if self.hold:
            assert self.hold.wait(60)
        if self.broken:
            raise RuntimeError("a fault with a secret in its text")
        if self.down:
            raise Transient("The store did not answer.", "It is tried again by itself.")

    def rule(self, command: str) -> Rule:
        return Rule(approve=("approvers",))

    def ask(self, request: Request) -> str:
        self._store()
        if request.asker == STRANGER:
            raise Refused("You may not ask for this command.", "Ask someone in oncall to do it.")
        with self.lock:
            self.requests.setdefault(request.key, request)
            run = f"r-{list(self.requests).index(request.key):07d}"
            self.views.setdefault(run, view(run, request))
            return run

    def decide(self, decision: Decision) -> Outcome:
        self._store()
        with self.lock:
            if decision.key not in self.decisions:
                self.decisions[decision.key] = self._outcome(decision)
            return self.decisions[decision.key]

    def _outcome(self, decision: Decision) -> Outcome:
        run = self.views.get(decision.run)
        if run is None:
            return Outcome(accepted=False, told="There is no such run.", run=decision.run)
        if decision.user != APPROVER:
            return Outcome(accepted=False, told="You may not decide this plan.", run=decision.run)
        if decision.digest not in (None, run.digest):
            return Outcome(accepted=False, told="The plan has changed since.", run=decision.run)
        if run.state is not State.PROPOSED:
            return Outcome(accepted=False, told="It is decided already.", run=decision.run)
        self.decided.append(decision)
        state = {"approve": State.APPROVED, "deny": State.DENIED, "cancel": State.CANCELLED}[decision.verdict]
        self.views[run.id] = run.model_copy(update={"state": state})
        return Outcome(accepted=True, told=f"Thank you: {decision.verdict} counted.", run=decision.run)

    def tick(self, key: str, run: str, step: str, user: str, *, done: bool = True) -> Outcome:
        self._store()
        with self.lock:
            self.acted.setdefault(key, (run, user, "tick" if done else "untick", step))
        return Outcome(accepted=True, told="Noted.", run=run)

    def run(self, run: str) -> RunView | None:
        self._store()
        return self.views.get(run)

    def runs(self, *, open_only: bool = False, limit: int = 20) -> tuple[RunView, ...]:
        self._store()
        return tuple(reversed(self.views.values()))[:limit]

    def waiting_for(self, user: str, *, limit: int = 20) -> tuple[RunView, ...]:
        self._store()
        waiting = [v for v in self.views.values() if v.state is State.PROPOSED]
        return tuple(waiting) if user == APPROVER else ()

    def schedules(self) -> tuple[ScheduleView, ...]:
        return ()

    def inventory(self) -> tuple[Holding, ...]:
        self._store()
        return self.held

    def ask_again(self, key: str, run: str, user: str) -> Outcome:
        self._store()
        if user == STRANGER:
            return Outcome(accepted=False, told="You may not ask for this command.", run=run)
        with self.lock:
            self.again.setdefault(key, (run, user))
        return Outcome(accepted=True, told="Looking into it as run r-new2345.", run="r-new2345")

    def hand_in(self, key: str, run: str, name: str, user: str, secret: Secret) -> Outcome:
        self._store()
        if user == STRANGER:
            return Outcome(accepted=False, told="You may not ask for this command.", run=run)
        with self.lock:
            self.given.setdefault(key, (run, name, user, secret))
        return Outcome(accepted=True, told="It is in Vault now.", run="r-new2345")

    def sign_in(self, key: str, run: str, name: str, user: str) -> Outcome:
        self._store()
        if user == STRANGER:
            return Outcome(accepted=False, told="You may not ask for this command.", run=run)
        with self.lock:
            self.given.setdefault(key, (run, name, user, None))
        link = "https://sso.example.com/device?user_code=ABCD-EFGH"
        invited = Invited(link=link, code="ABCD-EFGH", until=1795419900, left=599)
        return Outcome(accepted=True, told="Compare the code.", run=run, invited=invited)

    def audit(self, *, limit: int = 20, run: str | None = None) -> tuple[AuditEntry, ...]:
        self._store()
        return (AuditEntry(number=1, at=1.0, who=ASKER, what="asked", run=run, facts={}, before="0", hash="1"),)

    def refuse(self, who: str, what: str, facts: dict[str, Any]) -> None:
        self._store()
        self.refusals.append((who, what, facts))

    def check(self) -> None:
        self._store()

    def notice(self, notice: Notice) -> tuple[str, ...]:
        self._store()
        with self.lock:
            self.noticed += 1
            self.notices.setdefault(notice.key, notice)
            return (f"i-{list(self.notices).index(notice.key):07d}",)

    def incidents(self, *, open_only: bool = False, limit: int = 20) -> tuple[IncidentView, ...]:
        self._store()
        return tuple(self.stories.values())[:limit]

    def incident(self, incident: str) -> IncidentView | None:
        self._store()
        return self.stories.get(incident)

    def incident_action(
        self, key: str, incident: str, user: str, action: Literal["take", "tick", "look", "close"], step: str = ""
    ) -> Outcome:
        self._store()
        if incident not in self.stories:
            return Outcome(accepted=False, told="There is no such incident.", run=incident)
        self.acted.setdefault(key, (incident, user, action, step))
        return Outcome(accepted=True, told=f"Noted: {action}.", run=incident)


def view(run: str, request: Request) -> RunView:
    plan = Plan(
        command=request.command, title="Rotate two demo tokens", subject="demo", stages=(Stage(steps=(Nothing(),)),)
    )
    return RunView(
        id=run,
        revision=1,
        command=request.command,
        text=request.text,
        asker=request.asker,
        source=request.source,
        state=State.PROPOSED,
        asked_at=time.time(),
        proposed_at=time.time(),
        expires_at=time.time() + 3600,
        plan=plan,
        digest=plan.digest,
        steps=(StepView(stage=0, place=0, says="Do nothing at all", reversible=False),),
        channel=request.channel,
    )
