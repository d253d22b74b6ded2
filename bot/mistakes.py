"""What is wrong with settings, in words: by place and rule, never by what is written there, which may be a secret."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from bot.sources import FromEnv, FromFile, FromVault

REFERENCES = frozenset(kind.__name__ for kind in (FromEnv, FromFile, FromVault))
REFERENCE = "a secret is named here, never written: {env: NAME}, {file: PATH} or {vault: PATH, field: NAME}"
SPELT = re.compile(r"[a-z][a-z_-]{0,39}")  # a key that is no setting is repeated only if it looks like a misspelt one
MOST = 10  # mistakes that are told at once


def told(error: ValidationError) -> str:
    """All of them, one after another, each once."""
    wrong = error.errors(include_input=False, include_url=False)
    lines = list(dict.fromkeys(_line(one["loc"], one) for one in wrong))
    more = [f"and {len(lines) - MOST} more"] if len(lines) > MOST else []
    return "; ".join([*lines[:MOST], *more])


def _line(place: tuple[int | str, ...], one: Mapping[str, Any]) -> str:
    named = next((number for number, part in enumerate(place) if part in REFERENCES), None)
    if named is not None:  # each way of naming a secret fails for itself: that is one mistake
        place, rule = place[:named], REFERENCE
    elif one["type"] == "extra_forbidden" and not SPELT.fullmatch(str(place[-1])):
        place, rule = place[:-1], "it has a key that is no setting"
    else:
        rule = _rule(one)
    return ": ".join(filter(None, [".".join(map(str, place)), rule]))


def _rule(one: Mapping[str, Any]) -> str:
    ctx = one.get("ctx", {})
    match one["type"]:
        case "extra_forbidden":
            return "there is no such setting"
        case "missing":
            return "it is missing"
        case "union_tag_invalid":
            return f"{ctx['discriminator']} must be one of {ctx['expected_tags']}"
        case "union_tag_not_found":
            return f"{ctx['discriminator']} is missing"
        case _:
            return str(one["msg"]).removeprefix("Value error, ").replace("Input should be", "it must be", 1)
