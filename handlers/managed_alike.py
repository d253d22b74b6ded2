"""What is said of many places in the same words, told once: a rack without power is one line and not forty."""

from __future__ import annotations

from collections.abc import Iterable

from handlers.managed_tokens import listed

SHOWN = 3  # places that are named; of the others the number is told
LIKEWISE = " (Likewise for the others.)"


def alike(said: Iterable[tuple[str, str]]) -> tuple[tuple[tuple[str, ...], str], ...]:
    """Places ("dune_pro", "dune_pro@node", "dune_pro@schedd (credd)") with a text of each. Those of whose texts only
    their own names differ stand together, in the order of the first of each, with the text of that one."""
    together: dict[str, tuple[list[str], str]] = {}
    for place, text in said:
        service, _, there = place.partition(" ")[0].partition("@")
        words = (text.replace(there, "@") if there else text).replace(service, "_")
        together.setdefault(words, ([], text))[0].append(place)
    return tuple((tuple(places), text) for places, text in together.values())


def rows(said: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """For people: the places, and what is said of the first."""
    return tuple(
        (listed(places, SHOWN), f"{text}{LIKEWISE if len(places) > 1 else ''}") for places, text in alike(said)
    )
