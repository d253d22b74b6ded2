"""Settings of the systems through which the bot calls people: PagerDuty, an issue tracker, a webhook, Red Hat
support; and of the Jenkins whose jobs it runs again."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from pydantic import Field, field_validator, model_validator

from bot.sources import CLEAR, Address, Part, SafeAddress, SecretSource, in_clear

NAME = re.compile(r"[A-Za-z0-9-]{1,64}")  # of a header
OURS = frozenset({"host", "content-length", "content-type", "transfer-encoding", "connection", "idempotency-key"})
SECRET = re.compile(r"auth|token|key|secret|cookie|passw", re.IGNORECASE)
SECONDS = Field(default=15, gt=0, le=120, description="Seconds for one call.")


class PagerDuty(Part):
    """Pages go out through Events v2."""

    routing_key: SecretSource = Field(description="Integration key of the service, 32 characters.")
    address: SafeAddress = Field(
        default="https://events.pagerduty.com", description="https://events.eu.pagerduty.com in the EU."
    )
    api_token: SecretSource | None = Field(
        default=None, description="Read-only REST key; with it a page is found again after the bot was restarted."
    )
    api_address: SafeAddress = Field(default="https://api.pagerduty.com", description="Of the REST API.")
    source: str = Field(
        default="hivekeeper", min_length=1, max_length=100, description="Who pages, as PagerDuty shows."
    )
    ca_file: Path | None = None
    timeout: float = SECONDS


class GitHub(Part):
    """Issues are opened in one repository of GitHub or GitHub Enterprise."""

    repository: str = Field(pattern=r"^[A-Za-z0-9._-]+/[A-Za-z0-9._-]+$", description="owner/name")
    token: SecretSource = Field(description="May read and write issues there.")
    address: SafeAddress = Field(
        default="https://api.github.com", description="https://github.example.com/api/v3 for GitHub Enterprise."
    )
    ca_file: Path | None = None
    timeout: float = SECONDS


class CieWebhook(Part):
    """A system of the organisation's own that opens a CIE when it is called."""

    address: Address = Field(description="https://cie.example.com/hooks/openshift; it gets a POST in JSON.")
    path: SecretSource | None = Field(
        default=None, description="Put behind the address, for services whose address is itself a secret."
    )
    token: SecretSource | None = Field(default=None, description="Sent as Authorization: Bearer.")
    headers: dict[str, str] = Field(default_factory=dict, description="Other headers, none of them secret.")
    secret_headers: dict[str, SecretSource] = Field(default_factory=dict, description="Headers that are secrets.")
    ca_file: Path | None = None
    timeout: float = SECONDS

    @model_validator(mode="after")
    def _not_in_clear(self) -> CieWebhook:
        if (self.path or self.token or self.secret_headers) and in_clear(self.address):
            raise ValueError(f"address {CLEAR}")
        return self

    @field_validator("headers", "secret_headers")
    @classmethod
    def _names(cls, headers: dict[str, Any]) -> dict[str, Any]:
        if any(not NAME.fullmatch(name) or name.lower() in OURS for name in headers):
            raise ValueError("a header has a name that cannot be set here")
        return headers

    @field_validator("headers")
    @classmethod
    def _no_secrets(cls, headers: dict[str, str]) -> dict[str, str]:
        if any(SECRET.search(name) for name in headers):
            raise ValueError("a header that sounds secret; name it by reference in secret_headers")
        if any(not value.isascii() or not value.isprintable() for value in headers.values()):
            raise ValueError("a header has characters that none may have")
        return headers


class RedhatSupport(Part):
    """Cases are opened with Red Hat's case API."""

    offline_token: SecretSource = Field(description="Of a person or service account that may open cases.")
    account: str = Field(description="Account number the case is for.")
    product: str = Field(default="OpenShift Managed (IBM Cloud)", description="As the portal spells it.")
    version: str = Field(default="4", description="Of the product, as the portal spells it.")
    address: SafeAddress = Field(default="https://api.access.redhat.com", description="Of the case API.")
    login: SafeAddress = Field(
        default="https://sso.redhat.com/auth/realms/redhat-external/protocol/openid-connect/token",
        description="Where the offline token becomes an access token.",
    )
    client_id: str = Field(default="rhsm-api", description="Client that the offline token was issued for.")
    ca_file: Path | None = None
    timeout: float = SECONDS


class Jenkins(Part):
    """The CI whose jobs are run again after a cure."""

    address: SafeAddress = Field(description="https://ci.example.com, with the path prefix if there is one.")
    user: str = Field(min_length=1, max_length=255, pattern=r"^[^:\s]+$", description="The bot's own user there.")
    token: SecretSource = Field(description="API token of the user; may read and build the jobs.")
    marker: str = Field(
        default="HIVEKEEPER_RUN",
        pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,59}$",
        description="Parameter that carries what the bot knows its builds by, in jobs that declare it.",
    )
    ca_file: Path | None = None
    timeout: float = SECONDS
