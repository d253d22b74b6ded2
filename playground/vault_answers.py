"""What a stand-in for Vault is asked and what it answers: plain values, and the bodies as Vault words them."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

INVALID_V2 = (
    "Invalid path for a versioned K/V secrets engine. See the API docs for the appropriate API endpoints to use. "
    "If using the Vault CLI, use 'vault kv {}' for this operation."
)


@dataclass(frozen=True)
class Asked:
    """One request: `path` without /v1/, `body` the JSON object."""

    method: str
    path: str
    token: str = ""
    body: Mapping[str, Any] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    authorization: str = field(default="", repr=False)  # the header

    @property
    def writes(self) -> bool:
        return self.method in ("POST", "PUT")


@dataclass(frozen=True)
class Answer:
    """A status and a JSON body (None: an empty one), or raw bytes for what is not Vault's."""

    status: int
    body: Any = None
    raw: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    def content(self) -> bytes:
        if self.raw is not None:
            return self.raw
        return b"" if self.body is None else json.dumps(self.body).encode() + b"\n"


@dataclass(frozen=True)
class Entry:
    """A line of the request log. `fields` are the names written or read with 8 hex digits of their SHA-256."""

    number: int
    method: str
    path: str
    status: int
    fields: Mapping[str, str]


def found(data: Any, *, warnings: list[str] | None = None, auth: Any = None, status: int = 200) -> Answer:
    body = {"request_id": str(uuid.uuid4()), "lease_id": "", "renewable": False, "lease_duration": 0,
            "data": data, "wrap_info": None, "warnings": warnings, "auth": auth}  # fmt: skip
    return Answer(status, body)


def error(status: int, *errors: str) -> Answer:
    return Answer(status, {"errors": list(errors)})


def nothing() -> Answer:
    return Answer(204)


def missing() -> Answer:
    return error(404)


def denied() -> Answer:
    return error(403, "1 error occurred:\n\t* permission denied\n\n")


def invalid_for_v2(method: str) -> Answer:
    return found(None, warnings=[INVALID_V2.format("get" if method == "GET" else "put")], status=404)


def unsupported() -> Answer:
    return error(405, "1 error occurred:\n\t* unsupported operation\n\n")


def fingerprint(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def fingerprints(asked: Asked, answer: Answer) -> dict[str, str]:
    """The fields that went over the wire, never their values."""
    body = asked.body if asked.writes else (answer.body or {}).get("data")
    inner = body.get("data") if isinstance(body, Mapping) else None
    fields = inner if isinstance(inner, Mapping) else body
    if asked.path.startswith(("auth/", "sys/")) or not isinstance(fields, Mapping):
        return {}
    return {name: fingerprint(value) for name, value in fields.items()}
