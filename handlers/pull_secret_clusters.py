"""Whose pull secrets are looked after (settings), and where things lie in a cluster (upstream.md, seed 001)."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, StringConstraints, model_validator

from bot.core.errors import Refused
from bot.core.handler import HandlerSettings
from bot.core.value import Value
from handlers.ecr_told import listed

COMMAND = "pull-secret"
ALL = "all"
NAMESPACE, NAME = "openshift-config", "pull-secret"
PLACE = f"{NAMESPACE}/{NAME}"
HOSTED_NAMESPACE, HOSTED_NAME = "kube-system", "global-pull-secret"
SUPPORT = "support"
INSIGHTS_NAMESPACE, INSIGHTS_NAME, INSIGHTS_KEY = "openshift-insights", "insights-config", "config.yaml"
OCM_HOST = "cloud.openshift.com"  # the entry that is a login for OCM, and for no registry
DOCKER_CONFIG, DOCUMENT = "kubernetes.io/dockerconfigjson", ".dockerconfigjson"
RUN, WRITTEN, TRANSFER = (f"hivekeeper/{word}" for word in ("run", "written-at", "transfer"))

ClusterName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=63)]


class Place(Value):
    """One cluster's own rules. The interval is the operator's; the cluster's own `insights-config` goes before it."""

    interval_hours: float = Field(
        default=12,
        gt=0,
        le=168,
        description="Hours for which the inventory, and who asks with `due`, take OCM's answer; the cluster's own win.",
    )
    watch_minutes: float = Field(
        default=30, gt=0, le=24 * 60, description="Minutes in which the machine config pools are to take the secret."
    )

    @property
    def interval(self) -> float:
        """Seconds."""
        return self.interval_hours * 3600.0


class Settings(HandlerSettings):
    """The clusters whose pull secrets are looked after."""

    clusters: dict[ClusterName, Place] = Field(
        default_factory=dict, description="Name under `clusters`, with a login of the bot -> the cluster's own rules."
    )

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        lower = [name.lower() for name in self.clusters]
        if ALL in lower:
            raise ValueError(f"clusters: none may be called {ALL}, which stands for all of them")
        if len(set(lower)) != len(lower):
            raise ValueError("clusters: two names differ in nothing but case")
        return self


def choose(settings: Settings, typed: tuple[str, ...]) -> tuple[str, ...]:
    """The clusters of these names; none or "all" are all of the settings. Refused, with what there is, for a name that
    the settings do not know."""
    if not settings.clusters:
        now = f"Name your clusters under commands.{COMMAND}.settings.clusters."
        raise Refused("The settings know no cluster whose pull secret is looked after.", now)
    wanted = {name.lower() for name in typed}
    known = {name.lower(): name for name in settings.clusters}
    if unknown := sorted(wanted - set(known) - {ALL}):
        there = listed((*settings.clusters, ALL), 12)
        raise Refused(f"The settings know no cluster {listed(tuple(unknown))}.", f"There are: {there}.")
    if not wanted or ALL in wanted:
        return tuple(settings.clusters)
    return tuple(name for lower, name in known.items() if lower in wanted)
