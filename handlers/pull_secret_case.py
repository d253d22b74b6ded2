"""The judgement of one cluster: is there something to sync, may it be, and what speaks against it."""

from __future__ import annotations

from dataclasses import dataclass

from bot.core.errors import Refused, Told, Transient
from bot.core.handler import ClusterNeed
from bot.core.kubernetes import Access, backup_name
from bot.core.ports import ReadTools
from bot.core.registry import Pull
from handlers.pull_secret_clusters import (
    HOSTED_NAME,
    HOSTED_NAMESPACE,
    INSIGHTS_NAME,
    INSIGHTS_NAMESPACE,
    NAME,
    NAMESPACE,
    SUPPORT,
    Settings,
)
from handlers.pull_secret_compare import AGAIN, Comparison, compare, doubts, rejected, tried
from handlers.pull_secret_look import Seen
from handlers.pull_secret_pools import before

SOON = 6 * 3600.0  # seconds before its end from which a window closes soon
LATER = "Ask again when OCM answers."
ADDRESS = "Check ocm.address in the settings, and the endpoint in the cluster's insights-config, if it names one."
CURES = {
    "BadRequest": ADDRESS,
    "NotFound": ADDRESS,
    "TooManyRequests": "Ask again in some minutes; if it goes on, look at the cluster less often.",
    "Unauthorized": "The cluster's owner puts a pull secret into the cluster that OCM accepts.",
    "Forbidden": "Compare the cluster's id and owner in OCM with those of its pull secret.",
    "MoreAcceptedClusterTransfers": "Somebody ends all of the transfers but one in OCM.",
    "DataCorrupted": AGAIN,
    "UnexpectedData": "Ask again; if it goes on, tell those who run OCM.",
}
NO_NEW_DATA = "NoNewData"
ALWAYS_READ = (
    ("secrets", NAMESPACE, NAME, "", "get"),
    ("clusterversions", "", "version", "config.openshift.io", "get"),
)
OFTEN_READ = (
    ("secrets", NAMESPACE, SUPPORT, "", "get"),
    ("secrets", HOSTED_NAMESPACE, HOSTED_NAME, "", "get"),
    ("configmaps", INSIGHTS_NAMESPACE, INSIGHTS_NAME, "", "get"),
    ("machineconfigpools", "", "", "machineconfiguration.openshift.io", "list"),
)
WRITTEN = (
    ("secrets", NAMESPACE, NAME, "", "update"),
    ("secrets", NAMESPACE, "", "", "create"),
    *(("secrets", NAMESPACE, backup_name(NAME), "", verb) for verb in ("get", "update", "delete")),
)


@dataclass(frozen=True)
class Case:
    """One cluster. `found`: the comparison while a window is open and its document is sound. `trouble`: why nothing can
    be synced although something should be, or why nobody knows."""

    seen: Seen
    found: Comparison | None = None
    pulls: tuple[tuple[str, Pull], ...] = ()
    trouble: Told | None = None

    @property
    def cluster(self) -> str:
        return self.seen.cluster

    @property
    def ready(self) -> bool:
        """Is there something new that may be written?"""
        return self.trouble is None and self.found is not None and self.found.differs

    @property
    def reason(self) -> str:
        """The word of the operator's table."""
        if self.found is not None and not self.found.differs:
            return NO_NEW_DATA
        return "DataCorrupted" if self.seen.offered is not None and self.found is None else self.seen.window.reason


def judge(seen: Seen, tools: ReadTools, *, live: bool) -> Case:
    """`live`: also try the new logins at their registries, and the bot's own rights."""
    if (trouble := refusal_of(seen)) is not None or seen.offered is None:
        return Case(seen, trouble=trouble)
    over = seen.closed(tools.now())
    try:
        found = compare(seen, tools)
    except Refused as refusal:
        return Case(seen, trouble=missed(seen) if over else refusal)
    if not found.differs:
        return Case(seen, found)
    if over or not live:
        return Case(seen, found, trouble=missed(seen) if over else None)
    pulls = tried(found, tools)
    return Case(seen, found, pulls, rejected(seen.cluster, pulls) or forbidden(seen.cluster, tools))


def refusal_of(seen: Seen) -> Told | None:
    """What is wrong with OCM's answer; None for a closed window, and for an open one."""
    window, said = seen.window, f"{seen.cluster}: {seen.window.reason}: {seen.window.told}"
    if window.degraded or window.reason == "Disconnected":
        return Transient(said, LATER)
    if not window.healthy or window.reason == "MoreAcceptedClusterTransfers":
        return Refused(said, CURES.get(window.reason, "Look at the cluster in OCM."))
    return None


def missed(seen: Seen) -> Refused:
    """OCM still shows the transfer, but its time is over."""
    return Refused(
        f"{seen.cluster}: the time of the transfer is over, and its pull secret was not synced.",
        "The cluster's owner starts the transfer anew in OCM.",
    )


def forbidden(cluster: str, tools: ReadTools) -> Told | None:
    """The first right that is missing to write and to keep what was there."""
    try:
        for access in _accesses(WRITTEN):
            if not tools.kubernetes.allowed(cluster, access):
                what = f"{access.verb} {access.resource} {access.name}".rstrip()
                return Refused(
                    f"The bot may not {what} in {access.namespace} of cluster {cluster}.",
                    "An administrator applies deploy/rbac/pull-secret.yaml there.",
                )
    except Told as error:
        return error
    return None


def needs(settings: Settings) -> tuple[ClusterNeed, ...]:
    """All that a sync may use, for `hivekeeper check`."""
    return tuple(
        ClusterNeed(cluster=cluster, access=access, reason="the pull secret's transfers")
        for cluster in settings.clusters
        for access in _accesses((*ALWAYS_READ, *OFTEN_READ, *WRITTEN))
    )


def _accesses(wanted: tuple[tuple[str, str, str, str, str], ...]) -> tuple[Access, ...]:
    return tuple(
        Access(resource=resource, namespace=namespace, name=name, group=group, verb=verb)
        for resource, namespace, name, group, verb in wanted
    )


def warnings(case: Case, now: float) -> tuple[str, ...]:
    """What the approver of a sync should know."""
    assert case.found is not None, "of what is ready"
    closes, warned = case.seen.closes_at, [*before(case.cluster, case.seen.pools)]
    if closes is not None and closes - now < SOON:
        warned.append(f"{case.cluster}: the window closes soon; after that the transfer has to be started anew.")
    return (*warned, *doubts(case.cluster, case.found, case.pulls))
