"""`hivekeeper check` about managed tokens: what in the file is not understood, and who is there. Nothing is stored,
pushed or sent."""

from __future__ import annotations

from collections.abc import Iterator

from bot.app import Parts
from bot.findings import Finding, looked
from bot.settings import FromFile, Settings

OURS = {"ferry": "ferry", "email": "smtp"}  # keys of the file -> of the settings, where they must be instead


def grid(parts: Parts) -> Iterator[Finding]:
    """As far as the settings name it."""
    if parts.settings.managed_tokens:
        yield from services(parts)
    yield from others(parts)


def services(parts: Parts) -> Iterator[Finding]:
    """How many services there are, and each thing in the file that is not understood."""
    found = [*looked("managed_tokens", lambda: _counted(parts))]
    yield from found
    if not found[0].good:
        return
    read = parts.tools.services.read()
    for unclear in read.unclear:
        yield Finding(subject="managed_tokens", good=False, told=unclear, now="Correct it in the managedTokens file.")
    yield from elsewhere(read.elsewhere, parts.settings)


def elsewhere(keys: tuple[str, ...], settings: Settings) -> Iterator[Finding]:
    """What the file says of things that the bot's own settings have; one that these have not is missing."""
    lacking = tuple(key for key in keys if key in OURS and getattr(settings, OURS[key]) is None)
    for key in lacking:
        told, now = (
            f"{key} of the file is not read, and the bot's settings have no {OURS[key]}.",
            f"Set {OURS[key]} there.",
        )
        yield Finding(subject="managed_tokens", good=False, told=told, now=now)
    if others := tuple(key for key in keys if key not in lacking):
        told = f"not read of the file, as the bot has settings or ways of its own: {', '.join(others)}."
        yield Finding(subject="managed_tokens", good=None, told=told)


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
