"""What senders write, made safe to keep: cut to limits, no control characters, times in seconds, links only http."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from bot.core.alert import Alert, Origin
from bot.core.errors import Refused
from bot.core.value import sha256

ALERTS, LABELS, ANNOTATIONS = 5000, 64, 32
NAME, LABEL, ANNOTATION, LINK, TEXT = 128, 1024, 2000, 2000, 8000
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
_IDENTITY = re.compile(r"[A-Za-z0-9._:-]{1,128}")


def text(value: Any, limit: int) -> str:
    """A text, number or truth value as text of at most `limit` characters; anything else is nothing."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) or (isinstance(value, int) and abs(value) < 10**30):
        value = f"{value:.15g}" if isinstance(value, float) else str(value)
    if not isinstance(value, str):
        return ""
    kept = value[: 2 * limit + 100]
    kept = kept if kept.isprintable() else _CONTROL.sub("", kept.replace("\r\n", "\n"))
    return kept if len(kept) <= limit else kept[: limit - 1] + "…"


def line(value: Any, limit: int) -> str:
    """The same in one line."""
    return text(value, limit).replace("\n", " ").replace("\t", " ")


def labels(value: Any, what: str = "labels") -> dict[str, str]:
    """Names and values of labels. Refused, by our name for the place, when it is no object."""
    return _pairs(value, what, LABELS, LABEL)


def notes(value: Any, what: str = "annotations") -> dict[str, str]:
    return _pairs(value, what, ANNOTATIONS, ANNOTATION)


def _pairs(value: Any, what: str, most: int, longest: int) -> dict[str, str]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise wrong(f"{what} is not an object of names and texts")
    form = line if longest == LABEL else text
    found: dict[str, str] = {}
    for name, each in value.items():
        if len(found) == most:
            break
        if (short := line(name, NAME).strip()) and (told := form(each, longest)):
            found[short] = told
    return found


def moment(value: Any) -> float | None:
    """Seconds since the epoch of an RFC 3339 time, of any precision. None for no time: absent, garbage, the year 1."""
    if not isinstance(value, str) or len(value) > 40:
        return None
    try:
        read = datetime.fromisoformat(value.strip())
        seconds = (read if read.tzinfo else read.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None
    return seconds if seconds > 0 else None


def link(value: Any) -> str:
    """An http address that has no login in it, else nothing. It is shown, never fetched."""
    found = line(value, LINK + 1).strip()
    try:
        parts = urlsplit(found)
        fits = parts.scheme in ("http", "https") and bool(parts.hostname) and "@" not in parts.netloc
    except ValueError:
        return ""
    return found if fits and len(found) <= LINK else ""


def identity(said: Any, of: Mapping[str, str]) -> str:
    """The sender's fingerprint, or one made of the labels."""
    return said if isinstance(said, str) and _IDENTITY.fullmatch(said) else sha256(dict(of))[:32]


def key(origin: Origin, *parts: Any) -> str:
    """The same for the same content, whoever delivers it how often."""
    return f"{origin}:{sha256(parts)}"


def content(alert: Alert) -> list[Any]:
    """What makes two tellings of an alert the same."""
    return [alert.identity, alert.status, alert.labels, alert.annotations, alert.link]


def wrong(what: str) -> Refused:
    """For the sender: what does not fit, in words of ours."""
    return Refused(f"This is not the alert payload expected here: {what}.", "Nothing was stored.")
