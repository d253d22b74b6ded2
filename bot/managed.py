"""Settings of managed tokens: Kerberos, and the Vault that gives tokens to services."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator

from bot.sources import Part, SafeAddress

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
