"""Settings of the systems that a diagnosis looks at. They only ever name addresses; an alert never does."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from bot.sources import CLEAR, Address, Part, SecretSource, in_clear

SENSITIVE = re.compile(r"auth|cookie|key|token|secret|password", re.I)


class NoAuth(Part):
    method: Literal["none"] = "none"


class BasicAuth(Part):
    method: Literal["basic"] = "basic"
    username: str
    password: SecretSource


class BearerAuth(Part):
    method: Literal["bearer"] = "bearer"
    token: SecretSource


class Grafana(Part):
    """Where people look at the same data; without it links go to Prometheus itself."""

    address: Address
    datasource: str = Field(description="Uid of the Prometheus data source in this Grafana.")
    org: int = Field(default=1, ge=1)


def _one_line(text: str) -> str:
    if not text.isascii() or not text.isprintable():
        raise ValueError("must be one line of ASCII")
    return text


class Prometheus(Part):
    """One region's Prometheus, or what speaks its query API (Thanos, Mimir)."""

    address: Address = Field(description="https://prometheus.example.com, with the path prefix if there is one.")
    auth: NoAuth | BasicAuth | BearerAuth = Field(default=NoAuth(), discriminator="method")
    headers: dict[str, Annotated[str, AfterValidator(_one_line)] | SecretSource] = Field(
        default_factory=dict, description="Further headers, such as X-Scope-OrgID; one that is a secret by reference."
    )
    ca_file: Path | None = None
    timeout: float = Field(default=15, gt=0, le=120, description="Seconds for one query, second try included.")
    grafana: Grafana | None = None

    @model_validator(mode="after")
    def _no_secret_headers(self) -> Prometheus:
        for name, value in self.headers.items():
            if not re.fullmatch(r"[A-Za-z0-9-]+", name):
                raise ValueError("headers has a name that is none")
            if isinstance(value, str) and SENSITIVE.search(name):
                raise ValueError("headers has a secret; name it by reference (env, file or vault)")
        secret = self.auth.method != "none" or any(not isinstance(value, str) for value in self.headers.values())
        if secret and in_clear(self.address):
            raise ValueError(f"address {CLEAR}")
        return self


class Endpoint(Part):
    """Something whose health matters to an alert."""

    address: Address
    timeout: float = Field(default=10, gt=0, le=60, description="Seconds for the whole check, second try included.")
    ca_file: Path | None = None


class StatusPage(Part):
    """A provider's status page that speaks Statuspage v2."""

    address: Address = Field(description="https://status.example.com; /api/v2/summary.json is added.")
    timeout: float = Field(default=10, gt=0, le=60, description="Seconds for the page, second try included.")
    ca_file: Path | None = None
