"""Entries of a managedTokens file that have one experiment (`experimentOverride`): which of them are one service."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from bot.core.grid import Service
from bot.core.managed_tokens_values import NAME


def merged(services: Iterator[tuple[str, Service]], tell: Callable[[str], None]) -> tuple[Service, ...]:
    """Entries of one experiment (`experimentOverride`) that differ in their nodes and addressees alone are one service;
    others have one each, by the name of the entry. An experiment's own entry goes first."""
    found: dict[str, Service] = {}
    for own, service in sorted(services, key=lambda pair: pair[0] != pair[1].name):
        first = found.setdefault(service.name, service)
        same = {"nodes": first.nodes, "emails": first.emails}
        if service.model_copy(update=same) == first:
            nodes, emails = (*first.nodes, *service.nodes), (*first.emails, *service.emails)
            both = {"nodes": tuple(dict.fromkeys(nodes)), "emails": tuple(dict.fromkeys(emails))}
            found[service.name] = first.model_copy(update=both)
        elif own in found or not NAME.fullmatch(own):
            tell(f"{service.name} is there twice and not alike; only the first is served.")
        else:
            found[own] = service.model_copy(update={"name": own})
    return tuple(found.values())
