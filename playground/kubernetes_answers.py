"""What a stand-in for Kubernetes is asked and what it answers: plain values, and Status bodies as the API server words
them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from playground.kubernetes_kinds import Kind

Json = dict[str, Any]
STALE = "the object has been modified; please apply your changes to the latest version and try again"
TOO_OLD = "The provided continue parameter is too old to display a consistent list result."


@dataclass(frozen=True)
class Asked:
    """One HTTP request."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    token: str = field(default="", repr=False)
    content_type: str = ""
    body: bytes = field(default=b"", repr=False)


@dataclass(frozen=True)
class Answer:
    """A status and a JSON body, or raw bytes for what is not JSON."""

    status: int
    body: Any = None
    raw: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    def content(self) -> bytes:
        return json.dumps(self.body).encode() + b"\n" if self.raw is None else self.raw

    @property
    def media_type(self) -> str:
        return "application/json" if self.raw is None else "text/plain; charset=utf-8"


class Failure(Exception):
    """Ends a request with this answer."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


@dataclass(frozen=True)
class Entry:
    """A line of the request log. `fields` are the keys of a Secret, written or read, with 8 hex digits of their
    SHA-256; `user` is who asked."""

    number: int
    verb: str
    path: str
    status: int
    user: str
    fields: Mapping[str, str]


def status(code: int, reason: str, message: str, details: Json | None = None, **metadata: str) -> Answer:
    """A failure's Status; `reason` may be empty."""
    body: Json = {"kind": "Status", "apiVersion": "v1", "metadata": metadata, "status": "Failure", "message": message}
    body |= {"reason": reason} if reason else {}
    body |= {} if details is None else {"details": details}
    return Answer(code, {**body, "code": code})


def removed(kind: Kind, name: str, uid: str) -> Answer:
    details = _details(kind, name) | {"uid": uid}
    return Answer(200, {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details})


def unauthorized() -> Answer:
    return status(401, "Unauthorized", "Unauthorized")


def missing(kind: Kind, name: str) -> Answer:
    return status(404, "NotFound", f'{kind.resource} "{name}" not found', _details(kind, name))


def unknown() -> Answer:
    return status(404, "NotFound", "the server could not find the requested resource", {})


def no_page() -> Answer:
    """What answers for a group that no API serves: not even a Status."""
    return Answer(404, raw=b"404 page not found\n")


def not_allowed() -> Answer:
    return status(405, "MethodNotAllowed", "the server does not allow this method on the requested resource", {})


def exists(kind: Kind, name: str) -> Answer:
    return status(409, "AlreadyExists", f'{kind.resource} "{name}" already exists', _details(kind, name))


def conflict(kind: Kind, name: str, why: str = STALE) -> Answer:
    text = f'Operation cannot be fulfilled on {kind.resource} "{name}": {why}'
    return status(409, "Conflict", text, _details(kind, name))


def precondition(kind: Kind, name: str, field_name: str, wanted: str, found: str) -> Answer:
    """A delete that came too late; the server writes the kind here, not the resource."""
    hint = "The object might have been " + ("modified" if field_name[0] == "R" else "deleted and then recreated")
    why = f"the {field_name} in the precondition ({wanted}) does not match the {field_name} in record ({found}). {hint}"
    text = f'Operation cannot be fulfilled on {kind.kind} "{name}": {why}'
    return status(409, "Conflict", text, {"name": name, "kind": kind.kind})


def bad(message: str) -> Answer:
    return status(400, "BadRequest", message)


def invalid(kind: Kind, name: str, *causes: tuple[str, str, str]) -> Answer:
    """`causes`: reason, message and field of each."""
    listed = [{"reason": reason, "message": message, "field": where} for reason, message, where in causes]
    told = ", ".join(f"{where}: {message}" for _, message, where in causes)
    text = f'{kind.kind} "{name}" is invalid: {told if len(causes) == 1 else f"[{told}]"}'
    named = {"name": name} if name else {}
    group = {"group": kind.group} if kind.group else {}
    return status(422, "Invalid", text, {**named, **group, "kind": kind.kind, "causes": listed})


def forbidden(kind: Kind | None, name: str, why: str) -> Answer:
    """`kind` None: it was a path, not an object."""
    if kind is None:
        return status(403, "Forbidden", f"forbidden: {why}", {})
    what = f'{kind.resource} "{name}"' if name else kind.resource
    return status(403, "Forbidden", f"{what} is forbidden: {why}", _details(kind, name))


def fingerprint(value: Any) -> str:
    return hashlib.sha256(str(value).encode()).hexdigest()[:8]


def fingerprints(*documents: Any) -> dict[str, str]:
    """The data of a Secret that went over the wire, never its values."""
    for document in documents:
        if isinstance(document, dict) and document.get("kind") == "Secret":
            data = {**(document.get("data") or {}), **(document.get("stringData") or {})}
            return {key: fingerprint(value) for key, value in data.items()}
    return {}


def _details(kind: Kind, name: str) -> Json:
    details = {"name": name, "group": kind.group, "kind": kind.plural}
    return {key: value for key, value in details.items() if value}
