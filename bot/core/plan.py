"""A plan is a value: the same object is shown, stored as JSON, digested, approved and executed."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, SerializeAsAny

from bot.core.chart import Chart
from bot.core.checklist import Offer, RunbookStep
from bot.core.handing_in import Wanted
from bot.core.ports import ReadTools, Tools
from bot.core.value import Value, sha256

OnFailure = Literal["undo", "stop", "go_on"]


def _unheard(text: str) -> None:
    """Nobody watches."""


@dataclass(frozen=True)
class RunRef:
    """The run a step belongs to, as the step's `do` and `undo` get it.

    `id` is safe in names of backups: lower-case letters, digits and dashes. `tell` shows people how far a long step
    is (plain text, the latest one stands; never a secret). `pause` waits so many seconds, and ends the step when the
    bot is to stop: it is carried out again at the next start, so a long wait is a loop of look, tell, pause.
    """

    id: str
    tell: Callable[[str], None] = _unheard
    pause: Callable[[float], None] = time.sleep


class Step(Value):
    """One change of the world, by reference. Subclasses set `kind` to a Literal that never changes its meaning.

    A step without its own `undo` is irreversible, and the approver sees a mark.
    """

    kind: str
    proves: ClassVar[bool] = False
    """A step that changes nothing and only proves: never "already so", it is carried out each time."""
    atomic: ClassVar[bool] = False
    """What it does is there whole or not at all: when it fails, nothing is left half done."""

    def says(self) -> str:
        """One line for a person, plain text."""
        raise TypeError(f"step {self.kind!r} does not say what it does")

    def done(self, tools: ReadTools) -> bool:
        """Is the world already so? Asked while planning, after a crash, and after `do` as its proof."""
        raise TypeError(f"step {self.kind!r} cannot tell whether it is done")

    def do(self, tools: Tools, run: RunRef) -> None:
        """Change the world. May be called again after a crash; `done` is asked first."""
        raise TypeError(f"step {self.kind!r} does nothing")

    def undo(self, tools: Tools, run: RunRef) -> None:
        """Put back what `do` saved before it changed anything. Safe to call when `do` never ran or ran half."""

    def retire(self, tools: Tools, run: RunRef) -> None:
        """Remove what `do` saved for `undo`, once the run is verified and its retention has passed."""

    @property
    def reversible(self) -> bool:
        return type(self).undo is not Step.undo


class Premise(Value):
    """A fact the plan rests on, checked once more right before the first step; false means `Drifted`."""

    kind: str

    def says(self) -> str:
        """What was true when the plan was shown, one line of plain text."""
        raise TypeError(f"premise {self.kind!r} says nothing")

    def holds(self, tools: ReadTools) -> bool:
        """Is it still true?"""
        raise TypeError(f"premise {self.kind!r} cannot be checked")


class Note(Value):
    """A fact that was found: a label and plain text. `at` (seconds since the epoch) is shown after the text, in UTC and
    in the reader's own time."""

    label: str
    text: str
    at: float | None = None


class Change(Value):
    """One row of what will change. `old` and `new` are keyed fingerprints (8 hex digits) or None if absent."""

    name: str
    source: str
    target: str
    subject: str = ""
    old: str | None = None
    new: str | None = None

    @property
    def matches(self) -> bool:
        return self.old is not None and self.old == self.new


class Stage(Value):
    """Steps that run side by side."""

    steps: tuple[SerializeAsAny[Step], ...]


class Plan(Value):
    """What is proposed: a sentence and steps.

    `title` is one sentence in plain text. `subject` serialises runs: no two runs with one subject apply at once.
    `then` is what people do afterwards (shown in the final report). `ask` are the parameters as given.
    """

    command: str
    title: Annotated[str, Field(min_length=1, max_length=150)]
    subject: str
    ask: dict[str, Any] = Field(default_factory=dict)
    stages: tuple[Stage, ...]
    on_failure: OnFailure = "undo"
    premises: tuple[SerializeAsAny[Premise], ...] = ()
    changes: tuple[Change, ...] = ()
    notes: tuple[Note, ...] = ()
    warnings: tuple[str, ...] = ()
    then: tuple[Note, ...] = ()

    version: ClassVar[int] = 1

    @property
    def digest(self) -> str:
        """What an approval approves: hex SHA-256 over the canonical JSON of the whole plan."""
        return sha256({"version": self.version, "plan": self.model_dump(mode="json")})

    @property
    def steps(self) -> tuple[tuple[int, int, Step], ...]:
        """(stage, place in stage, step) in order."""
        return tuple((s, i, step) for s, stage in enumerate(self.stages) for i, step in enumerate(stage.steps))


class Table(Value):
    """Rows for people; every cell plain text, as many cells as `head`."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


class Answer(Value):
    """What a command that changes nothing has found. `text` lines are plain text. `checklist`: what people do now, to
    be ticked one by one. `offers`: buttons for what may come next. `wanted`: secrets it asks people for. `chart`: a
    picture for its thread, which is not stored with it. `quiet`: all is well, so nothing is posted when only a schedule
    asked."""

    command: str
    title: Annotated[str, Field(min_length=1, max_length=150)]
    text: tuple[str, ...] = ()
    table: Table | None = None
    notes: tuple[Note, ...] = ()
    warnings: tuple[str, ...] = ()
    checklist: tuple[RunbookStep, ...] = ()
    offers: tuple[Offer, ...] = ()
    wanted: tuple[Wanted, ...] = ()
    chart: Chart | None = None
    quiet: bool = False


class Report(Value):
    """What a handler saw after its plan was applied, shown with the result. It looks and changes nothing. `again`:
    parameters that ask for just what is missing; None where those of the run do."""

    table: Table | None = None
    notes: tuple[Note, ...] = ()
    warnings: tuple[str, ...] = ()
    offers: tuple[Offer, ...] = ()
    again: dict[str, Any] | None = None


class Vocabulary:
    """The kinds of step and premise the handlers know, to read a stored plan back."""

    def __init__(self, steps: tuple[type[Step], ...], premises: tuple[type[Premise], ...]) -> None:
        self._steps = {t.model_fields["kind"].default: t for t in steps}
        self._premises = {t.model_fields["kind"].default: t for t in premises}

    def read(self, document: dict[str, Any]) -> Plan:
        """The plan of a stored document. Raises LookupError for a kind no handler knows any more."""
        stages = tuple(
            Stage(steps=tuple(self._one(self._steps, s) for s in stage["steps"])) for stage in document["stages"]
        )
        premises = tuple(self._one(self._premises, p) for p in document["premises"])
        rest = {k: v for k, v in document.items() if k not in ("stages", "premises")}
        return Plan(stages=stages, premises=premises, **rest)

    @staticmethod
    def _one(kinds: dict[Any, Any], document: dict[str, Any]) -> Any:
        kind = document.get("kind")
        if kind not in kinds:
            raise LookupError(kind)
        return kinds[kind].model_validate(document)
