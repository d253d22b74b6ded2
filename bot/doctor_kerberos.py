"""`hivekeeper check` about Kerberos: does each service get a ticket? Nobody logs in to Vault, no token is made."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from bot.app import Parts
from bot.core.errors import Told, Transient
from bot.core.grid import Service
from bot.findings import Finding
from bot.settings import FromFile, Settings


def kerberos(parts: Parts) -> Iterator[Finding]:
    """Nothing where there are no managed tokens. When no KDC answers for one, the others are not waited for."""
    from bot.tools.kerberos import Tickets, library

    services = _services(parts.settings)
    if parts.settings.vault_tokens is None or not services:
        return
    try:
        library()
    except Told as error:
        yield Finding(subject="kerberos", good=False, told=error.what, now=error.now)
        return
    tickets = Tickets(parts.settings.kerberos)
    for service in services:
        yield from _exposed(service)
        try:
            told = f"{tickets.ticket(service).principal} gets a ticket."
            yield Finding(subject=f"kerberos {service.name}", good=True, told=told)
        except Transient as error:
            yield Finding(subject="kerberos", good=False, told=error.what, now=error.now)
            return
        except Told as error:
            yield Finding(subject=f"kerberos {service.name}", good=False, told=error.what, now=error.now)


def _services(settings: Settings) -> tuple[Service, ...]:
    """None where the file cannot be read: the check of the file says so."""
    from bot.tools.managed_tokens_file import ManagedTokensFile

    if settings.managed_tokens is None:
        return ()
    try:
        return ManagedTokensFile(settings.managed_tokens.file).read().services
    except Told:
        return ()


def _exposed(service: Service) -> Iterator[Finding]:
    from bot.tools import references

    if warning := references.exposed(FromFile(file=Path(service.keytab))):
        yield Finding(
            subject=f"kerberos {service.name}", good=False, told=warning, now="Make it readable by the bot alone."
        )
