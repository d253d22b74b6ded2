"""What OCM's answer about transfers means, by the insights operator's table, with its words for the reasons and
sentences of ours (upstream.md, seed 001)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Any

from bot.core.errors import Refused
from bot.core.ocm import Offered, Transfer, Window
from bot.core.secret import Secret
from bot.tools import docker_documents
from bot.tools.foreign_text import plain
from bot.tools.http_answer import Answer

LONGEST_NAME = 100  # characters of an id or a person's name
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,12})?(Z|[+-]\d\d:\d\d)", re.A)
GO_SAYS = {  # the operator is written in Go, whose names these are; Python has others, and not in every version
    413: "Request Entity Too Large", 414: "Request URI Too Long", 416: "Requested Range Not Satisfiable",
    418: "I'm a teapot", 422: "Unprocessable Entity",
}  # fmt: skip
OURS = "AcceptedClusterTransfer"
REFUSALS = {
    400: "{where} does not understand the question (400): its address may be that of something else.",
    401: "{where} does not accept the cluster's token (401): the cloud.openshift.com entry of its pull secret is "
    "wrong, or no longer good.",
    403: "{where} does not let the cluster's token see this cluster (403): the cluster's id is not the one that the "
    "token is for, or the token's owner may not.",
    404: "{where} has no such API (404): its address is wrong.",
    429: "{where} is asked too often (429).",
}
MOVED = "{where} sends the bot elsewhere ({status}); the token is not sent along, so its address must be corrected."
TROUBLE = "{where} has trouble of its own ({status})."
IN_FRONT = "{where} answered {status}, but not as OCM does: something else stands in front of it."
EMPTY = "shows an empty list instead of saying that there is no accepted transfer of the cluster."
REFUSED = "{where} refused the question ({status})."


@dataclass(frozen=True)
class Judge:
    """Makes windows for one answer."""

    where: str
    status: int | None

    def says(self, reason: str, told: str, *, healthy: bool = True, transfer: Transfer | None = None) -> Window:
        """`told` goes on after the name of OCM."""
        return Window(
            reason=reason, healthy=healthy, told=f"{self.where} {told}", status=self.status, transfer=transfer
        )

    def unexpected(self, told: str, *, healthy: bool = False) -> Window:
        return self.says("UnexpectedData", told, healthy=healthy)


def offered(answer: Answer, cluster_id: str, where: str, seconds: float) -> Offered:
    """`where` begins a sentence; `seconds` is how long it was waited for."""
    judge = Judge(where, answer.status or None)
    if answer.how == "too_long":
        return Offered(judge.unexpected("answered with more than the bot reads."))
    if answer.how != "answered":
        return Offered(Window(reason="Disconnected", healthy=True, told=answer.silence(where, seconds)))
    if not HTTPStatus.OK <= answer.status < HTTPStatus.MULTIPLE_CHOICES:
        return Offered(_refused(answer, where))
    if not answer.body:
        return Offered(judge.says("NoClusterTransfer", "has no accepted transfer of the cluster."))
    found = _only(answer.object, judge)
    return Offered(found) if isinstance(found, Window) else _judged(found, cluster_id, judge)


def _refused(answer: Answer, where: str) -> Window:
    """A status of no success. What the body says is not told: it may be anybody's."""
    status = answer.status
    return Window(
        reason=reason(status), healthy=False, told=_sentence(answer).format(where=where, status=status),
        status=status, degraded=status >= HTTPStatus.INTERNAL_SERVER_ERROR,
    )  # fmt: skip


def _sentence(answer: Answer) -> str:
    if answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return TROUBLE
    if answer.moved:
        return MOVED
    if answer.status != HTTPStatus.TOO_MANY_REQUESTS and not isinstance((answer.object or {}).get("kind"), str):
        return IN_FRONT
    return REFUSALS.get(answer.status, REFUSED)


def reason(status: int) -> str:
    """The operator's word for a status: its name without spaces."""
    known = {each.value: each.phrase for each in HTTPStatus} | GO_SAYS
    return known.get(status, f"Status {status}").replace(" ", "")


def _only(listed: dict[str, Any] | None, judge: Judge) -> dict[str, Any] | Window:
    """The one transfer of a list, or why there is none."""
    if listed is None:
        return judge.unexpected("answered with something that is no list of transfers.")
    total, items = (none if listed.get(key) is None else listed[key] for key, none in (("total", 0), ("items", [])))
    if not isinstance(total, int) or isinstance(total, bool) or not isinstance(items, list):
        return judge.unexpected("answered with a list of transfers that cannot be read.")
    if total > 1:
        told = "has more than one accepted transfer of the cluster, so it is not clear which pull secret is meant."
        return judge.says("MoreAcceptedClusterTransfers", told, transfer=_soonest(items))
    if len(items) != 1:
        told = f"was to show one transfer, but shows {len(items)}." if items else EMPTY
        return judge.unexpected(told, healthy=True)
    if not isinstance(items[0], dict):
        return judge.unexpected("answered with a transfer that cannot be read.")
    return items[0]


def _soonest(items: list[Any]) -> Transfer:
    """Of several transfers nothing but when the first of their windows closes."""
    ends = (moment(item.get("expiration_date")) for item in items if isinstance(item, dict))
    return Transfer(
        id="", owner="", recipient="", expires_at=min((end for end in ends if end is not None), default=None)
    )


def _judged(item: Mapping[str, Any], cluster_id: str, judge: Judge) -> Offered:
    transfer = _transfer(item)
    if not transfer.id or _word(item, "status") != "accepted":
        return Offered(judge.unexpected("answered with a transfer that is not accepted, or has no id."))
    if item.get("cluster_uuid") is not None and _word(item, "cluster_uuid") != cluster_id.lower():
        return Offered(judge.unexpected("answered with the transfer of another cluster."))
    secret = item.get("secret")
    if not isinstance(secret, str) or not secret:
        told = "has an accepted transfer of the cluster, but without a pull secret."
        return Offered(judge.says("DataCorrupted", told, healthy=False, transfer=transfer))
    document = Secret(secret)
    if trouble := _trouble(document):
        told = f"has an accepted transfer of the cluster, but its pull secret is damaged: {trouble}"
        return Offered(judge.says("DataCorrupted", told, healthy=False, transfer=transfer))
    told = "has an accepted transfer of the cluster, with a new pull secret."
    return Offered(judge.says(OURS, told, transfer=transfer), document)


def _trouble(document: Secret) -> str:
    """Why the document cannot be used at all; what is wrong with one of its entries is for others to say."""
    try:
        return "" if docker_documents.auths(docker_documents.opened(document)) else "it has no entries."
    except Refused as refused:
        return refused.what[0].lower() + refused.what[1:]


def _transfer(item: Mapping[str, Any]) -> Transfer:
    return Transfer(
        id=_name(item, "id"),
        owner=_name(item, "owner"),
        recipient=_name(item, "recipient"),
        expires_at=moment(item.get("expiration_date")),
        updated_at=moment(item.get("updated_at")),
    )


def _name(item: Mapping[str, Any], field: str) -> str:
    value = item.get(field)
    return plain(value, LONGEST_NAME) if isinstance(value, str) else ""


def _word(item: Mapping[str, Any], field: str) -> str:
    return _name(item, field).lower()


def moment(text: object) -> float | None:
    """Seconds since the epoch of a time as RFC 3339 writes it; None for anything else, and for Go's time of nothing."""
    if not isinstance(text, str) or not TIME.fullmatch(text.upper()) or text.startswith("0001-"):
        return None
    try:
        return datetime.fromisoformat(text.upper()).timestamp()
    except (ValueError, OverflowError):
        return None
