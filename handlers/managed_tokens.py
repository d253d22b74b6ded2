"""Managed tokens (seed 003): which services there are, which of them are meant, and the UIDs of their accounts.

Of a token these handlers know its keyed fingerprint and its end; the token itself stays in the tools.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Annotated, Any

from pydantic import StringConstraints

from bot.core.checklist import Offer
from bot.core.errors import Drifted, Refused
from bot.core.grid import Inventory, Service
from bot.core.ports import ReadTools
from bot.core.value import sha256

PUSH, REFRESH, ONBOARD, STATUS = "push-tokens", "refresh-uids", "onboard-tokens", "tokens"
ALL = "all"
SUBJECT = "managed-tokens"  # never two runs at once: both would write the same files
UID = "tokens.uid"  # kind of record, by account
SIGN_IN = "needs somebody to sign in"  # what `bot.core.grid.VaultTokens` says when only a person can help
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", max_length=130)]
AccountName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_.-]*$", max_length=32)]
SHOWN = frozenset(
    {"experiment", "role", "account", "principal", "keytab", "vault_server", "credkey", "collector", "role_file"}
)  # of a service: what an approval covers beside the nodes, schedds and UIDs that stand in the steps
Host = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9.:_-]*$", max_length=253)]


def inventory(tools: ReadTools) -> Inventory:
    """What the managedTokens file says now."""
    return tools.services.read()


def chosen(found: Inventory, words: tuple[str, ...]) -> tuple[Service, ...]:
    """The services that these words mean, each an experiment or a service in any case; all without a word."""
    wanted = {word.lower() for word in words}
    if not wanted or ALL in wanted:
        return found.services
    names = {name for one in found.services for name in words_for(one)}
    for word in sorted(wanted - names):
        near = get_close_matches(word, names, n=1)
        hint = f"Did you mean {near[0]}?" if near else "See the managedTokens file."
        raise Refused(f"There is no experiment and no service {word}.", hint)
    return tuple(one for one in found.services if words_for(one) & wanted)


def words_for(service: Service) -> set[str]:
    """By which words it is meant, in lower case: its name, its experiment, and what the file calls that."""
    return {service.name.lower(), service.experiment.lower(), service.entry.lower()}


def names_of(host: str) -> tuple[str, str]:
    """How people may call it, in lower case: by its whole name, or by what stands before the first dot."""
    return host.lower(), host.lower().partition(".")[0]


def called(host: str, words: frozenset[str]) -> bool:
    """Is it one of these (lower case)?"""
    return not words.isdisjoint(names_of(host))


def strange(words: frozenset[str], hosts: Iterable[str]) -> tuple[str, ...]:
    """Those of the words by which none of the hosts is called."""
    known = {name for host in hosts for name in names_of(host)}
    return tuple(sorted(words - known))


def named(tools: ReadTools, name: str) -> Service:
    """The service of this name as the file has it now."""
    service = next((one for one in inventory(tools).services if one.name == name), None)
    if service is None:
        raise Refused(f"There is no service {name} any more.", "Look at the managedTokens file.")
    return service


def mark(service: Service, source: str) -> str:
    """A short digest of what decides how the service's token is had (from `source`), and as whom it is brought."""
    return sha256([service.model_dump(include=set(SHOWN)), source])[:16]


def as_shown(tools: ReadTools, name: str, mark_shown: str) -> Service:
    """The service, if file and settings still say of it what they said when the plan was shown."""
    service = named(tools, name)
    if mark(service, tools.vault_tokens.source(service)) != mark_shown:
        raise Drifted(
            f"Since the plan was shown, {name} has got another account, principal, keytab or Vault.",
            "Nothing was done for it. Ask again, and look at the new plan.",
        )
    if (told := barred(service, tools)) is not None:
        raise told
    return service


def barred(service: Service, tools: ReadTools) -> Refused | None:
    """Why no token is had for a service at all: FERRY says that nobody is to act as its account. One that FERRY was
    never asked about, or whose UID alone is not sure, may have one, just not on nodes."""
    record = tools.records.get(UID, service.account) if service.uid is None else None
    if record is None or (record.value.get("known") and record.value.get("active") and not record.value.get("banned")):
        return None
    return unusable(service.account, record.value)


def uid_of(service: Service, tools: ReadTools) -> int:
    """The UID of the service's account on its nodes. Refused when it is not known for sure."""
    if service.uid is not None:
        return service.uid
    record = tools.records.get(UID, service.account)
    value: Mapping[str, Any] = record.value if record else {}
    uid, trouble = value.get("uid"), unusable(service.account, value)
    if trouble is not None:
        raise trouble
    assert isinstance(uid, int), "what is usable has a UID"
    return uid


def left_out(service: Service, tools: ReadTools, *, nodes: bool) -> str:
    """Why the service gets no token, or (of those with `nodes`) none there; "" when it does."""
    if (told := barred(service, tools)) is not None:
        return f"Gets no token: {told}"
    try:
        uid_of(service, tools) if nodes else 0
    except Refused as refused:
        return f"Pushed nowhere: {refused}"
    return ""


def unusable(account: str, value: Mapping[str, Any]) -> Refused | None:
    """Why nothing is pushed for an account of which this is remembered; None when it is sound."""
    ask, becomes = f"/{REFRESH} {account} asks FERRY.", value.get("becomes")
    reasons = (
        (not value, f"The UID of {account} is not known.", ask),
        (not value.get("known"), f"FERRY does not know the account {account}.", f"When it does, {ask}"),
        (value.get("banned"), f"The account {account} is banned, says FERRY.", f"When that is over, {ask}"),
        (not value.get("active"), f"The account {account} is not active, says FERRY.", f"When it is again, {ask}"),
        (
            becomes is not None,
            f"FERRY now says that {account} has the UID {becomes}, and it was {value.get('uid')}.",
            f"If that is right: /{REFRESH} {account} --accept.",
        ),
        (
            value.get("bare") or not isinstance(value.get("uid"), int),
            f"FERRY has no UID for {account}.",
            f"When it has one, {ask}",
        ),
    )
    return next((Refused(what, now) for so, what, now in reasons if so), None)


def accept(account: str, uid: int) -> Offer:
    """The button that uses a UID which has changed."""
    ask = {"account": [account], "accept": True}
    return Offer(label=f"Use the UID {uid} for {account}"[:75], command=REFRESH, ask=ask, danger=True)


def listed(names: tuple[str, ...], most: int = 8) -> str:
    """Names in a sentence, the rest of many counted."""
    more = len(names) - most
    return ", ".join(names) if more <= 0 else f"{', '.join(names[:most])} and {more} more"


def counted(what: str, number: int) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
