"""Settings of HashiCorp Vault: where it is, and how the bot logs in."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from bot.sources import FromFile, NotInClear, Part, SecretSource


class TokenAuth(Part):
    method: Literal["token"] = "token"
    token: SecretSource


class AppRoleAuth(Part):
    method: Literal["approle"] = "approle"
    role_id: SecretSource
    secret_id: SecretSource
    mount: str = "approle"


class KubernetesAuth(Part):
    method: Literal["kubernetes"] = "kubernetes"
    role: str
    jwt: SecretSource = FromFile(file=Path("/var/run/secrets/kubernetes.io/serviceaccount/token"))
    mount: str = "kubernetes"


class JwtAuth(Part):
    method: Literal["jwt"] = "jwt"
    role: str
    jwt: SecretSource
    mount: str = "jwt"


VaultAuth = Annotated[TokenAuth | AppRoleAuth | KubernetesAuth | JwtAuth, Field(discriminator="method")]


class Vault(Part):
    address: NotInClear = Field(description="https://vault.example.com:8200")
    auth: VaultAuth
    namespace: str | None = None
    ca_file: Path | None = None
    timeout: float = Field(default=10, gt=0, le=120, description="Seconds for one call.")
