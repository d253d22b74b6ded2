"""Frozen values: what is shown, stored, digested and executed is one and the same object."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from pydantic import BaseModel, ConfigDict


class Value(BaseModel):
    """An immutable pydantic model that knows no unknown keys and no strangers."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=False)


def canonical(document: Any) -> bytes:
    """The one JSON spelling of a document (sorted keys, no spaces, UTF-8), for digests."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def sha256(document: Any) -> str:
    """Hex SHA-256 of a document's canonical JSON."""
    return hashlib.sha256(canonical(document)).hexdigest()
