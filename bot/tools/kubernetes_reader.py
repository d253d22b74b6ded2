"""Looking at clusters: nothing here can change one."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

from bot.core.errors import Refused, Transient
from bot.core.kubernetes import Access, Json, Kind, SecretObject
from bot.core.ports import Identity
from bot.tools import kubernetes_secrets
from bot.tools.cluster import identity
from bot.tools.http_answer import Answer
from bot.tools.kubernetes_session import Session
from bot.tools.kubernetes_told import BUSY, Doing, misshapen
from bot.tools.kubernetes_wire import Request

PAGE = 500  # objects
PAGES = 400
SEGMENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9:._@-]{0,252}")  # of a path; without what climbs out of it
REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"


class Expired(Exception):
    """The list is no longer held that the pages are of."""


class ClusterReader:
    """`bot.core.kubernetes.KubernetesReader`."""

    def __init__(self, sessions: Mapping[str, Session]) -> None:
        self._sessions = dict(sessions)

    def clusters(self) -> tuple[str, ...]:
        return tuple(self._sessions)

    def who(self, cluster: str) -> Identity:
        """Whom the cluster takes the bot for."""
        session = self.session(cluster)
        return identity(session.send, session.where)

    def version(self, cluster: str) -> str:
        session = self.session(cluster)
        told = (session.ask(Request("GET", "/version"), Doing("get", "the version")).object or {}).get("gitVersion")
        if not isinstance(told, str) or not SEGMENT.fullmatch(told.replace("+", "-")):
            raise misshapen(session.where)
        return told

    def find(self, cluster: str, kind: Kind, name: str, namespace: str = "") -> Json | None:
        refuse_secrets(kind)
        return self.document(cluster, kind, name, namespace)

    def all(
        self, cluster: str, kind: Kind, namespace: str = "", *, labels: str = "", fields: str = ""
    ) -> tuple[Json, ...]:
        refuse_secrets(kind)
        query = {"limit": str(PAGE), "labelSelector": labels, "fieldSelector": fields}
        wanted = {key: value for key, value in query.items() if value}
        try:
            return tuple(self._pages(cluster, kind, namespace, wanted))
        except Expired:  # more came and went than the cluster remembers: from the beginning, once
            pass
        try:
            return tuple(self._pages(cluster, kind, namespace, wanted))
        except Expired:
            where = self.session(cluster).where
            trouble = f"{where} does not hold its list of {kind.plural} long enough for the bot to read it (410)."
        raise Transient(trouble, BUSY)

    def secret(self, cluster: str, namespace: str, name: str) -> SecretObject | None:
        document = self.document(cluster, kubernetes_secrets.SECRET, name, namespace)
        return None if document is None else kubernetes_secrets.read(document, self.session(cluster).where)

    def allowed(self, cluster: str, access: Access) -> bool:
        session = self.session(cluster)
        resource, _, subresource = access.resource.partition("/")
        attributes = {"verb": access.verb, "group": access.group, "resource": resource, "subresource": subresource,
                      "namespace": access.namespace, "name": access.name}  # fmt: skip
        body = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview",
                "spec": {"resourceAttributes": {key: value for key, value in attributes.items() if value}}}  # fmt: skip
        asked = Doing("create", "selfsubjectaccessreviews.authorization.k8s.io")
        status = (session.ask(Request("POST", REVIEWS, body=body), asked).object or {}).get("status")
        if not isinstance(status, dict) or not isinstance(status.get("allowed"), bool):
            raise misshapen(session.where)
        return bool(status["allowed"])

    def document(self, cluster: str, kind: Kind, name: str, namespace: str) -> dict[str, Any] | None:
        """An object as it came, Secrets too; None if it, its kind or its namespace is not there."""
        session = self.session(cluster)
        answer = session.ask(
            Request("GET", path(kind, namespace, name)), Doing.of("get", kind, namespace, name), (404,)
        )
        if answer.status == 404:
            return None
        document = answer.object or {}
        if document.get("kind") != kind.kind or _own_name(document) != (namespace if kind.namespaced else "", name):
            raise misshapen(session.where)
        return document

    def session(self, cluster: str) -> Session:
        """Refused for a cluster that the bot does not log in to."""
        session = self._sessions.get(cluster)
        if session is None:
            raise Refused(
                f"The bot has no login for cluster {cluster[:100]}.",
                "Name its address and token under clusters in the settings.",
            )
        return session

    def _pages(self, cluster: str, kind: Kind, namespace: str, query: Mapping[str, str]) -> Iterator[Json]:
        session, following = self.session(cluster), ""
        for _ in range(PAGES):
            asked = {**query, **({"continue": following} if following else {})}
            answer = session.ask(Request("GET", path(kind, namespace), asked), Doing.of("list", kind, namespace),
                                 (404, 410))  # fmt: skip
            if answer.status == 404:
                return
            items, following = _page(answer, session.where)
            yield from items
            if not following:
                return
        raise Transient(f"{session.where} has more {kind.plural} than the bot reads.", "Ask for one namespace only.")


def _own_name(document: Json) -> tuple[Any, Any]:
    metadata = document.get("metadata")
    return (metadata.get("namespace", ""), metadata.get("name")) if isinstance(metadata, dict) else (None, None)


def _page(answer: Answer, where: str) -> tuple[list[Json], str]:
    """The objects, and what to ask for the next page with."""
    if answer.status == 410:
        raise Expired
    document = answer.object or {}
    items, metadata = document.get("items"), document.get("metadata")
    if items is None and str(document.get("kind", "")).endswith("List"):
        items = []  # some servers write an empty list so
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise misshapen(where)
    following = metadata.get("continue") if isinstance(metadata, dict) else ""
    return items, following if isinstance(following, str) else ""


def path(kind: Kind, namespace: str = "", name: str = "") -> str:
    """Where objects are. Refused for what cannot be a name."""
    root = f"/apis/{_segment(kind.group)}" if kind.group else "/api"
    within = f"/namespaces/{_segment(namespace)}" if namespace and kind.namespaced else ""
    return f"{root}/{_segment(kind.version)}{within}/{_segment(kind.plural)}" + (f"/{_segment(name)}" if name else "")


def _segment(text: str) -> str:
    if not SEGMENT.fullmatch(text):
        raise Refused("A name was asked of a cluster that no object there can have.", "Correct it: letters, digits, -.")
    return quote(text, safe=":@")


def refuse_secrets(kind: Kind) -> None:
    """A Secret as plain JSON would be its values in plain text."""
    if (kind.group, kind.plural.lower()) == ("", "secrets"):
        raise Refused("A Secret cannot be handled like other objects.", "Report this as a fault of the command.")
