"""Pull secrets in words: titles, notes, tables and what changes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from bot.core.checklist import Offer
from bot.core.errors import Told
from bot.core.plan import Answer, Change, Note, Table
from handlers.ecr_look import span
from handlers.ecr_told import LEFT_OUT, counted, listed
from handlers.pull_secret_case import Case
from handlers.pull_secret_clusters import COMMAND, PLACE
from handlers.pull_secret_compare import accepted
from handlers.pull_secret_pools import after, all_told

HEAD = ("cluster", "window", "owner → recipient", "time left", "last update", "pools")
COMPARED = (*HEAD, "compared", "new logins")
ROWS = 40  # registries of one cluster that a plan names
NAME = 40  # characters of a person's name
OPEN = "open"
DUE = "OCM was asked only about clusters whose interval is over; what it said of the others is from before."
SYNCED = "The cluster has the pull secret of its transfer."
OFFERS = 4
WINDOWS = {
    "NoClusterTransfer": "closed",
    "NoToken": "no token",
    "AcceptedClusterTransfer": OPEN,
    "NoNewData": "synced",
}


def title(cases: Iterable[Case]) -> str:
    """What will happen, in one sentence."""
    names = tuple(case.cluster for case in cases)
    what = names[0] if len(names) == 1 else counted("cluster", len(names))
    return f"Update the pull secret of {what} for the transfer to another owner"[:150]


def people(case: Case) -> str:
    """ "joe → jack"; empty without a transfer, or with more than one."""
    transfer = case.seen.window.transfer
    return f"{_name(transfer.owner)} → {_name(transfer.recipient)}" if transfer and transfer.id else ""


def _name(person: str) -> str:
    return (person if len(person) <= NAME else f"{person[: NAME - 1]}…") or "somebody"


def window(case: Case, now: float) -> str:
    """One word or two: open, over, closed, synced, no token, or the operator's word for what is wrong."""
    said = WINDOWS.get(case.reason, case.reason)
    return "over" if said == OPEN and case.seen.closed(now) else said


def left(case: Case, now: float) -> str:
    closes = case.seen.closes_at
    return "" if closes is None else span(closes - now) if closes > now else "none"


def row(case: Case, now: float) -> tuple[str, ...]:
    """As the table's head has it."""
    at = case.seen.held.written_at
    updated = "not by the bot" if at is None else datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M UTC")
    return (
        case.cluster,
        window(case, now),
        people(case) or "–",
        left(case, now) or "–",
        updated,
        all_told(case.seen.pools),
    )


def compared(case: Case, now: float) -> tuple[str, ...]:
    return (*row(case, now), case.found.told() if case.found else "–", accepted(case.pulls) or "–")


def unclear(cases: Iterable[Case]) -> tuple[str, ...]:
    """What of the clusters' own settings cannot be understood, or not be read."""
    return tuple(f"{case.cluster}: {said}" for case in cases for said in case.seen.wish.unclear)


def intervals(cases: Iterable[Case]) -> tuple[Note, ...]:
    """Which clusters say themselves how often they are to be asked about."""
    wished = {case.cluster: case.seen.wish.interval for case in cases if case.seen.wish.interval}
    return tuple(
        Note(label=name, text=f"wants to be asked about every {span(every)}") for name, every in wished.items()
    )


def notes(cases: Iterable[Case], now: float) -> tuple[Note, ...]:
    """Of each cluster that is to be synced: whose it becomes, what of it changes, and until when."""
    return tuple(_note(case, now) for case in cases)


def _note(case: Case, now: float) -> Note:
    assert case.found is not None, "of what is ready"
    token = " The token is that of the nodes' own pull secret." if case.seen.held.fallback else ""
    text = f"{people(case)}; registries: {case.found.told()}.{token}"
    closes = case.seen.closes_at
    until = f" {left(case, now)} are left; the window closes" if closes else ""
    return Note(label=case.cluster, text=f"{text}{until}", at=closes)


def changes(cases: Iterable[Case]) -> tuple[Change, ...]:
    """The registries of the new pull secrets, those that change first, and the same one of all clusters together."""
    found = (change for case in cases for change in _changes(case))
    return tuple(sorted(found, key=lambda change: (change.matches, change.name, change.subject)))


def _changes(case: Case) -> tuple[Change, ...]:
    assert case.found, "of what is ready"
    rows, target = sorted(case.found.rows, key=lambda one: one.same)[:ROWS], f"{case.cluster}: {PLACE}"
    return tuple(
        Change(name=row.host, source="OCM", target=target, subject=people(case), old=row.old, new=row.new)
        for row in rows
    )


def troubles(failed: Mapping[str, Told], first: str = "") -> tuple[str, ...]:
    """Why clusters were left out: one sentence for each thing that is said, with the names of those it is said of.
    `first`: what is said before it."""
    said: dict[str, list[str]] = {}
    for cluster, error in failed.items():
        said.setdefault(str(error).removeprefix(f"{cluster}: "), []).append(cluster)
    return tuple(f"{listed(tuple(names), 10)}: {first}{words}" for words, names in said.items())


def left_out(failed: Mapping[str, Told]) -> tuple[str, ...]:
    """The warnings of a plan that does nothing for these."""
    return troubles(failed, f"{LEFT_OUT} ")


def offer(action: str, cluster: str, label: str = "") -> Offer:
    """A button that asks for this command; its plan then waits for approval."""
    named = label or f"{action.capitalize()} {cluster}"
    return Offer(label=named[:75], command=COMMAND, ask={"action": action, "cluster": [cluster]})


def status(cases: tuple[Case, ...], failed: Mapping[str, Told], now: float, *, full: bool, due: bool) -> Answer:
    """All clusters in a table; `full`: with what was compared and tried."""
    wrong = {case.cluster: case.trouble for case in cases if case.trouble is not None}
    rows = tuple((compared if full else row)(case, now) for case in cases)
    open_ = sum(case.seen.window.transfer is not None and window(case, now) == OPEN for case in cases)
    bad, total = {**failed, **wrong}, counted("cluster", len(cases) + len(failed))
    said = (counted("transfer", open_, "{} open"), f"trouble with {len(bad)} of {total}" if bad else "")
    known = ", ".join(filter(None, said)) or "No transfer open"
    return Answer(
        command=COMMAND,
        title=f"{known[0].upper()}{known[1:]}" if bad else f"{known}, {total} looked at",
        text=(DUE,) if due else (),
        table=Table(head=COMPARED if full else HEAD, rows=rows) if rows else None,
        notes=intervals(cases),
        warnings=(
            *troubles(bad),
            *(said for case in cases for said in after(case.cluster, case.seen.pools)),
            *unclear(cases),
        ),
        offers=tuple(offer("sync", case.cluster) for case in cases if case.ready)[:OFFERS],
        quiet=not open_ and not bad,
    )


def nothing(cases: tuple[Case, ...], failed: Mapping[str, Told], now: float, *, due: bool) -> Answer:
    """Nothing is to be synced; what cannot be is told apart."""
    said = f"Nothing to do: {counted('pull secret', len(cases))}" if cases else "Nothing was changed"
    bad = f"; {counted('cluster', len(failed))} left out" if failed else ""
    rows = tuple((case.cluster, window(case, now), SYNCED if case.found else case.seen.window.told) for case in cases)
    return Answer(
        command=COMMAND,
        title=f"{said}{bad}",
        text=(DUE,) if due else (),
        table=Table(head=("cluster", "window", "what OCM says"), rows=rows) if rows else None,
        warnings=troubles(failed),
        quiet=not failed,
    )
