"""Settings of managed tokens: the file that names the services, Kerberos, Vault, HTCondor, FERRY, mail, Pushgateway."""

from __future__ import annotations

from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from bot.sources import Address, Part, SafeAddress, SecretSource, is_loopback

DAY = 24.0  # hours


class Kerberos(Part):
    """How services get their tickets. Where the KDCs are says /etc/krb5.conf, or the file that KRB5_CONFIG names."""

    realm: str | None = Field(
        default=None, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$", description="Of principals that name none."
    )
    timeout: float = Field(default=20, gt=0, le=120, description="Seconds for one ticket.")


class VaultTokens(Part):
    """How services get their Vault tokens, as htgettoken does."""

    address: SafeAddress | None = Field(
        default=None, description="Of services for which the managedTokens file names no vaultServer."
    )
    ca_file: Path | None = None
    issuer: str = Field(
        default="{experiment}",
        pattern=r"^(\{experiment\}|[A-Za-z0-9.-]){1,64}$",
        description="Vault's name of the token issuer; {experiment} stands for the service's.",
    )
    ttl_hours: float = Field(default=7 * DAY, ge=1, le=28 * DAY, description="How long a token shall live.")
    way: Literal["kerberos", "htgettoken"] = Field(
        default="kerberos", description="By the bot itself, or by the program htgettoken where a site prefers that."
    )
    program: str = Field(default="htgettoken", description="The program, or where it is.")
    timeout: float = Field(
        default=15, gt=0, le=120, description="Seconds for one call; the program gets four times it."
    )

    @field_validator("program")
    @classmethod
    def _no_option(cls, program: str) -> str:
        if not program or program.startswith("-") or not program.isprintable():
            raise ValueError("must be the name of a program")
        return program


class ManagedTokens(Part):
    """The file that says which services there are."""

    file: Path = Field(
        default=Path("/etc/managed-tokens/managedTokens.yml"),
        description="As upstream's programs read it; YAML or JSON.",
    )


class Ferry(Part):
    """Where the UIDs of accounts come from; asked with a client certificate, a bearer token, or both."""

    address: SafeAddress = Field(description="https://ferry.example.com:8445")
    cert: Path | None = Field(default=None, description="Client certificate, PEM.")
    key: Path | None = Field(default=None, description="Its private key, PEM without a passphrase.")
    token: SecretSource | None = None
    ca_file: Path | None = None
    timeout: float = Field(default=30, gt=0, le=120, description="Seconds for one question.")

    @model_validator(mode="after")
    def _some_way_in(self) -> Ferry:
        if (self.cert is None) != (self.key is None):
            raise ValueError("cert and key go together")
        if self.cert is None and self.token is None:
            raise ValueError("needs cert and key, or a token")
        return self


class Credd(Part):
    """How tokens come into the credds of HTCondor."""

    way: Literal["storer", "bindings"] = Field(
        default="storer", description="By HTCondor's programs, or by its Python bindings (package htcondor)."
    )
    storer: str | None = Field(
        default=None,
        description="The program that stores; default: condor_credential_storer, else condor_vault_storer.",
    )
    status: str = Field(default="condor_status", description="The program that lists schedds.")
    path: str | None = Field(default=None, description="PATH for these programs; default is the bot's.")
    token_folder: Path = Field(
        default=Path("/tmp"),  # noqa: S108 - the storer's choice, not ours
        description="Where the storer leaves token files of the bot's user; they are removed.",
    )
    timeout: float = Field(default=60, gt=0, le=600, description="Seconds for storing one token.")


class Smtp(Part):
    """Through whom mail goes out."""

    host: str = Field(pattern=r"^[A-Za-z0-9:]([A-Za-z0-9.:-]{0,252})$")
    port: int = Field(default=587, ge=1, le=65535)
    tls: Literal["starttls", "implicit", "none"] = "starttls"
    username: str | None = None
    password: SecretSource | None = None
    sender: str = Field(
        pattern=r"^[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$",
        description="The address that mail comes from.",
    )
    ca_file: Path | None = None
    timeout: float = Field(default=20, gt=0, le=120, description="Seconds for one message.")

    @model_validator(mode="after")
    def _no_login_in_clear(self) -> Smtp:
        if (self.username is None) != (self.password is None):
            raise ValueError("username and password go together")
        if self.username is not None and self.tls == "none" and not is_loopback(self.host):
            raise ValueError("a login needs tls: starttls or implicit")
        return self


class Pushgateway(Part):
    """Where figures are pushed besides the bot's own /metrics."""

    address: Address = Field(description="https://pushgateway.example.com, with the path prefix if there is one.")
    job: str = Field(default="managed_tokens", pattern=r"^[A-Za-z0-9_.-]{1,64}$", description="Begins each group.")
    username: str | None = None
    password: SecretSource | None = None
    ca_file: Path | None = None
    timeout: float = Field(default=10, gt=0, le=120, description="Seconds for one push.")

    @model_validator(mode="after")
    def _whole_login(self) -> Pushgateway:
        if (self.username is None) != (self.password is None):
            raise ValueError("username and password go together")
        parts = urlsplit(self.address)
        if self.username is not None and parts.scheme == "http" and not is_loopback(parts.hostname or ""):
            raise ValueError("a login needs https")
        return self
