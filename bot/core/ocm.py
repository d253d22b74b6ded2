"""The accounts management API of OpenShift Cluster Manager: the transfer of a cluster to another owner, which carries a
new pull secret (upstream.md, seed 001)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

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
    `healthy`: by that table; `told`: one sentence of ours; `degraded`: OCM itself fails (status 500 and above)."""

    reason: str
    healthy: bool
    told: str
    status: int | None = None
    degraded: bool = False
    transfer: Transfer | None = None


@dataclass(frozen=True)
class Offered:
    """`document`: the new pull secret, exactly as OCM gave it, when there is exactly one accepted transfer and it can
    be read as one with entries."""

    window: Window
    document: Secret | None = None


class Ocm(Protocol):
    def offered(self, cluster_id: str, auth: Secret, *, endpoint: str = "") -> Offered:
        """Ask for the cluster's accepted transfer with the `auth` of its cloud.openshift.com entry. A failure to reach
        OCM is an answer (Disconnected), not an error. `endpoint`: another address, from the cluster's own settings;
        only of a host that the bot's settings allow."""
        ...
