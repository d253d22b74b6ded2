"""The systems of managed tokens, as far as the settings name them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from bot.core.ports import Fingerprints
from bot.core.secret import Secret
from bot.settings import SecretSource, Settings

if TYPE_CHECKING:
    from bot.tools.kerberos import Tickets

Resolve = Callable[[SecretSource], Secret]


def of(settings: Settings, resolve: Resolve, fingerprints: Fingerprints) -> dict[str, Any]:
    """By the names that `bot.core.ports.Tools` has for them."""
    from bot.tools.kerberos import Tickets
    from bot.tools.meter import Meter

    meter = Meter()
    tickets = Tickets(settings.kerberos, meter=meter)
    return {
        "meter": meter,
        **_tokens(settings, resolve, fingerprints, tickets),
        **_services(settings, resolve),
        **_reporting(settings, resolve),
    }


def _tokens(settings: Settings, resolve: Resolve, fingerprints: Fingerprints, tickets: Tickets) -> dict[str, Any]:
    """The tokens and where they are brought. HTCondor's programs get theirs themselves, with a copy of the ticket."""
    if settings.vault_tokens is None:
        return {}
    from bot.tools.credd import Credds
    from bot.tools.nodes import SshNodes
    from bot.tools.vault_tokens import VaultTokens

    tokens = VaultTokens(settings.vault_tokens, tickets, fingerprints)
    nodes = SshNodes(
        settings.nodes, resolve, fingerprints, tokens.secret, tickets=lambda service: tickets.ticket(service).store
    )
    brought = {"vault_tokens": tokens, "nodes": nodes}
    if settings.credd is None:
        return brought
    return {**brought, "credds": Credds(settings.credd, settings.vault_tokens, tickets.lend, tokens.secret)}


def _services(settings: Settings, resolve: Resolve) -> dict[str, Any]:
    from bot.tools.ferry import FerryAccounts
    from bot.tools.managed_tokens_file import ManagedTokensFile

    file = settings.managed_tokens
    return {
        **({"services": ManagedTokensFile(file.file)} if file else {}),
        **({"ferry": FerryAccounts(settings.ferry, resolve)} if settings.ferry else {}),
    }


def _reporting(settings: Settings, resolve: Resolve) -> dict[str, Any]:
    from bot.tools.mail import SmtpMail
    from bot.tools.pushgateway import PushedFigures

    return {
        **({"mail": SmtpMail(settings.smtp, resolve)} if settings.smtp else {}),
        **({"pushgateway": PushedFigures(settings.pushgateway, resolve)} if settings.pushgateway else {}),
    }


def ways(settings: Settings) -> dict[str, Any]:
    """Ways for people to sign in, for `bot.tools.sign_ins`."""
    if settings.vault_tokens is None or settings.managed_tokens is None:
        return {}
    from bot.tools.managed_tokens_file import ManagedTokensFile
    from bot.tools.vault_sign_in import OidcFlow

    return {"vault": OidcFlow(settings.vault_tokens, ManagedTokensFile(settings.managed_tokens.file))}
