"""/tokens: how services' tokens are, on each node, and who must act. Nobody is asked: it is what was noted."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from bot.core.checklist import Offer
from bot.core.grid import Service
from bot.core.handler import Ask, Handler, HandlerSettings
from bot.core.inventory import Credential
from bot.core.plan import Answer, Note, Table
from bot.core.ports import ReadTools
from handlers.managed_records import LAST
from handlers.managed_state import Look, span
from handlers.managed_tokens import PUSH, STATUS, Name, chosen, counted, inventory

ROWS, OFFERS, MOST = 60, 4, 200


class Settings(HandlerSettings):
    """Nothing is to be set."""


class Tokens(Ask):
    """What a person types after /tokens."""

    action: Literal["status"] = Field(default="status", description="status", json_schema_extra={"positional": True})
    experiment: tuple[Name, ...] = Field(
        default=(), max_length=50, description="Experiments or services; all if left out.",
        json_schema_extra={"positional": True},
    )  # fmt: skip


def plan(ask: Tokens, settings: Settings, tools: ReadTools) -> Answer:  # noqa: ARG001  what every plan gets
    """A row for each service and each of its nodes, those that need somebody first."""
    found = inventory(tools)
    services = chosen(found, ask.experiment)
    look = Look(found, tools)
    held = tuple((service, one) for service in services for one in look.of(service))
    bad = tuple(one for one in held if one[1].state != "fresh")
    ordered = (*bad, *(one for one in held if one[1].state == "fresh"))
    rows = tuple(row(service, one, look.now) for service, one in ordered)
    more = len(rows) - ROWS
    return Answer(
        command=STATUS,
        title=title(len(services), len(bad), len(held))[:150],
        table=Table(head=("where", "how", "last", "ends in", "who must act"), rows=rows[:ROWS]),
        notes=last(tools),
        warnings=(f"{counted('row', more)} more are not shown; name an experiment.",) if more > 0 else (),
        offers=offers(bad, tools),
    )


def title(services: int, bad: int, places: int) -> str:
    how = f"{bad} of {counted('place', places)} are not fresh" if bad else f"all {places} places are fresh"
    return f"Tokens of {counted('service', services)}: {how}"


def row(service: Service, one: Credential, now: float) -> tuple[str, ...]:
    last = f"{span(now - one.written_at)} ago" if one.written_at is not None else "never"
    ends = "-" if one.expires_at is None else span(one.expires_at - now) if one.expires_at > now else "has ended"
    return one.name, one.state, last, ends, who(service, one)


def who(service: Service, one: Credential) -> str:
    if one.state == "fresh":
        return "nobody"
    if one.alarm == "sign in":
        return f"somebody of {service.experiment}: {one.told}"
    return one.told or f"/{PUSH} {service.name}"


def last(tools: ReadTools) -> tuple[Note, ...]:
    found = tools.records.get(LAST, PUSH)
    if found is None:
        return ()
    failed, all_ = found.value["failed"], found.value["services"]
    return (
        Note(label="Last run", text=f"{all_ - failed} of {counted('service', all_)} without trouble", at=found.seen_at),
    )


def offers(bad: tuple[tuple[Service, Credential], ...], tools: ReadTools) -> tuple[Offer, ...]:
    """What only a person can do first, then one push for all that is not fresh."""
    asked = tuple(one.offer for _, one in bad if one.alarm == "sign in" and one.offer is not None)
    names = tuple(dict.fromkeys(service.name for service, _ in bad))
    push = (Offer(label="Push what is missing", command=PUSH, ask={"service": list(names[:MOST])}),) if names else ()
    return tuple(one for one in (*asked[:OFFERS], *push) if one.command in tools.commands)


HANDLER = Handler(
    name=STATUS,
    summary="Say how the Vault tokens of experiments are, node by node.",
    ask=Tokens,
    settings=Settings,
    plan=plan,
    example="status dune",
)
