"""/push-tokens: valid Vault tokens for every service, in the credds and on the nodes (runbook beside this file)."""

from __future__ import annotations

from pydantic import Field

from bot.core.errors import Refused, Told
from bot.core.grid import Service
from bot.core.handler import Ask, Handler, HandlerSettings
from bot.core.plan import Answer, Note, Plan, Stage, Step
from bot.core.ports import ReadTools
from bot.core.side_by_side import each
from handlers.managed_figures import PushFigures, of_pushes
from handlers.managed_mail import TellPeople
from handlers.managed_places import Meant, Wanted, meant, spoken, strangers
from handlers.managed_steps import ObtainToken, PingNodes, PushToken, StoreToken
from handlers.managed_tokens import (
    PUSH,
    SUBJECT,
    Host,
    barred,
    counted,
    inventory,
    left_out,
    listed,
    mark,
    uid_of,
)
from handlers.push_tokens_report import NODES, PLACES, held_by, missed, report

MOST = 20  # warnings of a kind that are shown


class Settings(HandlerSettings):
    """How often tokens are brought."""

    fresh_minutes: float = Field(
        default=30, gt=0, le=24 * 60, description="Minutes within which the same token is not brought there again."
    )
    pushgateway: bool = Field(default=False, description="Also push figures to the Pushgateway of the settings.")

    @property
    def figures(self) -> tuple[PushFigures, ...]:
        return (PushFigures(command=PUSH),) if self.pushgateway else ()


class PushTokens(Ask):
    """What a person types after /push-tokens."""

    service: tuple[Wanted, ...] = Field(
        default=(), max_length=PLACES, json_schema_extra={"positional": True},
        description="Experiments, services (dune_production) or places (dune_production@gpvm01); all if left out.",
    )  # fmt: skip
    node: tuple[Host, ...] = Field(default=(), max_length=NODES, description="Just these nodes.")
    test: bool = Field(default=False, description="Get and store tokens, and push them nowhere.")


def plan(ask: PushTokens, settings: Settings, tools: ReadTools) -> Plan | Answer:
    """Propose what is missing: what got the token that is held a short while ago is left alone, but for nodes that
    somebody names, as they may have lost it."""
    found = inventory(tools)
    words, nodes = spoken(found, ask.service, ask.node)
    ask = ask.model_copy(update={"service": words, "node": nodes})
    wanted = meant(found, words, nodes)
    if ask.test:
        wanted = tuple(one.model_copy(update={"nodes": ()}) for one in wanted)
    services = tuple(one.service for one in wanted)
    uids = each(lambda one: uid_of(one.service, tools) if one.nodes else 0, wanted)
    now = tools.now()
    after = float(int(now - settings.fresh_minutes * 60))
    out = {one.service.name for one in wanted if barred(one.service, tools) is not None}
    stores, unlisted = storing(tuple(one for one in wanted if one.service.name not in out), after, tools)
    pushes = pushing(wanted, uids, float(int(now)) if nodes else after, tools)
    stuck = dict.fromkeys(filter(None, (left_out(one.service, tools, nodes=bool(one.nodes)) for one in wanted)))
    warnings = (*shortened(stuck), *unlisted, *unclear(found.unclear))
    if not (stores or pushes) and all(one.only is not None for one in wanted):
        raise Refused(" ".join(("Nothing can be brought to the places that were named.", *warnings[:1])))
    due = missing(services, stores, pushes, tools)
    spare = len(stores) + len(pushes) - sum(len(steps) for steps in due)
    if spare and not any(due):
        return nothing(services, spare, warnings)
    obtains = obtaining(tuple(one for one in services if one.name not in out), tools)
    return propose(ask, services, obtains, due, warnings, spare=spare, figures=settings.figures)


def obtaining(services: tuple[Service, ...], tools: ReadTools) -> tuple[ObtainToken, ...]:
    return tuple(
        ObtainToken(service=one.name, principal=one.principal, source=source, mark=mark(one, source))
        for one, source in ((one, tools.vault_tokens.source(one)) for one in services)
    )


def storing(
    wanted: tuple[Meant, ...], after: float, tools: ReadTools
) -> tuple[tuple[StoreToken, ...], tuple[str, ...]]:
    """One step for each service and schedd, and what is to be warned of: tokens are pushed all the same."""
    asked = tuple(one for one in wanted if one.schedds and one.service.stores)
    if asked and not tools.credds.configured():
        unknown = tuple(line for one in asked for line in strangers(one, ()))
        return (), (*unknown, "Tokens are not stored in HTCondor: the settings have no credd.")
    lists = each(lambda one: tools.credds.schedds(one.service), asked)
    failed = dict.fromkeys(f"Not stored in HTCondor: {one}" for one in lists if isinstance(one, Told))
    found = tuple((one, some) for one, some in zip(asked, lists, strict=True) if not isinstance(some, Told))
    unknown = tuple(line for one, some in found for line in strangers(one, some))
    steps = tuple(
        StoreToken(service=one.service.name, schedd=schedd, mark=shown, after=after)
        for one, some, shown in ((one, some, marked(one.service, tools)) for one, some in found)
        for schedd in dict.fromkeys(some)
        if one.has(schedd)
    )
    return steps, (*shortened(failed), *shortened(dict.fromkeys(unknown)))


def marked(service: Service, tools: ReadTools) -> str:
    return mark(service, tools.vault_tokens.source(service))


def pushing(
    wanted: tuple[Meant, ...], uids: tuple[int | Told, ...], after: float, tools: ReadTools
) -> tuple[PushToken, ...]:
    """One step for each service and node, where the UID is sure."""
    return tuple(
        PushToken(
            service=one.service.name,
            node=node,
            there=tools.nodes.there(node),
            account=one.service.account,
            uid=uid,
            mark=shown,
            after=after,
        )
        for one, uid, shown in zip(wanted, uids, (marked(one.service, tools) for one in wanted), strict=True)
        if not isinstance(uid, Told)
        for node in one.nodes
    )


def missing(
    services: tuple[Service, ...], stores: tuple[StoreToken, ...], pushes: tuple[PushToken, ...], tools: ReadTools
) -> tuple[tuple[StoreToken, ...], tuple[PushToken, ...]]:
    """Those that have not brought the token that is held now."""
    holds = {one.name: tools.vault_tokens.held(one) for one in services}
    stored, pushed = {*missed(stores, "store", holds, tools)}, {*missed(pushes, "push", holds, tools)}
    return tuple(one for one in stores if one.where in stored), tuple(one for one in pushes if one.where in pushed)


def propose(
    ask: PushTokens, services: tuple[Service, ...], obtains: tuple[ObtainToken, ...],
    due: tuple[tuple[StoreToken, ...], tuple[PushToken, ...]], warnings: tuple[str, ...], *, spare: int,
    figures: tuple[Step, ...],
) -> Plan:  # fmt: skip
    stores, pushes = due
    concerned = tuple(dict.fromkeys(one.name for one in services))
    nodes: dict[str, list[str]] = {}
    for step in pushes:
        nodes.setdefault(step.service, []).append(step.node)
    pings = tuple(PingNodes(service=name, nodes=tuple(some)) for name, some in nodes.items())
    stages: tuple[tuple[Step, ...], ...] = (
        (*obtains, *pings), side_by_side(concerned, stores, pushes), (TellPeople(services=concerned),), figures,
    )  # fmt: skip
    return Plan(
        command=PUSH,
        title=title(concerned, len(obtains), len({node for some in nodes.values() for node in some})),
        subject=SUBJECT,
        ask=ask.model_dump(mode="json"),
        stages=tuple(Stage(steps=steps) for steps in stages if steps),
        on_failure="go_on",
        notes=notes(services, stores, pushes, spare),
        warnings=warnings,
    )


def side_by_side(
    services: tuple[str, ...], stores: tuple[StoreToken, ...], pushes: tuple[PushToken, ...]
) -> tuple[Step, ...]:
    """One service after another, and what is to be done for each at the same time as all others: a schedd that hangs
    holds up no node, and no service another."""
    theirs: dict[str, list[Step]] = {name: [] for name in services}
    both: tuple[StoreToken | PushToken, ...] = (*stores, *pushes)
    for step in both:
        theirs[step.service].append(step)
    return tuple(step for some in theirs.values() for step in some)


def title(services: tuple[str, ...], obtains: int, nodes: int) -> str:
    whose = f"of {services[0]}" if len(services) == 1 else f"of {len(services)} services"
    if not obtains:
        return f"Bring no Vault token {whose}, and tell those who must know"[:150]
    return (
        f"Bring Vault tokens {whose} to {counted('node', nodes)}"[:150] if nodes else f"Get Vault tokens {whose}"[:150]
    )


def notes(
    services: tuple[Service, ...], stores: tuple[Step, ...], pushes: tuple[Step, ...], spare: int
) -> tuple[Note, ...]:
    found = [Note(label="Services", text=listed(tuple(one.name for one in services), 20))]
    found += [Note(label="Places", text=f"{len(pushes)} on nodes, {len(stores)} in HTCondor")]
    if spare:
        found.append(Note(label="Left alone", text=f"{counted('place', spare)} had the same token a short while ago"))
    return tuple(found)


def nothing(services: tuple[Service, ...], places: int, warnings: tuple[str, ...]) -> Answer:
    return Answer(
        command=PUSH,
        title=f"Nothing to do for {counted('service', len(services))}: what can be brought was, a short while ago",
        text=(f"A node that has lost its token gets one when it is named: /{PUSH} node=NAME",),
        notes=(Note(label="Places", text=str(places)),),
        warnings=warnings,
        quiet=not warnings,
    )


def unclear(said: tuple[str, ...]) -> tuple[str, ...]:
    """What of the file was not understood, where it is told whole."""
    if not said:
        return ()
    return (f"In the managedTokens file {counted('thing', len(said))} is unclear: `hivekeeper check` names them.",)


def shortened(said: dict[str, None]) -> tuple[str, ...]:
    lines = tuple(said)
    more = len(lines) - MOST
    return lines if more <= 0 else (*lines[:MOST], f"… and {more} more of that kind.")


HANDLER = Handler(
    name=PUSH,
    summary="Bring valid Vault tokens of experiments to HTCondor and onto their nodes.",
    ask=PushTokens,
    settings=Settings,
    plan=plan,
    steps=(ObtainToken, StoreToken, PingNodes, PushToken, TellPeople, PushFigures),
    example="dune",
    inventory=held_by,
    figures=of_pushes,
    report=report,
)
