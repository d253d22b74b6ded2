"""Settings of Amazon's accounts and of the container registries."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, field_validator

from bot.sources import Address, Part, SafeAddress, SecretSource

ROLE = Field(pattern=r"^arn:aws[a-z-]{0,12}:iam::[0-9]{12}:role/[A-Za-z0-9_+=,.@/-]{1,512}$", description="Its ARN.")
SESSION = Field(
    default="hivekeeper", pattern=r"^[A-Za-z0-9_+=,.@-]{2,64}$", description="How CloudTrail calls the session."
)
MINUTES = Field(default=60, ge=15, le=720, description="How long the role is taken on; a role of a role: 60 at most.")


class DefaultChain(Part):
    """Whatever the machine offers, as the AWS command line finds it: environment, profile, container, instance."""

    method: Literal["default_chain"] = "default_chain"


class Profile(Part):
    """A profile of the AWS command line."""

    method: Literal["profile"] = "profile"
    profile: str = Field(min_length=1, max_length=128)
    config_file: Path = Path("~/.aws/config")
    credentials_file: Path = Path("~/.aws/credentials")


class StaticKeys(Part):
    """Keys of a user, or of a session that somebody else prolongs. They are read anew for each call."""

    method: Literal["static"] = "static"
    access_key_id: SecretSource
    secret_access_key: SecretSource
    session_token: SecretSource | None = Field(default=None, description="Of temporary keys.")


class AssumeRole(Part):
    """A role that another way in may take on."""

    method: Literal["assume_role"] = "assume_role"
    role_arn: str = ROLE
    source: str = Field(description="Name under aws of the way in that may take it on.")
    external_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9_+=,.@:/-]{2,1224}$")] | SecretSource | None = Field(
        default=None, description="As the role's trust policy wants it; by reference if it is kept secret."
    )
    session_name: str = SESSION
    minutes: int = MINUTES


class WebIdentity(Part):
    """A role taken on with a token of an OpenID provider, such as a Kubernetes service account's."""

    method: Literal["web_identity"] = "web_identity"
    role_arn: str = ROLE
    token_file: Path = Field(
        default=Path("/var/run/secrets/eks.amazonaws.com/serviceaccount/token"), description="Read anew each time."
    )
    session_name: str = SESSION
    minutes: int = MINUTES


AwsAuth = Annotated[DefaultChain | Profile | StaticKeys | AssumeRole | WebIdentity, Field(discriminator="method")]


class AwsAccess(Part):
    """One way into Amazon. Only the default chain looks at the environment."""

    auth: AwsAuth = DefaultChain()
    region: str = Field(
        default="us-east-1", description="Where `hivekeeper check` asks; a command says itself in which region."
    )
    endpoint_url: SafeAddress | None = Field(default=None, description="Instead of Amazon's own (VPC endpoints).")
    sts_endpoint_url: SafeAddress | None = Field(default=None, description="Of STS alone; default: endpoint_url.")
    proxy: Address | None = Field(default=None, description="http://proxy.example.com:3128")
    ca_file: Path | None = None
    timeout: float = Field(default=10, gt=0, le=120, description="Seconds for one call.")


def _sourced(accesses: Mapping[str, AwsAccess]) -> Mapping[str, AwsAccess]:
    """Each role's source is there, and none goes round in circles."""
    for name, access in accesses.items():
        seen = {name}
        while isinstance(access.auth, AssumeRole):
            if access.auth.source not in accesses:
                raise ValueError(f"{name} names a source that is not there")
            if access.auth.source in seen:
                raise ValueError(f"the sources of {name} go round in circles")
            seen.add(access.auth.source)
            access = accesses[access.auth.source]  # noqa: PLW2901 - up the chain
    return accesses


AwsAccesses = Annotated[dict[str, AwsAccess], AfterValidator(_sourced)]


class Registry(Part):
    """How the bot comes to a registry, where its name alone does not tell. The key is the host as images write it."""

    address: SafeAddress | None = Field(
        default=None, description="Where it is really reached; default is https:// and its host. No path."
    )
    ca_file: Path | None = None
    timeout: float = Field(default=15, gt=0, le=120, description="Seconds for one question, its login included.")

    @field_validator("address")
    @classmethod
    def _no_path(cls, address: str | None) -> str | None:
        if urlsplit(address or "").path.strip("/"):
            raise ValueError("must be an address without a path")
        return address
