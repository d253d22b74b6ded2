"""What the stand-in for OCM answers, as accounts_mgmt words it, and the searches that it understands (upstream.md)."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

PATH = "/api/accounts_mgmt/v1"
FIELDS = {"cluster_uuid", "status", "owner", "recipient", "id"}
CLAUSE = re.compile(r"\s*(\w+)\s*(?:=|\s+is\s+)\s*'([^']*)'\s*", re.I)
REASONS = {
    400: "The request could not be understood",
    401: "Request doesn't contain the 'Authorization' header or the 'cs_jwt' cookie",
    403: "Account is unauthorized to perform this action",
    404: "The requested resource doesn't exist",
    409: "The cluster transfer cannot be changed any more",
    429: "Too many requests",
    500: "Unspecified error",
    502: "Bad gateway",
    503: "The service is not available",
    504: "Timed out",
}


@dataclass(frozen=True)
class Answer:
    """A status and a JSON body (None: an empty one), or raw bytes for what is not OCM's."""

    status: int
    body: Any = None
    raw: bytes | None = None
    kind: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)

    def response(self, cut: int | None = None) -> Response:
        content = self.raw if self.raw is not None else b"" if self.body is None else json.dumps(self.body).encode()
        made = Response if cut is None else cut_after(cut)
        return made(content, self.status, dict(self.headers), self.kind)


def cut_after(size: int) -> type[Response]:
    """A response of which only so many bytes of the body are sent; then the connection is closed."""

    class Cut(Response):
        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            async def shorter(message: Message) -> None:
                if message["type"] == "http.response.body":
                    message = {**message, "body": message["body"][:size], "more_body": True}
                await send(message)

            await super().__call__(scope, receive, shorter)

    return Cut


def error(status: int, reason: str = "", **headers: str) -> Answer:
    """An error as OCM itself tells it."""
    body = {"kind": "Error", "id": str(status), "href": f"{PATH}/errors/{status}", "code": f"ACCT-MGMT-{status}",
            "reason": reason or REASONS.get(status, "Unspecified"), "operation_id": str(uuid.uuid4())}  # fmt: skip
    realm = {"WWW-Authenticate": 'Bearer realm="accounts_mgmt/v1"'} if status == 401 else {}
    return Answer(status, body, headers={**realm, **headers})


def page(status: int = 200) -> Answer:
    """A page of HTML, from something that stands in front of OCM."""
    return Answer(status, raw=b"<!doctype html><title>gobbledygook</title>", kind="text/html")


def garbage(text: bytes = b"gobbledygook") -> Answer:
    """A success that is no JSON, though it says so."""
    return Answer(200, raw=text)


def metadata() -> Answer:
    kinds = {"cluster_transfers": "ClusterTransferList"}
    collections = [{"id": name, "href": f"{PATH}/{name}", "kind": kind} for name, kind in kinds.items()]
    return Answer(200, {"id": "v1", "kind": "APIVersion", "href": PATH, "server_version": "playground",
                        "collections": collections})  # fmt: skip


def listed(items: list[dict[str, Any]], number: int, size: int) -> Answer:
    """That page of the items, from 1."""
    shown = items[(number - 1) * size : number * size]
    return Answer(200, {"kind": "ClusterTransferList", "page": number, "size": len(shown), "total": len(items),
                        "items": shown})  # fmt: skip


def search(text: str) -> Callable[[Mapping[str, Any]], bool] | None:
    """What `cluster_uuid is '…' and status = 'accepted'` and the like look for; None for what is not understood. Of
    `and` and `or`, the latter binds more."""
    wanted = []
    for either in re.split(r"\s+and\s+", text.replace("(", " ").replace(")", " "), flags=re.I) if text.strip() else ():
        clauses = [CLAUSE.fullmatch(clause) for clause in re.split(r"\s+or\s+", either, flags=re.I)]
        pairs = [found.groups() for found in clauses if found and found[1] in FIELDS]
        if len(pairs) != len(clauses):
            return None
        wanted.append(pairs)
    return lambda item: all(any(item[name] == value for name, value in pairs) for pairs in wanted)


def spelled(moment: float) -> str:
    """A time as OCM writes it."""
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
