"""/refresh-uids: what FERRY says of the services' accounts, remembered (runbook beside this file).

A UID that changes is noted and not used: files of another UID would be somebody else's. A person accepts it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from difflib import get_close_matches
from typing import Any, Literal

from pydantic import Field

from bot.core.checklist import Offer
from bot.core.errors import Refused, Told
from bot.core.grid import Account, Service
from bot.core.handler import Ask, Handler, HandlerSettings
from bot.core.inventory import Credential
from bot.core.plan import Note, Plan, Premise, RunRef, Stage, Step
from bot.core.ports import ReadTools, Tools
from bot.core.side_by_side import each
from bot.core.value import sha256
from handlers.managed_figures import PushFigures, of_uids
from handlers.managed_records import ASKED
from handlers.managed_tokens import REFRESH, SUBJECT, UID, AccountName, counted, inventory, listed, unusable, words_for
from handlers.managed_uids import past
from handlers.refresh_uids_report import report

DAY = 86400.0
STALE = 3 * DAY  # seconds without an answer of FERRY's until people are told; it is asked daily
LASTING = 3600.0  # seconds that an answer of FERRY's is good for
FEW = 3  # accounts of which it is told what they were before
SOON = 30  # days until an account ends


class Settings(HandlerSettings):
    """Whether FERRY's last answer is a figure."""

    pushgateway: bool = Field(default=False, description="Also push figures to the Pushgateway of the settings.")

    @property
    def figures(self) -> tuple[PushFigures, ...]:
        return (PushFigures(command=REFRESH),) if self.pushgateway else ()


class RefreshUids(Ask):
    """What a person types after /refresh-uids."""

    account: tuple[AccountName, ...] = Field(
        default=(), max_length=200, description="UNIX accounts of services; all of them if left out.",
        json_schema_extra={"positional": True},
    )  # fmt: skip
    accept: bool = Field(default=False, description="Use UIDs that have changed; for named accounts only.")


class KeepUid(Step):
    """What FERRY says of an account, where that is news. `value` is what is remembered of it."""

    kind: Literal["tokens.keep-uid"] = "tokens.keep-uid"
    account: str
    value: dict[str, Any]
    was: int | None
    after: float
    took: float = 0.0  # seconds of FERRY's, for all accounts

    def says(self) -> str:
        trouble = unusable(self.account, self.value)
        if trouble is not None:
            return f"Note, and push nothing to it: {trouble.what}"
        if self.was not in (None, self.value["uid"]):
            return f"Use the UID {self.value['uid']} for {self.account} in the place of {self.was}"
        return f"Remember that {self.account} has the UID {self.value['uid']}, and is active"

    def done(self, tools: ReadTools) -> bool:
        return confirmed(tools, self.account, self.value, self.after)

    def do(self, tools: Tools, run: RunRef) -> None:
        tools.records.put(UID, self.account, self.value, run=run.id)
        tools.records.put(ASKED, REFRESH, {"seconds": self.took}, run=run.id)

    def undo(self, tools: Tools, run: RunRef) -> None:
        """Back to what was remembered before, unless somebody has noted something else since."""
        now, *before = tools.records.history(UID, self.account, limit=2) or (None,)
        if now is None or now.run != run.id or now.value != self.value:
            return
        if before:
            tools.records.put(UID, self.account, before[0].value, run=run.id)
        else:
            tools.records.drop(UID, self.account)


class ConfirmUids(Step):
    """That FERRY still says of these accounts what is remembered."""

    kind: Literal["tokens.confirm-uids"] = "tokens.confirm-uids"
    values: dict[str, dict[str, Any]]
    after: float
    took: float = 0.0

    def says(self) -> str:
        return f"Note that nothing has changed for {counted('account', len(self.values))}"

    def done(self, tools: ReadTools) -> bool:
        return all(confirmed(tools, account, value, self.after) for account, value in self.values.items())

    def do(self, tools: Tools, run: RunRef) -> None:
        for account, value in self.values.items():
            tools.records.put(UID, account, value, run=run.id)
        tools.records.put(ASKED, REFRESH, {"seconds": self.took}, run=run.id)

    def undo(self, tools: Tools, run: RunRef) -> None:
        """Nothing was changed."""


class FerryAnswer(Premise):
    """That what is taken over is FERRY's last word. `before`: by account, a digest of what was remembered then."""

    kind: Literal["tokens.ferry-answer"] = "tokens.ferry-answer"
    at: float
    before: dict[str, str]

    def says(self) -> str:
        return "FERRY said this within the last hour, and no other run has asked it since"

    def holds(self, tools: ReadTools) -> bool:
        if tools.now() - self.at > LASTING:
            return False
        known = {one.key: one.value for one in tools.records.all(UID)}
        return all(digest(known.get(account)) == then for account, then in self.before.items())


def digest(value: Mapping[str, Any] | None) -> str:
    return sha256(dict(value))[:16] if value is not None else ""


def confirmed(tools: ReadTools, account: str, value: Mapping[str, Any], after: float) -> bool:
    found = tools.records.get(UID, account)
    return found is not None and found.value == value and found.seen_at >= after


def plan(ask: RefreshUids, settings: Settings, tools: ReadTools) -> Plan:
    """Ask FERRY of every account at once. Who cannot be asked about stays as remembered."""
    accounts, began = chosen(ask, tools), tools.now()

    def asked(name: str) -> Account | None:
        with tools.meter.timing("ferry"):
            return tools.ferry.account(name)

    answers = dict(zip(accounts, each(asked, accounts), strict=True))
    failed = {name: told for name, told in answers.items() if isinstance(told, Told)}
    if len(failed) == len(accounts):
        raise next(iter(failed.values()))
    before = {one.key: one.value for one in tools.records.all(UID)}
    values = {name: merged(before.get(name), told, accept=ask.accept)
              for name, told in answers.items() if not isinstance(told, Told)}  # fmt: skip
    history = tuple(Note(label=name, text=past(name, tools)) for name in ask.account[:FEW] if name in before)
    took = round(max(tools.now() - began, 0.0), 3)
    return propose(ask, values, before, failed, tools.now(), took=took, figures=settings.figures, history=history)


def chosen(ask: RefreshUids, tools: ReadTools) -> tuple[str, ...]:
    """The accounts whose UID is not set in the file."""
    if not tools.ferry.configured():
        raise Refused("FERRY is not in the settings.", "Set ferry.address, or desiredUIDOverride of each role.")
    if ask.accept and not ask.account:
        raise Refused("A changed UID is accepted for an account by its name.", f"Type /{REFRESH} ACCOUNT --accept.")
    known = tuple(dict.fromkeys(one.account for one in inventory(tools).services if one.uid is None))
    strange = tuple(name for name in ask.account if name not in known)
    if strange or not known:
        what = f"No service asks FERRY for the UID of {listed(strange)}." if strange else "No account needs FERRY."
        raise Refused(what, hint(strange, known, inventory(tools).services))
    return tuple(dict.fromkeys(ask.account)) or known


def hint(words: tuple[str, ...], known: tuple[str, ...], services: tuple[Service, ...]) -> str:
    """The account that may be meant: one that is spelled much like it, or that of the service or experiment."""
    for word in words:
        theirs = [one.account for one in services if word.lower() in words_for(one)]
        near = [name for name in theirs if name in known] or get_close_matches(word, known, n=1)
        if near:
            return f"Did you mean {near[0]}?"
    return "See the managedTokens file."


def merged(before: Mapping[str, Any] | None, told: Account | None, *, accept: bool) -> dict[str, Any]:
    """What is to be remembered. The UID that was known stays until another one is accepted."""
    old = before.get("uid") if before else None
    new = told.uid if told else None
    differs = old is not None and new is not None and new != old
    return {
        "uid": new if old is None or (differs and accept) else old,
        "becomes": new if differs and not accept else None,
        "known": told is not None,
        "bare": told is not None and new is None,
        "active": told is not None and told.active,
        "banned": told is not None and told.banned,
        "expires_on": told.expires_on if told else "",
    }


def propose(
    ask: RefreshUids, values: Mapping[str, dict[str, Any]], before: Mapping[str, dict[str, Any]],
    failed: Mapping[str, Told], now: float, *, took: float, figures: tuple[Step, ...], history: tuple[Note, ...],
) -> Plan:  # fmt: skip
    after = float(int(now))
    news = {name: value for name, value in values.items() if value != before.get(name)}
    same = {name: value for name, value in values.items() if name not in news}
    steps: list[Step] = [
        KeepUid(account=name, value=value, was=before.get(name, {}).get("uid"), after=after, took=took)
        for name, value in news.items()
    ]
    steps += [ConfirmUids(values=same, after=after, took=took)] if same else []
    return Plan(
        command=REFRESH,
        title=title(news, same),
        subject=SUBJECT,
        ask=ask.model_dump(mode="json"),
        stages=tuple(Stage(steps=some) for some in (tuple(steps), figures) if some),
        on_failure="go_on",
        premises=(FerryAnswer(at=after, before={name: digest(before.get(name)) for name in values}),),
        notes=(*((Note(label="Unchanged", text=listed(tuple(same), 20)),) if same else ()), *history),
        warnings=warnings(values, {**before, **values}, failed, now),
    )


def title(news: Mapping[str, Any], same: Mapping[str, Any]) -> str:
    if not news:
        return f"FERRY says the same of {counted('account', len(same))} as before"
    return f"Take over what FERRY says of {listed(tuple(news), 3)}"[:150]


def warnings(
    values: Mapping[str, dict[str, Any]], known: Mapping[str, dict[str, Any]], failed: Mapping[str, Told], now: float
) -> tuple[str, ...]:
    said = [f"{name} stays as it was: {told}" for name, told in failed.items()]
    said += [str(trouble) for name, value in values.items() if (trouble := unusable(name, value))]
    said += [line for name, value in values.items() if (line := _ending(name, value, now))]
    owners: dict[int, list[str]] = {}
    for name, value in known.items():
        if value.get("uid") is not None:
            owners.setdefault(value["uid"], []).append(name)
    said += [f"{listed(tuple(names))} have one UID ({uid}): on a node of both, one overwrites the other's token."
             for uid, names in owners.items() if len(names) > 1]  # fmt: skip
    return tuple(said)


def _ending(account: str, value: Mapping[str, Any], now: float) -> str:
    """What is to be told of the account's end, if anything. FERRY may call one active that has ended."""
    day = value["expires_on"]
    try:
        left = (date.fromisoformat(day) - datetime.fromtimestamp(now, UTC).date()).days if day else SOON
    except ValueError:
        return ""
    if left < 0:
        return f"The account {account} ended on {day}{', and is active all the same' if value['active'] else ''}."
    return f"The account {account} ends on {day}." if left < SOON else ""


def refreshed(settings: Settings, tools: ReadTools) -> tuple[Credential, ...]:  # noqa: ARG001  what every inventory gets
    """How long ago FERRY was asked with success, for the account for which that is longest ago."""
    if not tools.services.configured() or not tools.ferry.configured():
        return ()
    accounts = {one.account for one in inventory(tools).services if one.uid is None}
    seen = [one.seen_at for one in tools.records.all(UID) if one.key in accounts]
    if not accounts:
        return ()
    oldest = min(seen) if len(seen) == len(accounts) else None
    if oldest is None:
        return (
            Credential(
                name="UIDs of FERRY",
                state="missing",
                told=f"Some are not known: /{REFRESH} asks for them.",
                offer=Offer(label="Ask FERRY", command=REFRESH, ask={}),
            ),
        )
    stale = tools.now() - oldest > STALE
    told = f"FERRY has not answered for days, and the old UIDs are used: /{REFRESH} says why." if stale else ""
    return (
        Credential(name="UIDs of FERRY", state="due" if stale else "fresh", written_at=oldest, told=told,
                   alarm="stale" if stale else ""),
    )  # fmt: skip


HANDLER = Handler(
    name=REFRESH,
    summary="Ask FERRY for the UIDs of the services' accounts, and say what has changed.",
    ask=RefreshUids,
    settings=Settings,
    plan=plan,
    steps=(KeepUid, ConfirmUids, PushFigures),
    premises=(FerryAnswer,),
    example="dunepro",
    inventory=refreshed,
    report=report,
    figures=of_uids,
)
