"""Who is written to about tokens, when: one digest for each receiver, at the threshold of errors in a row, then daily;
what needs a sign-in at once, as nothing else mends it; and once when it is over."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import ClassVar, Literal

from bot.core.errors import Told
from bot.core.grid import Inventory, Service
from bot.core.plan import RunRef, Step
from bot.core.ports import ReadTools, Tools
from bot.core.records import Record
from bot.core.value import Value
from handlers.managed_records import LAST, TROUBLE, errors_of, over, said, signs_in, troubles, went_wrong
from handlers.managed_tokens import PUSH, counted, inventory, uid_of

TOLD = "tokens.told"  # by receiver and trouble: they know of it
AGAIN = 86400.0  # seconds until they are told once more
ADMINS = "the admins"  # as no experiment can be called
LINES = 200


class Digest(Value):
    """One mail. `news`: troubles that it tells of; `past`: those that it says are over. Both by their keys."""

    audience: str
    to: tuple[str, ...]
    news: tuple[str, ...]
    past: tuple[str, ...]
    subject: str
    body: str


class TellPeople(Step):
    """The end of a run: how it went is remembered, and those concerned are written to."""

    kind: Literal["tokens.tell"] = "tokens.tell"
    proves: ClassVar[bool] = True
    services: tuple[str, ...]

    def says(self) -> str:
        return "Note how it went, and write to those who must know of troubles"

    def done(self, tools: ReadTools) -> bool:
        return tools.records.get(LAST, PUSH) is not None

    def do(self, tools: Tools, run: RunRef) -> None:
        self._note_uids(tools, run)
        failed = {service_of(key) for key, one in troubles(tools).items() if one.run == run.id} & {*self.services}
        value = {"services": len(self.services), "failed": len(failed), "at": tools.now()}
        tools.records.put(LAST, PUSH, value, run=run.id)
        if tools.mail.configured():
            write(tools, run, inventory(tools))

    def undo(self, tools: Tools, run: RunRef) -> None:
        """What people have read stays read."""

    def _note_uids(self, tools: Tools, run: RunRef) -> None:
        """Nothing is pushed for an account whose UID is not sure, so there is no step that would fail."""
        for service in inventory(tools).services:
            if service.name not in self.services or not service.nodes:
                continue
            try:
                uid_of(service, tools)
            except Told as told:
                went_wrong(tools, run, "uid", service.name, told)
            else:
                over(tools, run, "uid", service.name)


def write(tools: Tools, run: RunRef, found: Inventory) -> None:
    """All digests that are due. One that cannot be sent keeps none of the others; it is due again the next time."""
    known = {one.key: one for one in tools.records.all(TROUBLE)}
    told = {one.key: one for one in tools.records.all(TOLD)}
    failed: Told | None = None
    for digest in digests(found, known, told, tools.now()):
        try:
            tools.mail.send(digest.to, digest.subject, digest.body, key=f"{run.id}-{digest.audience}")
        except Told as trouble:
            failed = failed or trouble
            continue
        for key in digest.news:
            tools.records.put(TOLD, f"{digest.audience}/{key}", {"at": tools.now()}, run=run.id)
        for key in digest.past:
            tools.records.drop(TOLD, f"{digest.audience}/{key}")
    if failed is not None:
        raise failed


def digests(
    found: Inventory, known: Mapping[str, Record], told: Mapping[str, Record], now: float
) -> tuple[Digest, ...]:  # fmt: skip
    """`known`: all troubles by key, also those that are over; `told`: what receivers know, by receiver and key."""
    made = []
    for audience, to, names in audiences(found.services, found.admin_emails):
        theirs = {key: one for key, one in known.items() if _concerns(audience, key, names)}
        prefix = f"{audience}/"
        heard = {key.removeprefix(prefix): one for key, one in told.items() if key.startswith(prefix)}
        news = tuple(key for key, one in theirs.items() if _due(one, heard.get(key), found.errors_before_mail, now))
        past = tuple(key for key in heard if not errors_of(known.get(key)))
        if news or past:
            made.append(_digest(audience, to, {key: theirs[key] for key in news}, past))
    return tuple(made)


def audiences(
    services: Iterable[Service], admins: tuple[str, ...]
) -> tuple[tuple[str, tuple[str, ...], frozenset[str]], ...]:  # fmt: skip
    """Who is written to, at which addresses, about which services. The admins hear of all."""
    everything = tuple(services)
    experiments: dict[str, list[Service]] = {}
    for one in everything:
        if one.notify and one.emails:
            experiments.setdefault(one.experiment, []).append(one)
    theirs = tuple(
        (name, tuple(dict.fromkeys(mail for one in some for mail in one.emails)), frozenset(one.name for one in some))
        for name, some in experiments.items()
    )
    ours = ((ADMINS, admins, frozenset(one.name for one in everything)),) if admins else ()
    return theirs + ours


def service_of(key: str) -> str:
    """Of a trouble's key, "push:dune_pro@node"."""
    return key.partition(":")[2].partition("@")[0]


def _concerns(audience: str, key: str, names: frozenset[str]) -> bool:
    """Credds and Kerberos are the admins' business; an experiment hears of its nodes, its account and sign-ins."""
    return service_of(key) in names and (audience == ADMINS or key.partition(":")[0] != "store")


def _due(one: Record, heard: Record | None, threshold: int, now: float) -> bool:
    errors = errors_of(one)
    if not errors or (errors < threshold and not signs_in(one)):
        return False
    return heard is None or now - heard.seen_at >= AGAIN


def _digest(audience: str, to: tuple[str, ...], news: Mapping[str, Record], past: tuple[str, ...]) -> Digest:
    whose = "" if audience == ADMINS else f" of {audience}"
    parts = [f"{counted('trouble', len(news))}" if news else "", f"{len(past)} over" if past else ""]
    lines = [f"- {line(key, one)} ({counted('time', errors_of(one))} in a row)" for key, one in news.items()]
    lines += [f"- {where(key)}: over." for key in past]
    more = [f"… and {len(lines) - LINES} more."] if len(lines) > LINES else []
    ending = "Until these are mended, the tokens there stay as they were, and end at their time." if news else ""
    return Digest(
        audience=audience,
        to=to,
        news=tuple(news),
        past=past,
        subject=f"Vault tokens{whose}: {', '.join(filter(None, parts))}",
        body="\n".join(
            ["Bringing Vault tokens to where grid jobs look for them:", "", *lines[:LINES], *more, "", ending]
        ),
    )


def line(key: str, one: Record) -> str:
    """The place before what is said of it, where that does not begin with it anyway."""
    told, place = said(one), where(key)
    return told if told.startswith(f"{place} ") else f"{place}: {told}"


def where(key: str) -> str:
    """As people read it: the place, and what was tried there if it is no node."""
    stage, _, place = key.partition(":")
    return {"push": place, "store": f"{place} (credd)"}.get(stage, place)
