"""`hivekeeper check` about managed tokens: what in the file is not understood, and who is there. Nothing is stored,
pushed or sent."""

from __future__ import annotations

from collections.abc import Iterator

from bot.app import Parts
from bot.findings import Finding, looked
from bot.settings import FromFile


def grid(parts: Parts) -> Iterator[Finding]:
    """As far as the settings name it."""
    if parts.settings.managed_tokens:
        yield from services(parts)
    yield from others(parts)


def services(parts: Parts) -> Iterator[Finding]:
    """How many services there are, and each thing in the file that is not understood."""
    found = [*looked("managed_tokens", lambda: _counted(parts))]
    yield from found
    for unclear in parts.tools.services.read().unclear if found[0].good else ():
        yield Finding(subject="managed_tokens", good=False, told=unclear, now="Correct it in the managedTokens file.")


def _counted(parts: Parts) -> str:
    read = parts.tools.services.read()
    nodes = {node for service in read.services for node in service.nodes}
    return f"{_count(len(read.services), 'service')} on {_count(len(nodes), 'node')}."


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def others(parts: Parts) -> Iterator[Finding]:
    """FERRY, HTCondor, mail and Pushgateway: are they there, and do they let us in?"""
    from bot.tools import credd, ferry, mail, pushgateway, references

    settings = parts.settings
    if asked := settings.ferry:
        yield from looked("ferry", lambda: ferry.check(asked, parts.resolve))
        if warning := references.exposed(FromFile(file=asked.key)) if asked.key else None:
            yield Finding(subject="ferry", good=False, told=warning, now="Make it readable by the bot alone.")
    if stores := settings.credd:
        yield from looked("credd", lambda: credd.check(stores))
        if settings.vault_tokens is None:
            told = "tokens for it come from Vault, and vault_tokens is not set."
            yield Finding(subject="credd", good=False, told=told, now="Set vault_tokens in the settings.")
    if post := settings.smtp:
        yield from looked("smtp", lambda: mail.check(post, parts.resolve))
    if gateway := settings.pushgateway:
        yield from looked("pushgateway", lambda: pushgateway.check(gateway, parts.resolve))
