"""What became of a push: counts, what failed where and why, who must act, and what comes next."""

from __future__ import annotations

from typing import Any

from bot.core.checklist import Offer
from bot.core.grid import Held
from bot.core.inventory import Credential
from bot.core.plan import Note, Plan, Report, Step, Table
from bot.core.ports import ReadTools
from bot.core.records import Record
from handlers import managed_alike
from handlers.managed_mail import TellPeople, service_of
from handlers.managed_records import BROUGHT, MAIL, PING, fresh, said, signs_in, troubles
from handlers.managed_state import Look
from handlers.managed_steps import ObtainToken, PingNodes, PushToken, StoreToken
from handlers.managed_tokens import ONBOARD, PUSH, counted, inventory, left_out, listed

ROWS, OFFERS = 30, 4
PLACES, NODES = 2000, 500  # that can be named in one command


def held_by(settings: Any, tools: ReadTools) -> tuple[Credential, ...]:  # noqa: ARG001  what every inventory gets
    """Every service's token and each of its nodes, as remembered; nobody is asked."""
    if not tools.services.configured():
        return ()
    found = inventory(tools)
    look = Look(found, tools)
    theirs = (((look.own(one),) if look.new(one) else look.of(one)) for one in found.services)
    return tuple(one for some in theirs for one in some)


def report(plan: Plan, settings: Any, tools: ReadTools) -> Report:
    steps = tuple(step for _, _, step in plan.steps)
    known = troubles(tools)
    holds = held(steps, known, tools)
    without = tuple(name for name, one in holds.items() if one is None)
    back = settings.fresh_minutes * 60
    stores = left(steps, "store", holds, tools, back)
    pushes = left(steps, "push", holds, tools, 0 if plan.ask["node"] else back)
    said = [(name, _why(known, f"obtain:{name}")) for name in without]
    said += [(where, _why(known, f"{stage}:{where}")) for stage, some in (("store", stores), ("push", pushes))
             for where in some if service_of(f":{where}") not in without]  # fmt: skip
    rows = managed_alike.rows(said)
    return Report(
        table=Table(head=("where", "what is in the way"), rows=rows[:ROWS]) if rows else None,
        notes=counts(steps, without, stores, pushes),
        warnings=(
            *nowhere(plan, tools),
            *silent(steps, tools),
            *unsent(tools),
            *([f"… and {len(rows) - ROWS} more."] if len(rows) > ROWS else []),
        ),
        offers=offers(without, stores, known, tools),
        again=again(plan, without, (*stores, *pushes), {one.name for one in inventory(tools).services}),
    )


def again(plan: Plan, without: tuple[str, ...], places: tuple[str, ...], names: set[str]) -> dict[str, Any] | None:
    """Just the places that are missing, also when it is asked for so late that everything would be due. `names`: the
    services that there are still."""
    there = {where.partition("@")[0] for where in places}
    missing = (*(name for name in without if name not in there), *places)
    wanted = tuple(where for where in missing if where.partition("@")[0] in names)
    if len(wanted) > PLACES:
        return block(plan, wanted)
    return {**plan.ask, "service": list(wanted), "node": []} if wanted else None


def block(plan: Plan, places: tuple[str, ...]) -> dict[str, Any] | None:
    """More places than can be named, as all of some services on some nodes; None if they are not just these."""
    services, nodes = (dict.fromkeys(where.partition("@")[part] for where in places) for part in (0, 2))
    whole = len(services) * len(nodes) == len(set(places)) and len(nodes) <= NODES
    return {**plan.ask, "service": list(services), "node": list(nodes)} if whole else None


def held(steps: tuple[Step, ...], known: dict[str, Record], tools: ReadTools) -> dict[str, Held | None]:
    """The token that each service of the run got last, as remembered: the bot may have been restarted since."""
    got = {one.key: one for one in tools.records.all(BROUGHT["obtain"])}
    names = tuple(step.service for step in steps if isinstance(step, ObtainToken))
    return {name: _held(None if f"obtain:{name}" in known else got.get(name)) for name in names}


def _held(got: Record | None) -> Held | None:
    if got is None:
        return None
    return Held(service=got.key, expires_at=got.value["until"], fingerprint=got.value["fingerprint"], how="kept")


def left(
    steps: tuple[Step, ...], stage: str, holds: dict[str, Held | None], tools: ReadTools, back: float
) -> tuple[str, ...]:  # fmt: skip
    """Where no token has come since the plan was made. A bot that was restarted in mid-run has had two for a service,
    both good. `back`: seconds before the plan that its steps look back."""
    made = {step.where: step.after + back for step in steps if isinstance(step, PushToken | StoreToken)}
    seen = {one.key: one.seen_at for one in tools.records.all(BROUGHT[stage])}
    return tuple(where for where in missed(steps, stage, holds, tools) if seen.get(where, 0.0) < made[where])


def missed(steps: tuple[Step, ...], stage: str, holds: dict[str, Held | None], tools: ReadTools) -> tuple[str, ...]:
    """Where that token has not come."""
    there = {one.key: one for one in tools.records.all(BROUGHT[stage])}
    asked = tuple(
        (step, step.uid if isinstance(step, PushToken) else None)
        for step in steps
        if isinstance(step, PushToken if stage == "push" else StoreToken)
    )
    return tuple(
        step.where
        for step, uid in asked
        if not fresh(there.get(step.where), holds.get(step.service), after=step.after, mark=step.mark, uid=uid)
    )


def counts(
    steps: tuple[Step, ...], without: tuple[str, ...], stores: tuple[str, ...], pushes: tuple[str, ...]
) -> tuple[Note, ...]:
    kinds = (
        ("Tokens had", ObtainToken, len(without), "service"),
        ("Stored", StoreToken, len(stores), "schedd"),
        ("Pushed", PushToken, len(pushes), "node"),
    )
    totals = (
        (label, sum(isinstance(step, kind) for step in steps), failed, what) for label, kind, failed, what in kinds
    )
    found = tuple(Note(label=label, text=f"{all_ - failed} of {counted(what, all_)}")
                  for label, all_, failed, what in totals if all_)  # fmt: skip
    if not (without or stores or pushes):
        return found
    return (*found, Note(label="Next", text=f"What is missing is tried by the next /{PUSH}; what was brought stays."))


def nowhere(plan: Plan, tools: ReadTools) -> tuple[str, ...]:
    """Services whose UID is not sure, or that get no token: no step of theirs could fail, and yet they got nothing."""
    steps = tuple(step for _, _, step in plan.steps)
    pushed = {step.service for step in steps if isinstance(step, PushToken)}
    concerned = {name for step in steps if isinstance(step, TellPeople) for name in step.services} - pushed
    services = tuple(one for one in inventory(tools).services if one.name in concerned)
    lines = (left_out(one, tools, nodes=bool(one.nodes) and not plan.ask["test"]) for one in services)
    said = dict.fromkeys(filter(None, lines))
    return tuple(said)[:OFFERS] + ((f"… and {len(said) - OFFERS} more of that kind.",) if len(said) > OFFERS else ())


def silent(steps: tuple[Step, ...], tools: ReadTools) -> tuple[str, ...]:
    """Nodes that did not answer before the push."""
    names: dict[str, None] = {}
    for step in steps:
        found = tools.records.get(PING, step.service) if isinstance(step, PingNodes) else None
        names |= dict.fromkeys(found.value["silent"] if found else ())
    return (f"Did not answer when asked: {listed(tuple(names), 20)}.",) if names else ()


def unsent(tools: ReadTools) -> tuple[str, ...]:
    """Mails of the run that did not go out."""
    found = tools.records.get(MAIL, PUSH)
    why = found.value["why"] if found is not None else {}
    return tuple(f"No mail to {whom}: {told} It is tried again with the next run." for whom, told in why.items())


def offers(
    without: tuple[str, ...], stores: tuple[str, ...], known: dict[str, Record], tools: ReadTools
) -> tuple[Offer, ...]:
    """To sign in, where nothing else helps; HTCondor's program may be the one that says so."""
    keys = (*(f"obtain:{name}" for name in without), *(f"store:{where}" for where in stores))
    needy = dict.fromkeys(service_of(key) for key in keys if (one := known.get(key)) and signs_in(one))
    return tuple(
        Offer(label=f"Sign in for {name}"[:75], command=ONBOARD, ask={"service": name})
        for name in list(needy)[:OFFERS]
        if ONBOARD in tools.commands
    )


def _why(known: dict[str, Record], key: str) -> str:
    found = known.get(key)
    return said(found) if found is not None else "It was not done; see the steps above."
