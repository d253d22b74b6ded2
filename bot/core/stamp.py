"""A time that is noted in Vault beside a secret, for all to read: "2026-01-31T12:00:00Z"."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from bot.core.secret import Secret

SPELLING = "%Y-%m-%dT%H:%M:%SZ"
SHAPE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")


def noted(at: float) -> Secret:
    """As Vault takes it. It is no secret, but everything that is written there goes the same way."""
    return Secret(datetime.fromtimestamp(int(at), UTC).strftime(SPELLING))


def read(text: str) -> float | None:
    """Seconds since the epoch, None for any other text."""
    if SHAPE.fullmatch(text) is None:
        return None
    try:
        return datetime.strptime(text, SPELLING).replace(tzinfo=UTC).timestamp()
    except ValueError:  # the 31st of February
        return None
