"""Short texts of other systems that are evidence for people (a component's name, a warning): one line, cut."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

UNSEEN = {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}  # control, format (direction marks), half characters, private, line ends


def plain(text: str, longest: int) -> str:
    """The text in one line of at most `longest` characters, without what cannot be seen."""
    seen = "".join(" " if unicodedata.category(sign) in UNSEEN else sign for sign in text[: longest * 8])
    line = " ".join(seen.split())
    return line if len(line) <= longest else line[: longest - 1].rstrip() + "…"


def some(texts: Iterable[str], most: int) -> tuple[str, ...]:
    """Each text once, in order, at most so many; then how many more there are."""
    each = tuple(dict.fromkeys(text for text in texts if text))
    return each if len(each) <= most else (*each[:most], f"and {len(each) - most} more")
