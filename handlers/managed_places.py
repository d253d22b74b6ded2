"""Which services are meant by what somebody has typed, and where of each: "dune", "dune_pro", "dune_pro@gpvm1"."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import StringConstraints

from bot.core.errors import Refused
from bot.core.grid import Inventory, Service
from bot.core.value import Value
from handlers.managed_tokens import ALL, called, chosen, listed, names_of, strange, words_for

Wanted = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*(@[A-Za-z0-9][A-Za-z0-9@.:_-]*)?$", max_length=384)
]


class Meant(Value):
    """A service, the nodes that are meant, and whether any of its schedds is. `only`: places that were named in so many
    words, in lower case; None for all of them."""

    service: Service
    nodes: tuple[str, ...]
    only: frozenset[str] | None = None

    @property
    def schedds(self) -> bool:
        return self.only is None or bool(self.elsewhere)

    @property
    def elsewhere(self) -> frozenset[str]:
        """What was named and is no node: a schedd, perhaps."""
        return frozenset(strange(self.only or frozenset(), self.service.nodes))

    def has(self, place: str) -> bool:
        return self.only is None or called(place, self.only)


def spoken(found: Inventory, words: tuple[str, ...], nodes: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The words, and the nodes: a word that is nobody's name but a node's is that node, as after `--node one two`."""
    services = {name for one in found.services for name in words_for(one)} | {ALL}
    known = {name for one in found.services for node in one.nodes for name in names_of(node)}
    stray = tuple(word for word in words if word.lower() in known - services)
    return tuple(word for word in words if word not in stray), (*nodes, *stray)


def meant(found: Inventory, words: tuple[str, ...], nodes: tuple[str, ...]) -> tuple[Meant, ...]:
    """In the order of the file. `nodes`: just these, of whatever service. Refused for words that mean nothing."""
    places = named(found, words)
    only = frozenset(node.lower() for node in nodes)
    made = tuple(_meant(one, places[one.name], only) for one in found.services if one.name in places)
    if names := strange(only, (node for one in made for node in one.nodes)):
        raise Refused(f"None of these services has the node {listed(names)}.", "See the managedTokens file.")
    left = tuple(one for one in made if one.nodes or not only)
    if not left:
        raise Refused("There is no service to bring tokens for.", "See the managedTokens file.")
    return left


def _meant(service: Service, places: frozenset[str] | None, only: frozenset[str]) -> Meant:
    whole = Meant(service=service, nodes=tuple(dict.fromkeys(service.nodes)), only=places)
    nodes = tuple(node for node in whole.nodes if whole.has(node) and (not only or called(node, only)))
    return whole.model_copy(update={"nodes": nodes})


def named(found: Inventory, words: tuple[str, ...]) -> Mapping[str, frozenset[str] | None]:
    """The places that were named of each service, None for all of them."""
    places: dict[str, frozenset[str] | None] = {}
    for name, theres in _split(words or (ALL,)).items():
        services = chosen(found, (name,))
        known = {there for one in services for node in one.nodes for there in names_of(node)}
        for one in services:
            # a node is that of those services of an experiment that have it; what is no node may be a schedd of any
            own = {there for node in one.nodes for there in names_of(node)}
            wanted = None if "" in theres else frozenset(theres & own | theres - known)
            before = places.get(one.name, frozenset())
            if wanted is None or wanted:
                places[one.name] = None if wanted is None or before is None else before | wanted
    return places


def _split(words: tuple[str, ...]) -> dict[str, set[str]]:
    """By service or experiment, what stands behind each @."""
    parts: dict[str, set[str]] = {}
    for word in words:
        name, _, there = word.lower().partition("@")
        parts.setdefault(name, set()).add(there)
    return parts


def strangers(one: Meant, schedds: tuple[str, ...]) -> tuple[str, ...]:
    """Why some of what was named is left out: it is neither a node of the service nor one of these schedds."""
    names = strange(one.elsewhere, schedds)
    return (f"{one.service.name} has no node or schedd {listed(names)}.",) if names else ()
