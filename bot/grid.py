"""The systems of managed tokens, as far as the settings name them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bot.core.ports import Fingerprints
from bot.core.secret import Secret
from bot.settings import SecretSource, Settings


def of(settings: Settings, resolve: Callable[[SecretSource], Secret], fingerprints: Fingerprints) -> dict[str, Any]:
    """By the names that `bot.core.ports.Tools` has for them."""
    if settings.vault_tokens is None:
        return {}
    from bot.tools.kerberos import Tickets
    from bot.tools.nodes import SshNodes
    from bot.tools.vault_tokens import VaultTokens

    tickets = Tickets(settings.kerberos)
    tokens = VaultTokens(settings.vault_tokens, tickets, fingerprints)
    return {
        "vault_tokens": tokens,
        "nodes": SshNodes(
            settings.nodes, resolve, fingerprints, tokens.secret, tickets=lambda service: tickets.ticket(service).store
        ),
    }


def ways(settings: Settings) -> dict[str, Any]:
    """Ways for people to sign in, for `bot.tools.sign_ins`."""
    if settings.vault_tokens is None or settings.managed_tokens is None:
        return {}
    from bot.tools.managed_tokens_file import ManagedTokensFile
    from bot.tools.vault_sign_in import OidcFlow

    return {"vault": OidcFlow(settings.vault_tokens, ManagedTokensFile(settings.managed_tokens.file))}
