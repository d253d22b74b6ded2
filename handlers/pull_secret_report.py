"""How the pull secrets are: as the inventory, and as the report after a sync."""

from __future__ import annotations

from bot.core.checklist import Offer
from bot.core.errors import Told
from bot.core.inventory import Credential
from bot.core.plan import Plan, Report, Table
from bot.core.ports import ReadTools
from bot.core.side_by_side import each
from handlers.ecr_look import span
from handlers.ecr_told import left_out_by
from handlers.pull_secret_case import Case, judge
from handlers.pull_secret_clusters import COMMAND, NAME, TRANSFER, Settings
from handlers.pull_secret_look import Seen, held, look
from handlers.pull_secret_pools import Pool, after, all_told, pools
from handlers.pull_secret_steps import ConfirmAccepted, RestorePullSecret, Sync, WritePullSecret
from handlers.pull_secret_told import OFFERS, offer, people

HOUR = 3600.0
UPDATED = "updated (PullSecretUpdated)"  # with the operator's word
ALARMS = ((6 * HOUR, "6h"), (24 * HOUR, "24h"), (48 * HOUR, "48h"))


def inventory(settings: Settings, tools: ReadTools) -> tuple[Credential, ...]:
    """Every cluster of the settings as it is now. OCM is asked as often as the cluster would, or the settings say, and
    more often while a window is open."""
    names = tuple(settings.clusters)
    looked = each(lambda name: _seen(name, settings, tools), names)
    return tuple(credential(name, found, tools) for name, found in zip(names, looked, strict=True))


def _seen(name: str, settings: Settings, tools: ReadTools) -> Seen:
    return look(name, tools, within=settings.clusters[name].interval)


def credential(name: str, found: Seen | Told, tools: ReadTools) -> Credential:
    """One cluster: by what is still to be done, not by how old it is."""
    where = f"{name}/{NAME}"
    if isinstance(found, Told):
        return Credential(name=where, state="unknown", told=str(found)[:300])
    case, now, written = judge(found, tools, live=False), tools.now(), found.held.written_at
    if case.ready:
        return _open(where, case, now)
    if case.trouble is None:
        return Credential(name=where, state="fresh", written_at=written)
    state = "degraded" if found.window.degraded else "due" if found.window.transfer else "unknown"
    alarm = "closed" if found.closed(now) else alarm_of(found, now)
    told = str(case.trouble)
    if not found.window.said and found.window.transfer is not None:
        alarm, told = ("", told) if synced(found) else (alarm, f"{case.trouble.what} {_last_seen(case, now)}")
    return Credential.model_validate(
        {"name": where, "state": state, "written_at": written, "told": told[:300], "alarm": alarm}
    )


def synced(found: Seen) -> bool:
    """Did the bot bring what the transfer that was seen last had?"""
    transfer = found.window.transfer
    return transfer is not None and found.held.secret.annotations.get(TRANSFER) == transfer.id


def _last_seen(case: Case, now: float) -> str:
    """What is known while OCM does not say."""
    closes = case.seen.closes_at
    left = (
        "" if closes is None else ", and its time is over" if closes <= now else f", and has {span(closes - now)} left"
    )
    return f"The transfer {people(case)} was open when OCM last said{left}.".replace("  ", " ")


def alarm_of(found: Seen, now: float) -> str:
    """How little time is left, when that is little; for a window in which nothing was synced yet."""
    closes = found.closes_at
    return "" if closes is None else next((word for most, word in ALARMS if closes - now <= most), "")


def _open(where: str, case: Case, now: float) -> Credential:
    """A window is open, and the new pull secret is not in the cluster."""
    closes = case.seen.closes_at
    until = f"; {span(closes - now)} are left" if closes is not None else ""
    told = f"The transfer {people(case)} waits for its pull secret to be synced{until}."
    return Credential(
        name=where,
        state="due",
        written_at=case.seen.held.written_at,
        expires_at=closes,
        told=told[:300],
        offer=offer("sync", case.cluster),
        alarm=alarm_of(case.seen, now),
    )


# --- after a plan was applied ---------------------------------------------------------------------------------


def report(plan: Plan, settings: Settings, tools: ReadTools) -> Report:  # noqa: ARG001  what every report gets
    """How far each cluster, and each of its pools, got; and what can be done about the rest."""
    steps = tuple(step for _, _, step in plan.steps)
    words = {step.sync: UPDATED for step in steps if isinstance(step, WritePullSecret)}
    words |= {step.sync: "put back" for step in steps if isinstance(step, RestorePullSecret)}
    syncs = tuple(words)
    looked = dict(zip(syncs, each(lambda one: _reached(one, tools), syncs), strict=True))
    confirms = tuple(step for step in steps if isinstance(step, ConfirmAccepted))
    taken = dict(zip((step.sync for step in confirms), each(lambda step: step.done(tools), confirms), strict=True))
    rows = tuple(_row(sync, looked[sync], taken.get(sync), words[sync]) for sync in syncs)
    return Report(
        table=Table(head=("cluster", "pull secret", "OCM takes its token", "pools"), rows=rows) if rows else None,
        warnings=(*left_out_by(plan.warnings), *(said for sync, one in looked.items() for said in _warned(sync, one))),
        offers=_offers(syncs, looked, taken, tools),
    )


Reached = tuple[bool, tuple[Pool, ...]]


def _reached(sync: Sync, tools: ReadTools) -> Reached:
    """Is the pull secret as it was to be, and how are the pools?"""
    return sync.holds("new", held(sync.cluster, tools), tools), pools(sync.cluster, tools)


def _row(sync: Sync, found: Reached | Told, taken: bool | Told | None, word: str) -> tuple[str, ...]:
    if isinstance(found, Told):
        return sync.cluster, "not seen", "–", "–"
    written, there = found
    token = "–" if taken is None else "not known" if isinstance(taken, Told) else "yes" if taken else "no"
    return sync.cluster, word if written else "as before", token if written else "–", all_told(there)


def _warned(sync: Sync, found: Reached | Told) -> tuple[str, ...]:
    if isinstance(found, Told):
        return (f"{sync.cluster}: {found}",)
    return after(sync.cluster, found[1]) if found[0] else ()


def _offers(
    syncs: tuple[Sync, ...], looked: dict[Sync, Reached | Told], taken: dict[Sync, bool | Told], tools: ReadTools
) -> tuple[Offer, ...]:
    """Put back what OCM does not take; sync what was not written; look again where machines lag behind."""
    if COMMAND not in tools.commands:
        return ()
    back = [offer("restore", one.cluster, f"Put back {one.cluster}") for one in syncs if taken.get(one) is False]
    reached = {one: found for one, found in looked.items() if not isinstance(found, Told)}
    again = [offer("sync", one.cluster) for one, (written, _) in reached.items() if one.transfer and not written]
    behind = [one.cluster for one, (written, there) in reached.items() if written and any(p.behind for p in there)]
    return (*back[:OFFERS], *again[:OFFERS], *(offer("status", name, f"Look at {name}") for name in behind[:OFFERS]))
