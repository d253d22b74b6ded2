"""A credentials document as JSON: read exactly, with keys that stand twice, and written. Errors hold none of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, NoReturn

from bot.core.errors import Refused
from bot.core.secret import Secret

LIMIT = 1_048_576  # bytes: what a Kubernetes Secret may hold in all
NOW = "Correct it where it is kept, or put back what was there before."
DEEPEST = 32  # objects within objects; an entry is the third
WHAT = "The credentials document"


class Twice(dict[str, Any]):
    """An object of which some keys stood there more than once; of each the last one counts, as it does for nodes."""

    keys_twice: frozenset[str] = frozenset()


def opened(document: Secret) -> dict[str, Any]:
    """The document. Refused when it is not a JSON object, or its `auths` is none."""
    text = document.reveal()
    if len(_bytes(text)) > LIMIT:
        raise Refused(f"{WHAT} is longer than a Secret may be (1 MiB).", NOW)
    if not text.strip():
        raise Refused(f"{WHAT} is empty.", NOW)
    read = _read(text)
    if _depth(read) > DEEPEST:
        raise Refused(f"{WHAT} is nested too deeply.", NOW)
    if not isinstance(read, dict):
        raise Refused(f"{WHAT} is JSON, but not an object.", NOW)
    if not isinstance(read.get("auths"), dict | None):
        raise Refused(f"The `auths` of {_lower()} is not an object.", NOW)
    return read


def auths(document: dict[str, Any]) -> dict[str, Any]:
    """Its entries by key; none when there are none."""
    return document.get("auths") or {}


def written(document: dict[str, Any]) -> Secret:
    """The document as text. Refused when it has become too long."""
    text = spelled(document)
    if len(text) > LIMIT:
        raise Refused(f"{WHAT} would become longer than a Secret may be (1 MiB).", "Remove entries nobody needs.")
    return Secret(text)


def spelled(value: Any) -> str:
    """The same spelling for what is the same and in the same order, and ASCII. (To Python, 1 equals 1.0 and true.)"""
    return json.dumps(value, separators=(",", ":"))


def stands_twice(value: Any, key: str) -> bool:
    return isinstance(value, Twice) and key in value.keys_twice


def any_twice(value: Any) -> bool:
    """Does any object in it have a key twice?"""
    return any(isinstance(inner, Twice) for inner, _ in _all(value))


def _depth(value: Any) -> int:
    return max(depth for _, depth in _all(value))


def _all(value: Any) -> Iterator[tuple[Any, int]]:
    """The value and all within it, each with its depth; without recursion, because nobody has looked at it yet."""
    waiting = [(value, 0)]
    while waiting:
        value, depth = waiting.pop()
        yield value, depth
        if isinstance(value, dict | list):
            waiting.extend((inner, depth + 1) for inner in (value.values() if isinstance(value, dict) else value))


def _read(text: str) -> Any:
    """Not raised from where it is found: json's errors carry the whole document."""
    try:
        return json.loads(text, object_pairs_hook=_object, parse_constant=_no_json, parse_float=_number)
    except (ValueError, RecursionError):
        problem = Refused(f"{WHAT} is not valid JSON.", NOW)
    raise problem


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    read = dict(pairs)
    if len(read) == len(pairs):
        return read
    seen: set[str] = set()
    twice = Twice(read)
    twice.keys_twice = frozenset(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]  # the idiom
    return twice


def _number(text: str) -> float:
    number = float(text)
    return number if number - number == 0 else _no_json(text)  # 1e999 would be written as Infinity


def _no_json(_: str) -> NoReturn:
    raise ValueError


def _bytes(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        problem = Refused(f"{WHAT} is not UTF-8 text.", NOW)
    raise problem


def _lower() -> str:
    return WHAT[0].lower() + WHAT[1:]
