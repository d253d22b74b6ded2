"""`hivekeeper check` about OCM, where the settings name it: does its API answer? No cluster's token is sent."""

from __future__ import annotations

from collections.abc import Iterator

from bot.app import Parts
from bot.core.errors import Refused
from bot.findings import Finding, looked
from bot.identity import Ocm
from bot.looking import Endpoint

API = "/api/accounts_mgmt/v1"


def ocm(parts: Parts) -> Iterator[Finding]:
    """By default OCM is known, but need not be reached: commands that ask it may not be wanted."""
    if "ocm" in parts.settings.model_fields_set:
        yield from looked("ocm", lambda: _answers(parts.settings.ocm))


def _answers(known: Ocm) -> str:
    from bot.tools.endpoint import CheckedEndpoints

    api = Endpoint(address=known.address.rstrip("/") + API, ca_file=known.ca_file, timeout=min(known.timeout, 60))
    health = CheckedEndpoints({"OCM": api}).check("OCM")
    if not health.reachable:
        raise Refused(health.told, "Check ocm.address and ocm.ca_file, and the network between the bot and it.")
    return "it answers; whether it takes a cluster's token shows only asking as that cluster."
