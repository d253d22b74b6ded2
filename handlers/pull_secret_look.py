"""What one cluster holds, and what OCM has for it. Looks only; what holds secrets is never stored."""

from __future__ import annotations

from dataclasses import dataclass, field

from bot.core.errors import Refused
from bot.core.kubernetes import CLUSTER_VERSION, SecretObject
from bot.core.ocm import Window, Wish
from bot.core.ports import ReadTools
from bot.core.secret import Secret
from handlers.ecr_look import moment
from handlers.pull_secret_clusters import (
    DOCKER_CONFIG,
    DOCUMENT,
    HOSTED_NAME,
    HOSTED_NAMESPACE,
    NAME,
    NAMESPACE,
    OCM_HOST,
    PLACE,
    RUN,
    WRITTEN,
)
from handlers.pull_secret_pools import Pool, pools
from handlers.pull_secret_wish import wish

NO_TOKEN = Window(
    reason="NoToken",
    healthy=True,
    told=f"Its pull secret has no entry for {OCM_HOST}: a disconnected cluster, which is left alone.",
)


@dataclass(frozen=True)
class Held:
    """A cluster's pull secret. `auth` None: it has no token for OCM. `fallback`: the token is that of the nodes' own
    pull secret, as clusters have it whose control plane is hosted elsewhere."""

    cluster: str
    secret: SecretObject
    document: Secret
    auth: Secret | None
    fallback: bool = False

    @property
    def written_at(self) -> float | None:
        """When the bot wrote it last, seconds since the epoch."""
        return moment(self.secret.annotations.get(WRITTEN, ""))

    @property
    def run(self) -> str:
        return self.secret.annotations.get(RUN, "")


@dataclass(frozen=True)
class Seen:
    """A cluster, and OCM's answer. `offered`: the new pull secret while a window is open."""

    held: Held
    window: Window
    offered: Secret | None = None
    wish: Wish = field(default_factory=Wish)
    pools: tuple[Pool, ...] = ()

    @property
    def cluster(self) -> str:
        return self.held.cluster

    @property
    def closes_at(self) -> float | None:
        return self.window.transfer.expires_at if self.window.transfer else None

    def closed(self, now: float) -> bool:
        """Is there a transfer whose time is over? OCM still shows it as accepted."""
        return self.closes_at is not None and self.closes_at <= now


def held(cluster: str, tools: ReadTools) -> Held:
    """Read the pull secret. Refused when there is none, or none that can be read."""
    secret = tools.kubernetes.secret(cluster, NAMESPACE, NAME)
    if secret is None:
        raise Refused(
            f"Cluster {cluster} has no Secret {PLACE}.", "Look whether it is an OpenShift, and the right one."
        )
    document = secret.data.get(DOCUMENT)
    if secret.type != DOCKER_CONFIG or document is None:
        raise Refused(
            f"The Secret {PLACE} of cluster {cluster} is no pull secret, but of type {secret.type}.",
            f"It must be of type {DOCKER_CONFIG}, with a key {DOCUMENT}.",
        )
    try:
        auth = tools.docker_configs.auth(document, OCM_HOST)
    except Refused as refusal:
        raise Refused(f"The pull secret of cluster {cluster} cannot be read: {refusal.what}", REPAIR) from None
    own = auth if auth is not None else _of_the_nodes(cluster, tools)
    return Held(cluster, secret, document, own, fallback=auth is None and own is not None)


REPAIR = (
    "Put it right by hand (oc set data secret/pull-secret -n openshift-config): the bot changes only what it can read."
)


def _of_the_nodes(cluster: str, tools: ReadTools) -> Secret | None:
    """The token of a hosted cluster may lie elsewhere."""
    found = tools.kubernetes.secret(cluster, HOSTED_NAMESPACE, HOSTED_NAME)
    document = found.data.get(DOCUMENT) if found else None
    try:
        return tools.docker_configs.auth(document, OCM_HOST) if document is not None else None
    except Refused:
        return None


def look(cluster: str, tools: ReadTools, *, within: float | None = None) -> Seen:
    """A whole cluster. `within` (seconds): OCM's answer may be so old, or as old as the cluster itself says; None asks
    OCM now."""
    has = held(cluster, tools)
    wanted = wish(cluster, tools) if has.auth is not None else Wish()
    return Seen(has, *ask(has, wanted, tools, within=within), wanted, pools(cluster, tools))


def ask(has: Held, wanted: Wish, tools: ReadTools, *, within: float | None = None) -> tuple[Window, Secret | None]:
    """OCM's answer, and the pull secret that it has for the cluster."""
    if has.auth is None:
        return NO_TOKEN, None
    age = 0 if within is None else wanted.interval or within
    found = tools.ocm.offered(cluster_id(has.cluster, tools), has.auth, endpoint=wanted.endpoint, within=age)
    return found.window, found.document


def cluster_id(cluster: str, tools: ReadTools) -> str:
    """As its ClusterVersion has it. Refused when it has none."""
    found = tools.kubernetes.find(cluster, CLUSTER_VERSION, "version")
    spec = found.get("spec") if found else None
    known = spec.get("clusterID") if isinstance(spec, dict) else None
    if not isinstance(known, str) or not known:
        raise Refused(f"Cluster {cluster} has no ClusterVersion with an id.", "Look whether it is an OpenShift.")
    return known
