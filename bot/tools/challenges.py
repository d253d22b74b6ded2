"""What a server asks for when it answers 401: the challenges in `WWW-Authenticate` (RFC 9110, section 11)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

LONGEST = 8_192  # characters
WORD = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
PIECE = re.compile(
    rf'[\s,]*(?:(?P<name>{WORD})[ \t]*=[ \t]*(?:"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<plain>{WORD}))|(?P<scheme>{WORD}))'
)
ESCAPED = re.compile(r"\\(.)")


@dataclass(frozen=True)
class Challenge:
    """A scheme in lower case, and its parameters, names in lower case."""

    scheme: str
    parameters: dict[str, str] = field(default_factory=dict)


def challenges(header: str) -> tuple[Challenge, ...]:
    """All of a header, in order; several headers joined by commas are one. What cannot be read ends it."""
    found: list[Challenge] = []
    for piece in _pieces(header[:LONGEST]):
        if piece["scheme"]:
            found.append(Challenge(piece["scheme"].lower()))
        elif found:
            quoted = piece["quoted"]
            value = piece["plain"] if quoted is None else ESCAPED.sub(r"\1", quoted)
            found[-1].parameters.setdefault(piece["name"].lower(), value)
    return tuple(found)


def _pieces(header: str) -> Iterator[re.Match[str]]:
    at = 0
    while piece := PIECE.match(header, at):
        yield piece
        at = piece.end()
