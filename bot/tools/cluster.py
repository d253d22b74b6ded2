"""Clusters that say who a token is. The client loads at the first question."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from bot.clusters import Cluster
from bot.core.errors import Refused, Told, Transient
from bot.core.ports import Identity
from bot.core.secret import Secret
from bot.tools.http_answer import Answer
from bot.tools.kubernetes_told import misshapen, silence
from bot.tools.kubernetes_wire import Request, Wire

ANONYMOUS = "system:anonymous"
REVIEW = Request(
    "POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews",
    body={"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"},
)  # fmt: skip
GROUPS = Request("GET", "/apis")
Send = Callable[[Request], Answer]


class Clusters:
    """`bot.core.ports.Clusters`. Each question makes its own connection: the tokens of two questions never meet."""

    def __init__(self, clusters: Mapping[str, Cluster]) -> None:
        self._clusters = dict(clusters)

    def configured(self, cluster: str) -> bool:
        return cluster in self._clusters

    def who(self, cluster: str, token: Secret) -> Identity:
        settings = self._clusters.get(cluster)
        if settings is None:
            raise Refused(f"There is no address for cluster {cluster} in the settings.", "Add it under clusters.")
        wire = Wire(cluster, settings)
        try:
            return identity(lambda request: _answered(wire, wire.send(request, token)), wire.where)
        finally:
            wire.close()


def identity(send: Send, where: str) -> Identity:
    """Who it is that sends. Refused when the cluster does not accept the token."""
    answer = send(REVIEW)
    if answer.status in (403, 404, 405):
        # 404: older than the review (1.28). 403: older too, or not allowed to ask; /apis is open to all it accepts.
        return _discovered(send(GROUPS), where)
    if answer.status not in (200, 201):
        raise _refusal(answer, where)
    return _identified(_username(answer), where)


def _answered(wire: Wire, answer: Answer) -> Answer:
    if answer.how != "answered":
        raise silence(answer, wire.where, wire.seconds)
    return answer


def _username(answer: Answer) -> str | None:
    """The name in a SelfSubjectReview; a server may leave out any part of it."""
    found = answer.document
    for key in ("status", "userInfo", "username"):
        found = found.get(key) if isinstance(found, dict) else None
    return found if isinstance(found, str) and found else None


def _identified(name: str | None, where: str) -> Identity:
    if name is None:
        raise misshapen(where)
    if name == ANONYMOUS:
        raise _refusal(Answer("answered", status=401), where)
    return Identity(name=name)


def _discovered(answer: Answer, where: str) -> Identity:
    if answer.status != 200:
        raise _refusal(answer, where)
    if (answer.object or {}).get("kind") != "APIGroupList":
        raise misshapen(where)
    return Identity(name=None)


def _refusal(answer: Answer, where: str) -> Told:
    status = answer.status
    if status == 401:
        return Refused(
            f"{where} does not accept the token (401).", "It was revoked or replaced, or is for another cluster."
        )
    if status == 403:
        return Refused(
            f"{where} does not say who the token is (403).",
            "The token may be nobody's there; if it is in order, its account needs the role system:discovery.",
        )
    if answer.moved:
        return Refused(
            f"{where} sent the bot to another address ({status}); it does not follow with a token.",
            "Set the cluster's address to its API server.",
        )
    if status == 429 or status >= 500:
        return Transient(f"{where} could not say who a token is ({status}).", "Try again in a minute.")
    return Refused(f"{where} did not understand who it was asked about ({status}).", "Check the cluster's address.")
