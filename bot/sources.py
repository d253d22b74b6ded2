"""What every part of the settings is made of: the strict model, secrets by reference, and addresses."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field


class Part(BaseModel):
    """A part of the settings: frozen, and a misspelt key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class FromEnv(Part):
    env: str = Field(description="Name of the environment variable that holds the secret.")


class FromFile(Part):
    file: Path = Field(
        description="File that holds the secret (Docker and Kubernetes secrets); one newline at the end is dropped."
    )


class FromVault(Part):
    vault: str = Field(description="Vault path, mount first, as in `vault kv get`.")
    field: str = Field(description="The field there.")


SecretSource = FromEnv | FromFile | FromVault


def _plain_address(text: str) -> str:
    """ValueError, without the address in it, for what a request cannot go to."""
    try:
        parts = urlsplit(text)
        fits = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        fits = False
    if not fits or not text.isascii() or not text.isprintable() or " " in text:
        raise ValueError("must be an http or https address")
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise ValueError("must be an address without a login, a query or a fragment in it")
    return text


Address = Annotated[str, AfterValidator(_plain_address)]


def is_loopback(host: str) -> bool:
    """Is it this machine itself?"""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


CLEAR = "must be https, because logins are sent there; http only on loopback"


def in_clear(address: str) -> bool:
    """Would what is sent there cross the net in clear? Not of what is no address: who uses it says so."""
    try:
        parts = urlsplit(address)
        return parts.scheme == "http" and bool(parts.hostname) and not is_loopback(parts.hostname or "")
    except ValueError:
        return False


def _safe(address: str) -> str:
    """Refuses what would send logins over the net in clear."""
    if in_clear(address):
        raise ValueError(CLEAR)
    return address


SafeAddress = Annotated[Address, AfterValidator(_safe)]
NotInClear = Annotated[str, AfterValidator(_safe)]
