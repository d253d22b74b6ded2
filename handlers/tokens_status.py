"""/tokens: how services' tokens are, on each node, and who must act. Nobody is asked: it is what was noted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

from pydantic import Field

from bot.core.checklist import Offer
from bot.core.errors import Refused
from bot.core.grid import Service
from bot.core.handler import Ask, Handler, HandlerSettings
from bot.core.inventory import Credential
from bot.core.plan import Answer, Note, Table
from bot.core.ports import ReadTools
from handlers.managed_records import LAST
from handlers.managed_state import Look, span
from handlers.managed_tokens import (
    ONBOARD,
    PUSH,
    REFRESH,
    STATUS,
    Host,
    Name,
    called,
    chosen,
    counted,
    inventory,
    listed,
)
from handlers.managed_uids import past

ROWS, OFFERS, MOST = 60, 4, 200
FEW = 3  # accounts whose history is told


class Settings(HandlerSettings):
    """Nothing is to be set."""


class Tokens(Ask):
    """What a person types after /tokens."""

    action: Literal["status"] = Field(default="status", description="status", json_schema_extra={"positional": True})
    experiment: tuple[Name, ...] = Field(
        default=(), max_length=50, description="Experiments or services; all if left out.",
        json_schema_extra={"positional": True},
    )  # fmt: skip
    node: tuple[Host, ...] = Field(default=(), max_length=200, description="Just these nodes.")


def plan(ask: Tokens, settings: Settings, tools: ReadTools) -> Answer:  # noqa: ARG001  what every plan gets
    """Those that need somebody first; places of a service that are alike share a row when there are many."""
    found = inventory(tools)
    services = chosen(found, ask.experiment)
    look = Look(found, tools)
    only = frozenset(node.lower() for node in ask.node)
    held = tuple(
        Seen(service, one)
        for service in services
        for one in look.of(service)
        if not only or called(_on(one, service), only)
    )
    if not held:
        raise Refused(f"None of these services has the node {listed(ask.node)}.", "See the managedTokens file.")
    bad = tuple(one for one in held if one.credential.state != "fresh")
    rows = table(held, look.now)
    more = len(rows) - ROWS
    return Answer(
        command=STATUS,
        title=title(len(services), len(bad), len(held))[:150],
        table=Table(head=("where", "how", "last", "ends in", "who must act"), rows=rows[:ROWS]),
        notes=(*last(tools), *accounts(services, tools)),
        warnings=(f"{counted('row', more)} more are not shown; name an experiment, or node=…",) if more > 0 else (),
        offers=offers(bad, tools),
    )


class Seen(NamedTuple):
    """One place, or a service's own token, as it is."""

    service: Service
    credential: Credential


def _on(one: Credential, service: Service) -> str:
    return one.name.removeprefix(f"{service.name}@").lower()


def title(services: int, bad: int, places: int) -> str:
    how = f"{bad} of {counted('place', places)} are not fresh" if bad else f"all {places} places are fresh"
    return f"Tokens of {counted('service', services)}: {how}"


def table(held: tuple[Seen, ...], now: float) -> tuple[tuple[str, ...], ...]:
    groups = [(one,) for one in held] if len(held) <= ROWS else together(held)
    return tuple(row(group, now) for group in sorted(groups, key=lambda group: group[0].credential.state == "fresh"))


def together(held: tuple[Seen, ...]) -> list[tuple[Seen, ...]]:
    """Nodes of one service that are in the same state, and of which the same is said but for their names."""
    found: dict[tuple[str, ...], list[Seen]] = {}
    for one in held:
        node = _on(one.credential, one.service)
        said = one.credential.told.replace(node, "@")
        own = node if one.credential.name == one.service.name else ""
        found.setdefault((one.service.name, own, one.credential.state, said), []).append(one)
    return [tuple(some) for some in found.values()]


def row(group: tuple[Seen, ...], now: float) -> tuple[str, ...]:
    """Of several, the oldest push and the soonest end."""
    service, one = group[0]
    written = [each.credential.written_at for each in group]
    ends = [each.credential.expires_at for each in group if each.credential.expires_at is not None]
    name = one.name if len(group) == 1 else f"{service.name} on {len(group)} nodes, such as {_on(one, service)}"
    return name, one.state, ago(written, now), left(ends, now), who(service, one)


def ago(times: Sequence[float | None], now: float) -> str:
    known = [one for one in times if one is not None]
    return f"{span(now - min(known))} ago" if known else "never"


def left(ends: Sequence[float], now: float) -> str:
    soonest = min(ends, default=None)
    return "-" if soonest is None else span(soonest - now) if soonest > now else "has ended"


def who(service: Service, one: Credential) -> str:
    if one.state == "fresh":
        return "nobody"
    if one.alarm == "sign in":
        return f"somebody of {service.experiment} signs in: /{ONBOARD} {service.name}"
    return one.told or f"/{PUSH} {service.name}"


def last(tools: ReadTools) -> tuple[Note, ...]:
    found = tools.records.get(LAST, PUSH)
    if found is None:
        return ()
    failed, all_ = found.value["failed"], found.value["services"]
    return (
        Note(label="Last run", text=f"{all_ - failed} of {counted('service', all_)} without trouble", at=found.seen_at),
    )


def accounts(services: tuple[Service, ...], tools: ReadTools) -> tuple[Note, ...]:
    """Of few services, the UIDs of their accounts, and what they were before."""
    asked = dict.fromkeys(one.account for one in services if one.uid is None)
    return tuple(Note(label=f"Account {name}", text=past(name, tools)) for name in asked) if len(asked) <= FEW else ()


def offers(bad: tuple[Seen, ...], tools: ReadTools) -> tuple[Offer, ...]:
    """What only a person can do first, then one push for all that is not fresh."""
    mends = ((one.service.name, one.credential.offer) for one in bad)
    stuck = {name: offer for name, offer in mends if offer is not None and offer.command != PUSH}
    names = tuple(dict.fromkeys(one.service.name for one in bad if one.service.name not in stuck))
    push = (Offer(label="Push what is missing", command=PUSH, ask={"service": list(names[:MOST])}),) if names else ()
    asked = together_of(tuple(stuck.values()))
    return tuple(one for one in (*asked[:OFFERS], *push) if one.command in tools.commands)


def together_of(offers: tuple[Offer, ...]) -> tuple[Offer, ...]:
    """FERRY is asked of all accounts at once."""
    asks = tuple(one for one in offers if one.command == REFRESH and not one.danger)
    accounts = list(dict.fromkeys(name for one in asks for name in one.ask["account"]))
    others = tuple(one for one in offers if one not in asks)
    if not accounts:
        return others
    label = f"Ask FERRY of {counted('account', len(accounts)) if len(accounts) > 1 else accounts[0]}"
    return (Offer(label=label[:75], command=REFRESH, ask={"account": accounts[:MOST]}), *others)


HANDLER = Handler(
    name=STATUS,
    summary="Say how the Vault tokens of experiments are, node by node.",
    ask=Tokens,
    settings=Settings,
    plan=plan,
    example="status dune",
)
