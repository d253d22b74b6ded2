"""What a cluster's answer means, in our words. Of its own text only what is checked to be a name gets through."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, NamedTuple

from bot.core.errors import Drifted, Refused, Told, Transient
from bot.core.kubernetes import Access, Kind
from bot.tools.http_answer import GAVE_UP, Answer, How
from bot.tools.kubernetes_wire import lower

AGAIN = "Try again in a minute; if it goes on, check the network between the bot and the cluster."
BUSY = "Try again in a minute; if it goes on, ask those who run the cluster."
LOOK_AGAIN = "Nothing was changed there. Ask again: the plan will start from what is there now."
ADDRESS = "Check that the address is the API server itself and not a login page or a proxy."
CURES: dict[How, str] = {
    "dns": "Check the cluster's address in the settings and the name server of the bot.",
    "certificate": "Check the cluster's ca_file.",
    "tls": "Check that the cluster's address is one of https, and its API server itself.",
    "ca_file": "Correct ca_file in the settings.",
    "refused": "Check that the API server runs, and the port in the cluster's address.",
    "too_long": ADDRESS,
}
HOPELESS: tuple[How, ...] = ("certificate", "ca_file", "unsendable")  # no second try will mend it
USER = re.compile(r'User "([A-Za-z0-9][A-Za-z0-9:._@/-]{0,199})" cannot ([a-z]{1,20}) resource "([a-z./]{1,100})"')
FIELD = re.compile(r"(data|type|immutable|metadata|spec|imagePullSecrets)([.\[][A-Za-z0-9._\[\]-]{0,99})?")


@dataclass(frozen=True)
class Doing:
    """What a cluster is asked for: the verb and the resource in the API's words."""

    verb: str
    resource: str
    namespace: str = ""
    name: str = ""

    @classmethod
    def of(cls, verb: str, kind: Kind, namespace: str = "", name: str = "") -> Doing:
        return cls(verb, kind.plural + (f".{kind.group}" if kind.group else ""), namespace, name)

    @classmethod
    def to(cls, access: Access) -> Doing:
        group = f".{access.group}" if access.group else ""
        return cls(access.verb, access.resource + group, access.namespace, access.name)

    @property
    def place(self) -> str:
        within = f" in namespace {self.namespace}" if self.namespace else ""
        return f"{self.resource}{'/' + self.name if self.name else ''}{within}"

    def __str__(self) -> str:
        return f"{self.verb} {self.place}"


class Status(NamedTuple):
    """What a `Status` says, as far as it can be relied on. `about` is the resource it is about."""

    reason: str = ""
    about: str = ""
    user: str = ""  # as whom the bot was denied, if it was by RBAC
    denied: str = ""  # the verb and the resource that were denied
    causes: frozenset[str] = frozenset()
    fields: tuple[str, ...] = ()

    @classmethod
    def of(cls, answer: Answer) -> Status | None:
        """None when the answer is not a Status."""
        told = answer.object or {}
        if told.get("kind") != "Status":
            return None
        details = told.get("details")
        details = details if isinstance(details, dict) else {}
        causes = [cause for cause in _list(details.get("causes")) if isinstance(cause, dict)]
        denial = USER.search(text) if isinstance(text := told.get("message"), str) else None
        fields = [f for cause in causes if isinstance(f := cause.get("field"), str) and FIELD.fullmatch(f)]
        return cls(
            reason=_text(told.get("reason")),
            about=_text(details.get("kind")),
            user=denial[1] if denial else "",
            denied=f"{denial[2]} {denial[3]}" if denial else "",
            causes=frozenset(_text(cause.get("reason")) for cause in causes),
            fields=tuple(dict.fromkeys(fields))[:3],
        )


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def silence(answer: Answer, where: str, seconds: float, *, changes: bool = False) -> Told:
    """The error for a request that got no answer. `seconds`: the most that it was waited for; less for a connection.
    `changes`: does it change anything?"""
    waited = seconds if answer.latency is None else min(seconds, round(answer.latency, 1))
    told = answer.silence(lower(where), waited)
    told = told[0].upper() + told[1:]
    cure = CURES.get(answer.how, AGAIN)
    if answer.how in HOPELESS:
        return Refused(told, cure)
    return Transient(told, cure, unheard=changes and answer.doubtful)


def misshapen(where: str, *, changes: bool = False) -> Transient:
    """A whole answer came, but not one that the API gives."""
    return Transient(f"What answers as {lower(where)} does not speak like Kubernetes.", ADDRESS, unheard=changes)


def absent(answer: Answer) -> bool:
    """Did the API itself say that something is not there? A proxy's 404 says nothing. For a group of kinds that it does
    not have, it answers in plain text."""
    if answer.status != 404:
        return False
    return Status.of(answer) is not None or answer.body.startswith(b"404 page not found")


def refusal(answer: Answer, doing: Doing, where: str, *, changes: bool = False) -> Told:
    """The error for an answer that is not what was asked for. `changes`: was it more than a question?"""
    if told := _before_the_api(answer, where):
        return told
    status = Status.of(answer) or Status()
    if answer.status == 403:
        return _forbidden(status, doing, where)
    if answer.status == 404:
        return _missing(status, doing, where)
    if answer.status == 409:
        return _overtaken(status, doing, where)
    if answer.status in (400, 413, 422):
        return _invalid(answer.status, status, doing, where)
    return _failed(answer, doing, where, changes)


def _before_the_api(answer: Answer, where: str) -> Told | None:
    """What is said before the API has looked at the request, or by something else than the API."""
    if answer.status == 401:
        return Refused(
            f"{where} does not accept the bot's login (401).",
            "Its token has ended, was revoked, or is for another cluster: put a new one where the settings say.",
        )
    if answer.moved:
        return Refused(
            f"{where} sent the bot to another address ({answer.status}); it does not follow with its token.",
            "Set the cluster's address to its API server.",
        )
    foreign = answer.status < 500 and answer.status != 429 and Status.of(answer) is None and not absent(answer)
    return misshapen(where) if foreign else None


def _forbidden(status: Status, doing: Doing, where: str) -> Told:
    place = f" in namespace {doing.namespace}" if doing.namespace else ""
    if "NamespaceTerminating" in status.causes:
        return Refused(f"{where} is just removing namespace {doing.namespace} (403).", "Wait, or leave it out.")
    if status.user:
        return Refused(
            f"{where} does not let {status.user} {_denied(status, doing)}{place} (403).",
            "Give that right to the bot's account (deploy/rbac shows which it needs), or check whose token it has.",
        )
    return Refused(
        f"{where} refused to {doing} by a rule of its own, as of a quota or an admission policy (403).",
        "Ask those who run the cluster; its audit log tells which rule it was.",
    )


def _denied(status: Status, doing: Doing) -> str:
    """With the object's name where it is the same thing that was asked for: a Role may name objects."""
    if status.denied == f"{doing.verb} {doing.resource.partition('.')[0]}":
        return f"{doing.verb} {doing.resource}{'/' + doing.name if doing.name else ''}"
    return status.denied


def _missing(status: Status, doing: Doing, where: str) -> Told:
    if status.about == "namespaces" and doing.resource != "namespaces":
        return Refused(f"{where} has no namespace {doing.namespace}.", "Make it, or correct the settings.")
    if not status.about:
        return Refused(f"{where} does not know {doing.resource}.", "Leave this cluster out for that.")
    return Drifted(f"{doing.place[0].upper()}{doing.place[1:]} is not there any more on {lower(where)}.", LOOK_AGAIN)


def _overtaken(status: Status, doing: Doing, where: str) -> Told:
    if status.reason == "AlreadyExists":
        return Drifted(f"There is already {doing.place} on {lower(where)}.", LOOK_AGAIN)
    return Drifted(f"Somebody else changed {doing.place} on {lower(where)} meanwhile.", LOOK_AGAIN)


def _invalid(number: int, status: Status, doing: Doing, where: str) -> Told:
    if number == 413:
        return Refused(f"{where} did not {doing}: it is too big ({number}).", "A Secret may hold 1 MiB in all.")
    wrong = f": {', '.join(status.fields)}" if status.fields else ""
    now = "Correct what is written there" + (", or remove the old object first: some fields never change."
                                             if status.fields else ".")  # fmt: skip
    return Refused(f"{where} did not {doing}, because it would not be valid ({number}){wrong}.", now)


def _failed(answer: Answer, doing: Doing, where: str, changes: bool) -> Told:
    number = answer.status
    if number == 429:
        return Transient(f"{where} is asked too often and did not {doing} (429).", BUSY, after=answer.after)
    if number == 410:
        return Transient(f"{where} did not hold its list of {doing.resource} long enough (410).", BUSY)
    unheard = changes and number in GAVE_UP
    if number in (502, 503, 504):
        what = f"{where} could not {doing} just now ({number})."
        return Transient(what, BUSY, after=answer.after, unheard=unheard)
    if number >= 500:
        what = f"{where} failed inside when asked to {doing} ({number})."
        return Transient(what, BUSY, after=answer.after, unheard=unheard)
    return Refused(f"{where} did not understand the request to {doing} ({number}).", ADDRESS)
