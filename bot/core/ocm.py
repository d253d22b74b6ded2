"""The accounts management API of OpenShift Cluster Manager: the transfer of a cluster to another owner, which carries a
new pull secret (upstream.md, seed 001)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from pydantic import Field

from bot.core.secret import Secret
from bot.core.value import Value


class Transfer(Value):
    """The one accepted transfer. `expires_at`: when the window closes, seconds since the epoch."""

    id: str
    owner: str
    recipient: str
    expires_at: float | None = None
    updated_at: float | None = None


class Window(Value):
    """What OCM said. `reason` is the word of the upstream's decision table (NoClusterTransfer, NoNewData, Disconnected,
    MoreAcceptedClusterTransfers, UnexpectedData, DataCorrupted, Unauthorized, Forbidden, InternalServerError, …), or
    ours for the one accepted transfer, AcceptedClusterTransfer: what its document changes is for others to say;
    `healthy`: by that table; `told`: one sentence of ours; `degraded`: OCM itself fails (status 500 and above).
    `transfer`: the accepted one; of more than one only when the first closes; where OCM did not say, the one that it
    showed last."""

    reason: str
    healthy: bool
    told: str
    status: int | None = None
    degraded: bool = False
    transfer: Transfer | None = None

    @property
    def said(self) -> bool:
        """Did OCM say how it is, for better or worse? Else it refused, failed, or could not be reached."""
        return self.status is not None and 200 <= self.status < 300


@dataclass(frozen=True)
class Offered:
    """`document`: the new pull secret, exactly as OCM gave it, when there is exactly one accepted transfer and it can
    be read as one with entries."""

    window: Window
    document: Secret | None = None


class Wish(Value):
    """What a cluster itself says of how it looks for transfers. `endpoint` "" and `interval` (seconds) None: nothing.
    `unclear`: what of it cannot be understood, each in one sentence."""

    endpoint: str = Field(default="", max_length=2000)
    interval: float | None = None
    unclear: tuple[str, ...] = ()


UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
PART = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)(h|ms|m|s)", re.ASCII)
DURATION = re.compile(rf"(?:{PART.pattern})+", re.ASCII)


def seconds(duration: str) -> float | None:
    """A length of time as Go writes it ("12h", "1h30m"); None for what is none, or is nothing."""
    if len(duration) > 60 or DURATION.fullmatch(duration) is None:
        return None
    return sum(float(count) * UNITS[unit] for count, unit in PART.findall(duration)) or None


class Ocm(Protocol):
    def offered(self, cluster_id: str, auth: Secret, *, endpoint: str = "", within: float = 0) -> Offered:
        """Ask for the cluster's accepted transfer with the `auth` of its cloud.openshift.com entry. A failure to reach
        OCM is an answer (Disconnected), not an error. `endpoint`: another address, from the cluster's own settings;
        only of a host that the bot's settings allow. `within` (seconds): an answer without a document that is younger
        may be given again; while OCM fails, it is asked anew after a 24th of that, then after twice as long, and so
        on."""
        ...

    def wished(self, support: Mapping[str, Secret]) -> Wish:
        """What the data of the cluster's Secret `support` say; everything else in it stays closed."""
        ...
