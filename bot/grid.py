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
