"""Steps of a runbook as people work through them: what each says, what may do it, and who ticked it when."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from bot.core.value import Value


class Offer(Value):
    """A button that asks for a command with these parameters filled in; its plan then waits for approval."""

    label: str = Field(max_length=75)
    command: str
    ask: dict[str, Any] = Field(default_factory=dict)
    danger: bool = False


class RunbookStep(Value):
    """One step of a runbook. `offer` does it or helps with it; without one a person does it. `section` is the heading
    it stands under, where several steps are shown together."""

    name: str  # the marker in the runbook, or its place in it; unlike the others beside it
    text: str  # what to do, plain text
    offer: Offer | None = None
    section: str = ""


class Tick(Value):
    """A step that a person has ticked."""

    step: str
    user: str
    at: float
