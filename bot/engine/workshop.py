"""What the engine's parts share: the store, the queues, the tools, the clock, and how long to be patient."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeVar

import sqlalchemy as sa
import structlog
from pydantic import ValidationError

from bot.core.diagnosis import AlertHandler
from bot.core.errors import Drifted, Refused, Told, Transient, Unverified
from bot.core.handler import Handler, HandlerSettings
from bot.core.people import Rule
from bot.core.plan import Plan, Vocabulary
from bot.core.ports import Membership, ReadTools, Tools, VaultWriter
from bot.core.value import sha256
from bot.core.view import Trouble
from bot.engine.durable import Halt, Queues
from bot.engine.membership import RecentMembership
from bot.engine.store import reading, writing
from bot.settings import Settings

log = structlog.get_logger()
RECORDERS = 4  # steps that write to the store at once, so that hundreds of them do not crowd out a person's click
T = TypeVar("T")


@dataclass(frozen=True)
class Patience:
    """How often a call is made while the other side is only temporarily away, and how long to wait between (seconds,
    doubling from `first` to `most`, with jitter; the other side's own wish is followed up to `most`)."""

    attempts: int = 6
    first: float = 0.5
    most: float = 10.0

    def pause(self, attempt: int, wish: float | None) -> float:
        drawn: float = min(self.most, self.first * 2**attempt) * random.uniform(0.5, 1)  # noqa: S311  # jitter is no secret
        return max(drawn, min(wish or 0, self.most))


@dataclass(frozen=True)
class Workshop:
    store: sa.Engine
    queues: Queues
    settings: Settings
    handlers: Mapping[str, Handler]
    handler_settings: Mapping[str, HandlerSettings]
    tools: Tools | None  # None: this process only takes in and decides
    read_tools: ReadTools | None
    membership: Membership
    clock: Callable[[], float]
    patience: Patience = field(default_factory=Patience)
    alert_handlers: Mapping[str, AlertHandler] = field(default_factory=dict)
    alert_settings: Mapping[str, HandlerSettings] = field(default_factory=dict)
    vault: Callable[[], VaultWriter] | None = None  # for what people hand in: also in a process that has no other tools
    stopping: threading.Event = field(default_factory=threading.Event)
    changed: threading.Event = field(default_factory=threading.Event)  # something is to be shown: wakes the sender
    recorders: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(RECORDERS))

    @cached_property
    def recent(self) -> RecentMembership:
        """Who is in a group, for everything but decisions: those ask Slack, and must find it willing to answer."""
        return RecentMembership(self.membership, self.clock)

    @property
    def vocabulary(self) -> Vocabulary:
        handlers = self.handlers.values()
        return Vocabulary(tuple(s for h in handlers for s in h.steps), tuple(p for h in handlers for p in h.premises))

    def rule(self, command: str) -> Rule:
        """The rule of a command; a command that the settings do not mention may be asked by all, approved by none."""
        return self.settings.commands[command].rule if command in self.settings.commands else Rule()

    def pause(self, seconds: float) -> None:
        """Wait; Halt when this process is to stop."""
        if self.stopping.wait(seconds):
            raise Halt

    def write(self, change: Callable[[sa.Connection], T]) -> T:
        """The change in one transaction, for work in the background: waits as long as the store is away. `change`
        may be called again."""
        attempt = 0
        while True:
            try:
                with writing(self.store) as conn:
                    result = change(conn)
                self.changed.set()
                return result
            except Transient:
                attempt += 1
                self.pause(self.patience.pause(attempt, None))

    def read(self, query: Callable[[sa.Connection], T]) -> T:
        """Likewise for reading."""
        attempt = 0
        while True:
            try:
                with reading(self.store) as conn:
                    return query(conn)
            except Transient:
                attempt += 1
                self.pause(self.patience.pause(attempt, None))

    def patiently(self, call: Callable[[], T], attempts: int | None = None) -> T:
        """The call, again after Transient as patience says (or so many times in all); then the Transient."""
        for attempt in range((attempts or self.patience.attempts) - 1):
            try:
                return call()
            except Transient as error:
                self.pause(self.patience.pause(attempt, error.after))
        return call()


@dataclass(frozen=True)
class Failed:
    """What went wrong, safe to show and to keep; `kind` is the class of our error, or "unknown". `unheard`: a request
    got no answer, and may have been carried out or still be."""

    trouble: Trouble
    kind: str
    unheard: bool = False

    @property
    def document(self) -> dict[str, str | bool]:
        told: dict[str, str | bool] = {"what": self.trouble.what, "now": self.trouble.now, "kind": self.kind}
        return told | ({"unheard": True} if self.unheard else {})


def failure(error: Exception, run: str, doing: str) -> Failed:
    """An error in words. Of a foreign one only the class name is told: its text may hold anything."""
    if isinstance(error, Told):
        kind = next(c.__name__ for c in (Transient, Refused, Drifted, Unverified, Told) if isinstance(error, c))
        return Failed(Trouble(what=error.what, now=error.now), kind, isinstance(error, Transient) and error.unheard)
    name = type(error).__name__
    log.error("unknown error", run=run, error=name, place=_place(error))
    what = f"{doing} failed with an error that the bot does not know ({name}, {run})."
    return Failed(Trouble(what=what, now="The log of the bot names the place in the code."), "unknown")


def _place(error: Exception) -> str:
    """File and line where it was raised: no text, no values."""
    trace = error.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    return f"{trace.tb_frame.f_code.co_filename.rsplit('/', 1)[-1]}:{trace.tb_lineno}" if trace else "?"


def stored_plan(shop: Workshop, document: dict[str, object] | None) -> Plan | None:
    """The plan of a stored document, or None when the present code cannot read it any more."""
    if document is None:
        return None
    try:
        return shop.vocabulary.read(document)
    except (LookupError, ValidationError, TypeError):
        return None


def document_digest(document: dict[str, object]) -> str:
    """The digest of a stored plan, over what was stored and not over what today's classes make of it: a field that
    a deploy adds to a step must not make an approved plan look like another one."""
    return sha256({"version": Plan.version, "plan": document})
