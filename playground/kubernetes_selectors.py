"""Label and field selectors of a list, with the API server's own complaints."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from playground.kubernetes_answers import Failure, bad
from playground.kubernetes_kinds import EVENT, POD, SECRET, Kind

Test = Callable[[Mapping[str, Any]], bool]
KEY, VALUE = r"[A-Za-z0-9][\w./-]*", r"[A-Za-z0-9]?[\w.-]*"
SET = re.compile(rf"({KEY})\s+(in|notin)\s*\(([^)]*)\)")
EQUAL = re.compile(rf"({KEY})\s*(==|=|!=)\s*({VALUE})")
PRESENT = re.compile(rf"(!?)\s*({KEY})")
ALWAYS = ("metadata.name", "metadata.namespace")
FIELDS = {
    POD: ("spec.nodeName", "spec.restartPolicy", "spec.serviceAccountName", "status.phase", "status.podIP"),
    SECRET: ("type",),
    EVENT: (
        "reason", "type", "source", "involvedObject.kind", "involvedObject.name", "involvedObject.namespace",
        "involvedObject.uid", "involvedObject.apiVersion", "involvedObject.fieldPath",
    ),
}  # fmt: skip


def labels(selector: str) -> Test:
    """Of an object's labels: all of the requirements."""
    tests = [_requirement(part.strip()) for part in _parts(selector)]
    return lambda found: all(test(found) for test in tests)


def fields(selector: str, kind: Kind) -> Test:
    """Of an object: the fields that the API can select by."""
    tests = [_field(part, kind) for part in selector.split(",") if part]
    return lambda one: all(test(one) for test in tests)


def named(selector: str) -> str:
    """The one name that a field selector asks for: it counts as the name when rights are looked at."""
    found = re.search(r"(?:^|,)metadata\.name==?([^,!=]+)", selector)
    return found[1] if found else ""


def _parts(selector: str) -> list[str]:
    """At the commas outside of brackets."""
    return [part for part in re.split(r",(?![^(]*\))", selector) if part.strip()]


def _requirement(text: str) -> Test:
    if found := SET.fullmatch(text):
        key, word, listed = found.groups()
        values = {value.strip() for value in listed.split(",")}
        return lambda at: (at.get(key) in values) == (word == "in")
    if found := EQUAL.fullmatch(text):
        name, sign, value = found.groups()
        return lambda at: (at.get(name) == value) == (sign != "!=")
    if found := PRESENT.fullmatch(text):
        absent, wanted = found.groups()
        return lambda at: (wanted in at) != bool(absent)
    raise Failure(bad(f"unable to parse requirement: found '{text}', expected: a requirement"))


def _field(text: str, kind: Kind) -> Test:
    found = re.fullmatch(r"([^=!]+)(==|=|!=)(.*)", text)
    if not found:
        raise Failure(bad(f"invalid selector: '{text}'; can't understand '{text}'"))
    path, sign, value = found.groups()
    if path not in (*ALWAYS, *FIELDS.get(kind, ())):
        known = f'"{path}" is not a known field selector: only "{ALWAYS[0]}", "{ALWAYS[1]}"'
        raise Failure(bad(f"field label not supported: {path}" if kind in FIELDS else known))
    return lambda one: (_at(one, path) == value) == (sign != "!=")


def _at(one: Mapping[str, Any], path: str) -> str:
    value: Any = one
    for name in path.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return "" if value is None else str(value)
