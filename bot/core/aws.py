"""Amazon's side of image pulls: who we are there, and a login for its registries (upstream.md, seed 004).

A way in is named in the settings (`aws.<access>`). Refused, each with its own cure, for: no credentials, an expired
session, a wrong region, something denied (naming principal, action and resource), a clock that is off, a bad profile
or role; Transient for throttling and an endpoint that does not answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from bot.core.registry import Login
from bot.core.value import Value


class Caller(Value):
    account: str  # 12 digits
    arn: str


@dataclass(frozen=True)
class RegistryToken:
    """A login for every ECR registry that the principal may use, for about twelve hours."""

    login: Login  # the user is always AWS
    expires_at: float  # seconds since the epoch
    registry: str  # host of the principal's own registry


class Aws(Protocol):
    def names(self) -> tuple[str, ...]: ...

    def who(self, access: str, region: str) -> Caller:
        """The identity behind this way in (STS GetCallerIdentity, which needs no right)."""
        ...

    def token(self, access: str, region: str, *, until: float = 0) -> RegistryToken:
        """A token that is good at least until then (seconds since the epoch); one that was minted before is given
        again while it lasts so long, and two callers at once mint one."""
        ...
