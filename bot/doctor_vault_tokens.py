"""`hivekeeper check` about the Vault that gives services their tokens: is it there, with a login for each service?
Nobody logs in."""

from __future__ import annotations

from collections.abc import Iterator

from bot.app import Parts
from bot.core.errors import Told, Transient
from bot.core.grid import Service
from bot.findings import Finding, looked
from bot.managed import VaultTokens


def vault_tokens(parts: Parts) -> Iterator[Finding]:
    """Nothing where it is not set. What holds for several services is told once."""
    from bot.tools import htgettoken

    settings = parts.settings.vault_tokens
    if settings is None:
        return
    if settings.way == "htgettoken":
        yield from looked("vault_tokens", lambda: f"{htgettoken.found(settings)} is there.")
    away: set[str] = set()
    said: set[str] = set()
    for service in _services(parts):
        found = _looked(settings, service, away)
        if found is not None and found.told not in said:
            said.add(found.told)
            yield found


def _looked(settings: VaultTokens, service: Service, away: set[str]) -> Finding | None:
    """`away`: addresses where nobody answers, which need not be waited for again."""
    from bot.tools.vault_tokens_wire import site

    address = ""
    try:
        there = site(settings, service)
        address = there.address
        if address in away:
            return None
        there.takes_logins()
    except Told as told:
        if isinstance(told, Transient):
            away.add(address)
        return Finding(subject="vault_tokens", good=False, told=told.what, now=told.now)
    return Finding(subject="vault_tokens", good=True, told=f"{address} has the login {there.kerberos}.")


def _services(parts: Parts) -> tuple[Service, ...]:
    """None where the file cannot be read: the check of the file says so."""
    if parts.settings.managed_tokens is None:
        return ()
    try:
        return parts.tools.services.read().services
    except Told:
        return ()
