"""The words that Alertmanager and Grafana put into titles and bodies, read back as far as they can be.

A title is `[FIRING:2] values of the group's labels (values of the other common labels)`: names are not in it, and
which value is the alert's name is a guess (it comes first where it is part of the group). A body, where there is one,
lists each alert with `Labels:` and `Annotations:`. Formats: Alertmanager's default.tmpl, Grafana's default templates.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Literal

from bot.edges.alerts import values

Status = Literal["firing", "resolved"]
_TITLE = re.compile(r".{0,40}?\[(FIRING|RESOLVED)(?::([0-9]{1,6}))?(?:, RESOLVED:([0-9]{1,6}))?\](.*)", re.I | re.S)
_SECTIONS = {"firing": "firing", "resolved": "resolved", "alerts firing": "firing", "alerts resolved": "resolved"}
_PAIR = re.compile(r" ?[-•] ([^=\s][^=]{0,127}?) = (.*)")
_ADDRESS = re.compile(r"(Source|Silence|Dashboard|Panel|Runbook|Value|URL): *(.*)", re.I)


@dataclass(frozen=True)
class Subject:
    """A title. `count`: how many alerts it speaks of; `group`: the part that stays while the alerts change."""

    status: Status
    count: int
    name: str
    group: str


@dataclass
class Listed:
    """One alert of a body."""

    status: Status
    labels: dict[str, str] = field(default_factory=dict)
    annotations: dict[str, str] = field(default_factory=dict)
    link: str = ""


def read(title: str) -> Subject | None:
    """What a title says, None when it is none of theirs."""
    found = _TITLE.match(title[:2000])
    if found is None:
        return None
    status: Status = "firing" if found[1].upper() == "FIRING" else "resolved"
    rest = " ".join(found[4].split())
    group = rest.partition("(")[0].strip()
    words = (group or rest.strip("() ")).split()
    return Subject(status, int(found[2] or 1) + int(found[3] or 0), words[0] if words else "", group or rest)


def alerts(body: str, status: Status) -> list[Listed]:
    """The alerts that a body lists. `status` is what holds until a heading says otherwise.

    Values may hold anything, line ends included, so what is read here is a claim of whoever wrote the alert.
    """
    found: list[Listed] = []
    pairs: dict[str, str] | None = None
    last = ""
    for line in body[:60_000].split("\n"):
        word = line.strip("*_: \t").lower()
        if (heading := _SECTIONS.get(word)) and line.strip()[:1] in "*_":
            status, pairs = ("firing" if heading == "firing" else "resolved"), None
        elif word == "labels" and len(found) < values.ALERTS:
            found.append(Listed(status))
            pairs, last = found[-1].labels, ""
        elif word == "annotations" and found:
            pairs, last = found[-1].annotations, ""
        elif pairs is not None:
            last = _pair(line, found[-1], pairs, last)
    return [Listed(a.status, values.labels(a.labels), values.notes(a.annotations), a.link) for a in found]


def _pair(line: str, alert: Listed, pairs: dict[str, str], last: str) -> str:
    """Take one line of a list in; returns the name that further lines belong to."""
    if pair := _PAIR.fullmatch(line):
        pairs[pair[1]] = pair[2]
        return pair[1]
    if address := _ADDRESS.fullmatch(line.strip()):
        alert.link = alert.link or (values.link(address[2]) if address[1].lower() == "source" else "")
        return ""
    if last and line.strip():
        pairs[last] = f"{pairs[last]}\n{line}"[: values.ANNOTATION + 1]
    return last
