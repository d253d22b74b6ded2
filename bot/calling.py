"""Settings of the systems through which the bot calls people: PagerDuty, an issue tracker, Red Hat support."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from bot.sources import Address, Part, SecretSource

SECONDS = Field(default=15, gt=0, le=120, description="Seconds for one call.")


class PagerDuty(Part):
    """Pages go out through Events v2."""

    routing_key: SecretSource = Field(description="Integration key of the service, 32 characters.")
    address: Address = Field(
        default="https://events.pagerduty.com", description="https://events.eu.pagerduty.com in the EU."
    )
    api_token: SecretSource | None = Field(
        default=None, description="Read-only REST key; with it a page is found again after the bot was restarted."
    )
    api_address: Address = Field(default="https://api.pagerduty.com", description="Of the REST API.")
    source: str = Field(
        default="hivekeeper", min_length=1, max_length=100, description="Who pages, as PagerDuty shows."
    )
    ca_file: Path | None = None
    timeout: float = SECONDS


class GitHub(Part):
    """Issues are opened in one repository of GitHub or GitHub Enterprise."""

    repository: str = Field(pattern=r"^[A-Za-z0-9._-]+/[A-Za-z0-9._-]+$", description="owner/name")
    token: SecretSource = Field(description="May read and write issues there.")
    address: Address = Field(
        default="https://api.github.com", description="https://github.example.com/api/v3 for GitHub Enterprise."
    )
    ca_file: Path | None = None
    timeout: float = SECONDS


class RedhatSupport(Part):
    """Cases are opened with Red Hat's case API."""

    offline_token: SecretSource = Field(description="Of a person or service account that may open cases.")
    account: str = Field(description="Account number the case is for.")
    product: str = Field(default="OpenShift Managed (IBM Cloud)", description="As the portal spells it.")
    version: str = Field(default="4", description="Of the product, as the portal spells it.")
    address: Address = Field(default="https://api.access.redhat.com", description="Of the case API.")
    login: Address = Field(
        default="https://sso.redhat.com/auth/realms/redhat-external/protocol/openid-connect/token",
        description="Where the offline token becomes an access token.",
    )
    client_id: str = Field(default="rhsm-api", description="Client that the offline token was issued for.")
    ca_file: Path | None = None
    timeout: float = SECONDS
