"""What credentials a handler looks after, and how fresh they are."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from bot.core.checklist import Offer
from bot.core.value import Value

Freshness = Literal["fresh", "due", "expired", "missing", "degraded", "unknown"]


class Credential(Value):
    """One credential in one place. `name` stays the same from look to look ("dev/cf-dev/ecr-secret"). `due`: it is to
    be renewed soon; `degraded`: something is wrong with it though it has not expired; `unknown`: it could not be read.
    `told`: one sentence, who must act and why; empty when all is well. Times are seconds since the epoch, UTC."""

    name: str = Field(min_length=1, max_length=200)
    state: Freshness
    written_at: float | None = None
    expires_at: float | None = None
    told: str = Field(default="", max_length=300)
    offer: Offer | None = None  # what mends it
    alarm: str = Field(default="", max_length=40)
    """A short stable word for what people should be told of without asking ("48h", "failed"). When it changes to
    another word they are told once, with `told`; when it becomes empty they are told once that it is over."""


class Holding(Value):
    """A credential as it was last looked at: whose it is and when that was. `trouble`: the look itself failed since."""

    command: str  # the handler that looks after it
    credential: Credential
    looked_at: float
    trouble: str = ""
