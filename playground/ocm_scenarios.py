"""The buttons about CI's offline token, and about clusters that change their owner."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from playground.offline import Offline
from playground.pull_secrets import DEV, PROD
from playground.scenario import Scenario
from playground.transfers import Transfers
from playground.vault import VaultStandIn

SESSION, TRANSFER = "Offline token", "Cluster transfers"
FIX, CHECK = "/fix-offline-session", f"/pull-secret check {PROD}"
JOB = "service-uhc-clusters-service-ocm-pr-check"
LOG = (
    f"{JOB} #812 failed: can't get access token: status 400, "
    '{"error":"invalid_grant","error_description":"Offline user session not found"}'
)


class SessionDeeds:
    """`alert(document)` posts into monitoring's channel."""

    def __init__(self, offline: Offline, vault: VaultStandIn, alert: Callable[[dict[str, Any]], object]) -> None:
        self._offline, self._vault, self._alert = offline, vault, alert

    def recycle(self) -> str:
        self._offline.recycle(self._vault)
        self._alert(failed())
        return f"Production has a new offline token, and the session of CI's is gone. Type {FIX}"

    def gone(self) -> str:
        self._offline.end()
        self._alert(failed())
        return f"Nobody has a good offline token any more. Type {FIX}, then hand one in or sign in."

    def down(self) -> str:
        self._offline.down()
        return f"Red Hat SSO answers 503. Type {FIX}: that is no verdict on the token."

    def mend(self) -> str:
        self._offline.mend()
        return "Red Hat SSO answers again. Tokens are as they were."


class TransferDeeds:
    """What happens to transfers, and to OCM."""

    def __init__(self, transfers: Transfers) -> None:
        self._transfers = transfers

    def transfer(self) -> str:
        self._transfers.transfer(PROD)
        return f"{PROD} goes from joe to jack; the new pull secret waits for 47 hours. Type {CHECK}"

    def hosted(self) -> str:
        self._transfers.transfer(DEV)
        return f"{DEV}, which has no machine config pools, goes from joe to jack. Type /pull-secret sync all"

    def corrupt(self) -> str:
        self._transfers.corrupt(PROD)
        return f"The pull secret that waits for {PROD} breaks off in the middle. Type {CHECK}"

    def pause(self) -> str:
        self._transfers.pause(PROD)
        return f"The workers of {PROD} take no new configuration. Type /pull-secret sync {PROD}"

    def down(self) -> str:
        self._transfers.down()
        return "OCM answers 503. Type /pull-secret status: nobody knows, and nothing is changed."

    def mend(self) -> str:
        self._transfers.mend()
        return "OCM answers, no transfer is open, no pool is paused. Pull secrets are as they were."


def session_scenarios(
    offline: Offline, vault: VaultStandIn, alert: Callable[[dict[str, Any]], object]
) -> list[Scenario]:
    deeds = SessionDeeds(offline, vault, alert)
    return [
        Scenario("token-recycled", "Production recycled the offline token", f"CI's copy is dead. {FIX} brings the new "
                 "one.", SESSION, deeds.recycle),
        Scenario("session-gone", "The offline session is gone everywhere", "A person is needed: hand a token in, or "
                 "sign in.", SESSION, deeds.gone),
        Scenario("sso-down", "Red Hat SSO is down", "No token is called bad for it.", SESSION, deeds.down, danger=True),
        Scenario("sso-up", "Red Hat SSO is up again", "Tokens stay as they were.", SESSION, deeds.mend),
    ]  # fmt: skip


def transfer_scenarios(transfers: Transfers) -> list[Scenario]:
    deeds = TransferDeeds(transfers)
    return [
        Scenario("transfer", f"{PROD} is transferred", "Its new pull secret waits in OCM for 47 hours.", TRANSFER,
                 deeds.transfer),
        Scenario("transfer-hosted", f"{DEV} is transferred, too", "Its control plane is hosted: it has no pools.",
                 TRANSFER, deeds.hosted),
        Scenario("transfer-corrupt", "The new pull secret is corrupt", "It is refused before anything is written.",
                 TRANSFER, deeds.corrupt, danger=True),
        Scenario("pools-paused", f"The worker pool of {PROD} is paused", "Its machines keep the old pull secret; the "
                 "plan and the report say so.", TRANSFER, deeds.pause),
        Scenario("ocm-down", "OCM is down", "Clusters are degraded, and left as they are.", TRANSFER, deeds.down,
                 danger=True),
        Scenario("transfers-mended", "Transfers are over", "OCM is up, no window is open.", TRANSFER, deeds.mend),
    ]  # fmt: skip


def failed() -> dict[str, Any]:
    """What a job's notice says when its token is refused."""
    return {"username": "Jenkins", "text": LOG}
