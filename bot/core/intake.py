"""What enters the engine: a request, a decision. Values that any edge (Slack, command line, clock) can make."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, field_validator

from bot.core.handing_in import Invited
from bot.core.ports import Source
from bot.core.value import Value


class Request(Value):
    """Somebody asks for a command. `key` makes asking twice asking once (Slack: the trigger_id)."""

    key: str
    command: str
    ask: dict[str, Any] = Field(default_factory=dict)  # the validated parameters, as JSON
    text: str = ""
    asker: str
    source: Source = "slack"
    channel: str | None = None
    thread: str | None = None
    incident: str | None = None  # whose offer it is: the run's message then goes to the incident's thread


class Decision(Value):
    """Somebody decides. `digest` is what the person saw; None only where the person names the run by hand,
    and then the engine takes the digest of the proposal as it stands."""

    key: str
    run: str
    verdict: Literal["approve", "deny", "cancel"]
    user: str
    digest: str | None = None
    reason: str = Field(default="", max_length=1000)

    @field_validator("reason")
    @classmethod
    def _text(cls, reason: str) -> str:
        """PostgreSQL takes no NUL."""
        return reason.replace("\0", "")


class Outcome(Value):
    """What became of a decision. `told` is a sentence for the person who decided, plain text."""

    accepted: bool
    told: str
    run: str
    invited: Invited | None = None  # to sign in: for the eyes of this person only
