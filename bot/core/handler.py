"""What a handler declares. Handlers are listed in one tuple (`handlers/__init__.py`), never discovered."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict

from bot.core.grid import Figure
from bot.core.inventory import Credential
from bot.core.kubernetes import Access
from bot.core.plan import Answer, Plan, Premise, Report, Step
from bot.core.ports import ReadTools
from bot.core.value import Value


class Ask(BaseModel):
    """The parameters of a command, typed. One model parses the command line, draws the Slack modal and
    documents itself: every field has a description; a positional field says so with
    `json_schema_extra={"positional": True}`."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class HandlerSettings(BaseModel):
    """A handler's own part of the settings file (under `commands.<name>.settings`)."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Need(Value):
    """What a handler must be allowed at a Vault path: rights in Vault's words, and what for."""

    path: str
    rights: tuple[str, ...]
    reason: str


class ClusterNeed(Value):
    """One thing that a handler must be allowed in a cluster, and what for."""

    cluster: str
    access: Access
    reason: str


@dataclass(frozen=True)
class Handler:
    """One command. `plan(ask, settings, tools)` looks and changes nothing; it is a plain blocking function.

    `name` is the slash command without the slash, `summary` one line for help and for the manifest,
    `example` what a person would type after the command.
    """

    name: str
    summary: str
    ask: type[Ask]
    settings: type[HandlerSettings]
    plan: Callable[[Any, Any, ReadTools], Plan | Answer]
    steps: tuple[type[Step], ...] = ()
    premises: tuple[type[Premise], ...] = ()
    example: str = ""
    needs: Callable[[Any], tuple[Need | ClusterNeed, ...]] = lambda _: ()  # of its settings; for `hivekeeper check`
    inventory: Callable[[Any, ReadTools], tuple[Credential, ...]] | None = None
    """Of its settings: the credentials it looks after, as they are now."""
    report: Callable[[Plan, Any, ReadTools], Report] | None = None
    """Of a plan that was applied (wholly or partly) and its settings: what is to be seen now."""
    figures: Callable[[ReadTools], tuple[Figure, ...]] | None = None
    """For /metrics, each time that somebody asks: made of what is remembered, so that no other system is asked."""
