"""Single values of a managedTokens file, as upstream's programs take them: durations, lists, templates, names."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
DURATION = re.compile(r"(?:[0-9]{1,9}(?:\.[0-9]{1,9})?(?:ns|us|µs|ms|s|m|h|d))+")
AMOUNT = re.compile(r"([0-9.]+)(ns|us|µs|ms|s|m|h|d)")
FIELD = re.compile(r"\{\{-?\s*\.([A-Za-z]{1,40})\s*-?\}\}")
UID = "{{.DesiredUID}}"  # how the place of a UID is spelled in `Service.role_file`

ACCOUNT = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,31}")
HOST = re.compile(
    r"(?=.{1,253}\Z)[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*"
)
DAEMON = re.compile(r"(?:[A-Za-z0-9][A-Za-z0-9_.-]{0,62}@)?[A-Za-z0-9][A-Za-z0-9.-]{0,252}(?::[0-9]{1,5})?")
PRINCIPAL = re.compile(r"[A-Za-z0-9_.-]{1,64}(?:/[A-Za-z0-9_.-]{1,253}){0,3}(?:@[A-Za-z0-9_.-]{1,253})?")
EMAIL = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
PATH = re.compile(r"/[A-Za-z0-9@_.+=:,/-]{1,500}")


def seconds(text: str) -> float | None:
    """How long `3d`, `10s` or `1h30m` is; None if it is no such thing."""
    if not DURATION.fullmatch(text):
        return None
    return sum(float(amount) * UNITS[unit] for amount, unit in AMOUNT.findall(text))


def text(value: Any) -> str | None:
    """A scalar as text, trimmed; None for what is no text and no whole number."""
    if isinstance(value, str):
        return value.strip()
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else None


def switch(value: Any) -> bool | None:
    """A yes or no, also one in quotes; None if it is neither."""
    words = {"true": True, "false": False}
    return value if isinstance(value, bool) else words.get(str(value).strip().lower())


def items(value: Any) -> tuple[Any, ...] | None:
    """A list, or a text with commas for one; nothing is an empty one. None if it is neither."""
    if value is None or value == "":
        return ()
    if isinstance(value, list):
        return tuple(value)
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else None


def filled(template: str, values: Mapping[str, str]) -> str | None:
    """The template with `{{.Account}}` and the like filled in; None for a field or a form that is not known."""
    fields = FIELD.findall(template)
    if any(field not in values for field in fields) or re.search(r"\{\{|\}\}", FIELD.sub("", template)):
        return None
    return FIELD.sub(lambda found: values[found[1]], template)


def role_file(service_role_file: str, uid: int) -> str:
    """The path that a `Service.role_file` means for this UID."""
    return service_role_file.replace(UID, str(uid))


def is_path(path: str) -> bool:
    """Is it an absolute path of plain signs that never goes up?"""
    return PATH.fullmatch(path) is not None and ".." not in path.split("/")
