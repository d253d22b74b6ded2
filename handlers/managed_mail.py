"""Who is written to about tokens, when: one digest for each receiver, at the threshold of errors in a row, then daily;
what needs a sign-in at once, as nothing else mends it; and once when it is over."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar, Literal

from bot.core.errors import Told
from bot.core.grid import Inventory, Service
from bot.core.plan import RunRef, Step
from bot.core.ports import ReadTools, Tools
from bot.core.records import Record
from bot.core.value import Value, sha256
from handlers.managed_alike import alike
from handlers.managed_records import (
    BROUGHT,
    LAST,
    MAIL,
    TROUBLE,
    began_of,
    errors_of,
    forgotten,
    over,
    said,
    signs_in,
    troubles,
    went_wrong,
)
from handlers.managed_tokens import PUSH, barred, counted, inventory, listed, uid_of

TOLD = "tokens.told"  # by receiver and trouble: they know of it
AGAIN = 86400.0  # seconds until they are told once more
ADMINS = "the admins"  # as no experiment can be called
LINES, NAMED, FEW = 200, 40, 10  # lines of a mail; places in one of them; that are over, in a line each
WHY = 5  # mails that did not go out, with the reason
INTRODUCTION = "Bringing Vault tokens to where grid jobs look for them:"
STAYS = "Until these are mended, the tokens there stay as they were."


class Digest(Value):
    """One mail. `news`: troubles that it tells of; `past`: those that it says are over. Both by their keys."""

    audience: str
    to: tuple[str, ...]
    news: tuple[str, ...]
    past: tuple[str, ...]
    key: str  # the same for as long as the same people have to be told of the same
    subject: str
    body: str

    @property
    def kind(self) -> Literal["admin", "service"]:
        return "admin" if self.audience == ADMINS else "service"


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
            tools.records.put(MAIL, PUSH, write(tools, run, inventory(tools)), run=run.id)

    def undo(self, tools: Tools, run: RunRef) -> None:
        """What people have read stays read."""

    def _note_uids(self, tools: Tools, run: RunRef) -> None:
        """Nothing is done for an account that is not sound, so there is no step that would fail."""
        for service in inventory(tools).services:
            if service.name not in self.services:
                continue
            try:
                if service.nodes or barred(service, tools) is not None:
                    uid_of(service, tools)
            except Told as told:
                went_wrong(tools, run, "uid", service.name, told)
            else:
                over(tools, run, "uid", service.name)


def write(tools: Tools, run: RunRef, found: Inventory) -> dict[str, Any]:
    """Send all digests that are due; what came of it. One that cannot be sent keeps none of the others, and is due in
    the next run, too: tokens that were brought are no failure because a mail server is away."""
    known = {one.key: one for one in tools.records.all(TROUBLE)}
    told = {one.key: one for one in tools.records.all(TOLD)}
    sent = {"admin": 0, "service": 0}
    failed: dict[str, str] = {}
    ends = {one.key: float(one.value["until"]) for one in tools.records.all(BROUGHT["push"])}
    for digest in digests(found, known, told, tools.now(), ends):
        try:
            tools.mail.send(digest.to, digest.subject, digest.body, key=digest.key)
        except Told as trouble:
            failed[digest.audience] = str(trouble)
            continue
        sent[digest.kind] += 1
        for key in digest.news:
            tools.records.put(TOLD, f"{digest.audience}/{key}", {"at": tools.now()}, run=run.id)
        for key in digest.past:
            tools.records.drop(TOLD, f"{digest.audience}/{key}")
    lost = {"admin": int(ADMINS in failed), "service": len(failed) - int(ADMINS in failed)}
    return {"sent": sent, "failed": lost, "why": dict(list(failed.items())[:WHY])}


def digests(
    found: Inventory, known: Mapping[str, Record], told: Mapping[str, Record], now: float, ends: Mapping[str, float],
) -> tuple[Digest, ...]:  # fmt: skip
    """`known`: all troubles by key, also those that are over; `told`: what receivers know, by receiver and key; `ends`:
    when the token ends that lies at a place."""
    made = []
    for audience, to, names in audiences(found.services, found.admin_emails):
        theirs = {key: one for key, one in known.items() if _concerns(audience, one, names)}
        prefix = f"{audience}/"
        heard = {key.removeprefix(prefix): one for key, one in told.items() if key.startswith(prefix)}
        news = tuple(key for key, one in theirs.items() if _due(one, heard.get(key), found.errors_before_mail, now))
        past = tuple(key for key in heard if not errors_of(known.get(key)))
        if news or past:
            bad = {key: theirs[key] for key in news}
            ending = endings(bad, ends, now)
            made.append(_digest(audience, to, bad, {key: heard.get(key) for key in (*news, *past)}, ending))
    return tuple(made)


def audiences(
    services: Iterable[Service], admins: tuple[str, ...]
) -> tuple[tuple[str, tuple[str, ...], frozenset[str]], ...]:  # fmt: skip
    """Who is written to, at which addresses, about which services. The admins hear of all."""
    everything = tuple(services)
    experiments: dict[str, list[Service]] = {}
    for one in everything:
        if one.notify and one.emails:
            experiments.setdefault(one.entry, []).append(one)
    theirs = tuple(
        (name, tuple(dict.fromkeys(mail for one in some for mail in one.emails)), frozenset(one.name for one in some))
        for name, some in experiments.items()
    )
    ours = ((ADMINS, admins, frozenset(one.name for one in everything)),) if admins else ()
    return theirs + ours


def service_of(key: str) -> str:
    """Of a trouble's key, "push:dune_pro@node"."""
    return key.partition(":")[2].partition("@")[0]


def _concerns(audience: str, one: Record, names: frozenset[str]) -> bool:
    """Credds and Kerberos are the admins' business; an experiment hears of its nodes, its account and sign-ins."""
    if service_of(one.key) not in names:
        return False
    return audience == ADMINS or not one.key.startswith(("obtain:", "store:")) or signs_in(one)


def _due(one: Record, heard: Record | None, threshold: int, now: float) -> bool:
    errors = errors_of(one)
    if not errors or (errors < threshold and not signs_in(one)) or forgotten(one, now):
        return False
    return heard is None or now - heard.seen_at >= AGAIN


def _digest(
    audience: str, to: tuple[str, ...], news: Mapping[str, Record], heard: Mapping[str, Record | None], ending: str
) -> Digest:  # fmt: skip
    """`heard`: of each trouble that it tells of, when they heard of it last; those that are not news are over."""
    past = tuple(key for key in heard if key not in news)
    lines = told(news) + gone(past)
    more = [f"… and {len(lines) - LINES} more."] if len(lines) > LINES else []
    marks = [[key, began_of(news.get(key)), one.seen_at if one else None] for key, one in sorted(heard.items())]
    return Digest(
        audience=audience,
        to=to,
        news=tuple(news),
        past=past,
        key=sha256([audience, marks])[:32],
        subject=subject(audience, news, past),
        body="\n".join(
            [
                INTRODUCTION,
                "",
                *lines[:LINES],
                *more,
                "",
                *([ending, ""] if news else []),
                "How everything is: /tokens in Slack.",
            ]
        ),
    )


def endings(news: Mapping[str, Record], ends: Mapping[str, float], now: float) -> str:
    """How long there is. A service without a token of its own gets none anywhere."""
    whole = {service_of(key) for key in news if not key.startswith(("push:", "store:"))}
    there = [end for where, end in ends.items() if f"push:{where}" in news or service_of(f":{where}") in whole]
    if not there:
        return STAYS
    if min(there) <= now:
        return f"{STAYS} The first of them has ended: jobs find none there that works."
    return f"{STAYS} The first of them ends {datetime.fromtimestamp(min(there), UTC):%Y-%m-%d %H:%M} UTC."


def subject(audience: str, news: Mapping[str, Record], past: tuple[str, ...]) -> str:
    whose = "" if audience == ADMINS else f" of {audience}"
    parts = [f"{counted('trouble', len(news))}" if news else "", f"{len(past)} over" if past else ""]
    return f"Vault tokens{whose}: {', '.join(filter(None, parts))}"


def gone(past: tuple[str, ...]) -> list[str]:
    """In a line each; many in one."""
    if len(past) > FEW:
        return [f"- {len(past)} are over: {listed(tuple(where(key) for key in past), NAMED)}."]
    return [f"- {where(key)}: over." for key in past]


def told(news: Mapping[str, Record]) -> list[str]:
    """A line for each trouble; places with the same one share it."""
    texts = [(where(key), f"{said(one)}{in_a_row(one)}") for key, one in news.items()]
    return [f"- {line(places, text)}" for places, text in alike(texts)]


def in_a_row(one: Record) -> str:
    """How often and since when, where it was not just once."""
    errors, began = errors_of(one), began_of(one)
    since = f" since {datetime.fromtimestamp(began, UTC):%Y-%m-%d %H:%M} UTC" if began is not None else ""
    return f" ({errors} times in a row{since})" if errors > 1 else ""


def line(places: tuple[str, ...], text: str) -> str:
    """The place before what is said of it, where that does not begin with it anyway."""
    if len(places) > 1:
        return f"{len(places)} places have one trouble: {listed(places, NAMED)}.\n  {text}"
    return text if text.startswith(f"{places[0]} ") else f"{places[0]}: {text}"


def where(key: str) -> str:
    """As people read it: the place, and what was tried there if it is no node."""
    stage, _, place = key.partition(":")
    return {"push": place, "store": f"{place} (credd)"}.get(stage, place)
