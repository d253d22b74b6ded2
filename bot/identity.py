"""Settings of the realms of Red Hat SSO (Keycloak), of the service accounts that log in there, and of OCM."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, field_validator

from bot.sources import Part, SafeAddress, SecretSource

Algorithm = Literal["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
CLIENT = r"^[\x21-\x39\x3b-\x7e]{1,255}$"  # a colon would end it in the header of a login
PROTOCOL = "/protocol/openid-connect"
HOST = r"^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?(:[1-9][0-9]{0,4})?$"


class ClientSecret(Part):
    """A service account with a secret."""

    method: Literal["client_secret"] = "client_secret"
    client_id: str = Field(pattern=CLIENT)
    secret: SecretSource


class PrivateKeyJwt(Part):
    """A service account that signs with a key of its own (RFC 7523)."""

    method: Literal["private_key_jwt"] = "private_key_jwt"
    client_id: str = Field(pattern=CLIENT)
    key: SecretSource = Field(description="The private key in PEM, without a passphrase.")
    kid: str | None = Field(default=None, max_length=255, description="The key's id, as the realm knows it.")
    algorithm: Algorithm = "RS256"


Account = Annotated[ClientSecret | PrivateKeyJwt, Field(discriminator="method")]


class Realm(Part):
    """One realm."""

    issuer: SafeAddress = Field(description="What its tokens name as `iss`.")
    address: SafeAddress | None = Field(default=None, description="Where it is really reached; default is the issuer.")
    token_endpoint: SafeAddress | None = Field(default=None, description="Default: where Keycloak has it.")
    client_id: str = Field(default="cloud-services", pattern=CLIENT, description="As whom tokens are tried.")
    scope: str = Field(default="openid", pattern=r"^[\x21-\x7e ]{1,255}$", description="What accounts log in for.")
    ca_file: Path | None = None
    timeout: float = Field(default=15, gt=0, le=120, description="Seconds for one call.")
    least_seconds_between_probes: float = Field(
        default=60, ge=0, le=3600, description="A token that was tried is not tried again before."
    )
    device_flow: bool = Field(
        default=False, description="May people sign in for a new offline token in their browser (RFC 8628)?"
    )
    accounts: dict[str, Account] = Field(default_factory=dict, description="Name -> a service account.")

    @property
    def base(self) -> str:
        """Where it is reached, without a slash at the end."""
        return (self.address or self.issuer).rstrip("/")

    @property
    def token_url(self) -> str:
        return self.token_endpoint or f"{self.base}{PROTOCOL}/token"

    @property
    def device_url(self) -> str:
        return f"{self.base}{PROTOCOL}/auth/device"


class Ocm(Part):
    """The accounts management API of OpenShift Cluster Manager. The bot has no login there: it asks as a cluster, with
    what the cluster's pull secret holds."""

    address: SafeAddress = Field(default="https://api.openshift.com", description="Without the path of an API.")
    allowed_hosts: tuple[Annotated[str, Field(pattern=HOST)], ...] = Field(
        default=(),
        description="Hosts (host:port for another port than 443) that a cluster may name besides as its OCM.",
    )
    ca_file: Path | None = None
    timeout: float = Field(default=15, gt=0, le=120, description="Seconds for one question, second try included.")
    connections: int = Field(default=16, ge=1, le=100, description="At most so many at a time to one host.")

    @field_validator("allowed_hosts")
    @classmethod
    def _ports(cls, hosts: tuple[str, ...]) -> tuple[str, ...]:
        if any(int(host.partition(":")[2] or 443) > 65535 for host in hosts):
            raise ValueError("names a port that there is not")
        return hosts
