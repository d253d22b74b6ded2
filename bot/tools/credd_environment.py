"""What HTCondor's programs and bindings are told by their environment, as upstream does. No secret is in it."""

from __future__ import annotations

import re
from pathlib import Path

from bot.core.errors import Refused
from bot.core.grid import Service
from bot.core.managed_tokens_values import DAEMON, NAME
from bot.managed import Credd, VaultTokens
from bot.tools.program import environment
from bot.tools.vault_tokens_wire import site

SERVER = re.compile(r"(?:https://)?[A-Za-z0-9][A-Za-z0-9.-]{0,252}(?::[0-9]{1,5})?/?")
CREDKEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9_./@-]{0,300}")


def checked(service: Service, schedd: str) -> None:
    """Refused for what could be more than one option where it is written: programs split options at spaces."""
    for value, pattern, what in (
        (schedd, DAEMON, "The name of a schedd"),
        (service.token_name, NAME, "The name of the service"),
        (service.credkey, CREDKEY, "The credkey"),
        (service.vault_server, SERVER, "vaultServer"),
    ):
        if not pattern.fullmatch(value):
            missing = "is missing" if not value else "has signs that it may not have"
            raise Refused(f"{what} for {service.name[:64]!r} {missing}.", "Correct it in the managedTokens file.")


def of(settings: Credd, service: Service, schedd: str, ticket: Path) -> dict[str, str]:
    """For one run. Whatever htgettoken would leave about the machine goes beside the ticket, and with it."""
    folder = str(ticket.parent)
    return environment(
        {
            **({"PATH": settings.path} if settings.path else {}),
            "KRB5CCNAME": f"FILE:{ticket}",
            "TMPDIR": folder,
            "XDG_RUNTIME_DIR": folder,
            "BEARER_TOKEN_FILE": str(ticket.parent / "bearer"),
            "HTGETTOKENOPTS": f"--vaulttokenminttl={int(service.min_lifetime)}s --credkey={service.credkey}",
            "_condor_CREDD_HOST": schedd,
            "_condor_COLLECTOR_HOST": service.collector,
            "_condor_SEC_CREDENTIAL_GETTOKEN_OPTS": f"-a {service.vault_server}",
        }
    )


def bearer_address(settings: VaultTokens, service: Service) -> str:
    """Where the credmon fetches bearer tokens for the service, as htgettoken writes it beside a Vault token."""
    there = site(settings, service)
    return f"{there.address}/v1/{there.creds}"
