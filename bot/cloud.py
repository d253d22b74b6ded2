"""Settings of Amazon's accounts and of the container registries."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from bot.sources import Address, Part


class Registry(Part):
    """How the bot comes to a registry, where its name alone does not tell. The key is the host as images write it."""

    address: Address | None = Field(
        default=None, description="Where it is really reached; default is https:// and its host. No path."
    )
    ca_file: Path | None = None
    timeout: float = Field(default=15, gt=0, le=120, description="Seconds for one question, its login included.")

    @field_validator("address")
    @classmethod
    def _safe(cls, address: str | None) -> str | None:
        parts = urlsplit(address or "")
        if parts.path.strip("/"):
            raise ValueError("must be an address without a path")
        if parts.scheme == "http" and not is_loopback(parts.hostname or ""):
            raise ValueError("must be https, because logins are sent there; http only on loopback")
        return address


def is_loopback(host: str) -> bool:
    """Is it this machine itself?"""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
