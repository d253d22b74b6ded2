"""Kubernetes and OpenShift as handlers see them: objects as plain JSON, Secrets apart, many clusters by name.

A cluster is named in the settings (`clusters.<name>`); every method takes that name first. All are plain blocking calls
with a timeout of their own and raise only the errors of `bot.core.errors`: Transient when the cluster does not answer,
Refused for what it forbids (naming the verb, the resource and the namespace), Drifted for a write that somebody else's
write came before.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from bot.core.secret import Secret
from bot.core.value import Value

Json = Mapping[str, Any]


class Kind(Value):
    """What sort of object, in the API's own words: `plural` as in its path; the core group is ""."""

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool = True


NAMESPACE = Kind(group="", version="v1", plural="namespaces", kind="Namespace", namespaced=False)
POD = Kind(group="", version="v1", plural="pods", kind="Pod")
EVENT = Kind(group="", version="v1", plural="events", kind="Event")
CONFIG_MAP = Kind(group="", version="v1", plural="configmaps", kind="ConfigMap")
SERVICE_ACCOUNT = Kind(group="", version="v1", plural="serviceaccounts", kind="ServiceAccount")
NODE = Kind(group="", version="v1", plural="nodes", kind="Node", namespaced=False)
DEPLOYMENT = Kind(group="apps", version="v1", plural="deployments", kind="Deployment")
REPLICA_SET = Kind(group="apps", version="v1", plural="replicasets", kind="ReplicaSet")
CLUSTER_VERSION = Kind(
    group="config.openshift.io", version="v1", plural="clusterversions", kind="ClusterVersion", namespaced=False
)
MACHINE_CONFIG_POOL = Kind(
    group="machineconfiguration.openshift.io",
    version="v1",
    plural="machineconfigpools",
    kind="MachineConfigPool",
    namespaced=False,
)


class Access(Value):
    """One thing to be allowed to do. An empty namespace means all namespaces (or a kind that has none)."""

    verb: str  # get | list | watch | create | update | patch | delete
    resource: str  # "secrets", "deployments", …
    group: str = ""
    namespace: str = ""
    name: str = ""


@dataclass(frozen=True)
class SecretObject:
    """A Secret. Its values are `Secret`s, so it can be neither printed nor stored; its metadata is open. Bytes of a
    value that are no UTF-8 are surrogate escapes in its text."""

    namespace: str
    name: str
    type: str
    data: Mapping[str, Secret]  # decoded from base64
    resource_version: str
    created_at: float  # seconds since the epoch
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)


class KubernetesReader(Protocol):
    def clusters(self) -> tuple[str, ...]:
        """The clusters that the bot may log in to, in the order of the settings."""
        ...

    def version(self, cluster: str) -> str:
        """Its version ("v1.32.4"), for which no right is needed: proves that it answers and that the login is good."""
        ...

    def find(self, cluster: str, kind: Kind, name: str, namespace: str = "") -> Json | None:
        """One object, None if it (or its kind, or its namespace) is not there. Never for Secrets: Refused."""
        ...

    def all(
        self, cluster: str, kind: Kind, namespace: str = "", *, labels: str = "", fields: str = ""
    ) -> tuple[Json, ...]:
        """All objects of a kind in a namespace ("" for all namespaces), by selectors, read in pages; none when the
        cluster does not know the kind."""
        ...

    def secret(self, cluster: str, namespace: str, name: str) -> SecretObject | None: ...

    def allowed(self, cluster: str, access: Access) -> bool:
        """May the bot do that there? (SelfSubjectAccessReview)"""
        ...


class Kubernetes(KubernetesReader, Protocol):
    def write_secret(
        self, cluster: str, wanted: SecretObject, *, was: str | None, backup: str = "", keep: bool = True
    ) -> None:
        """Create (`was` None: it must not be there) or replace (`was`: the resourceVersion that was looked at; Drifted
        if it has another one now) a Secret. `keep`: its other labels, annotations and data keys stay as they are.
        `backup`: first copy what is there now into a Secret of this name beside it, unless there is one already.
        Refused for another type than it has: a type cannot be changed. For that, `back_up_secret`, `delete_secret`, and
        this with `was` None."""
        ...

    def back_up_secret(self, cluster: str, namespace: str, name: str, *, was: str, backup: str) -> None:
        """Copy what is there, at this resourceVersion (else Drifted), into a Secret of the name `backup` beside it; the
        first copy stays."""
        ...

    def restore_secret(self, cluster: str, namespace: str, name: str, *, backup: str, ours: str) -> None:
        """Put back what `backup` holds (the Secret is removed when there is no backup), if the Secret still carries
        the annotation `hivekeeper/run: <ours>` and holds what was written then, or if it is gone but its backup is
        there; else it is left alone. Safe to call again."""
        ...

    def delete_secret(self, cluster: str, namespace: str, name: str, *, was: str = "") -> None:
        """Remove it; nothing if it is gone. `was`: only at this resourceVersion (else Drifted)."""
        ...

    def create(self, cluster: str, kind: Kind, body: Json, namespace: str = "") -> None:
        """Create an object. Drifted when one of that name is there."""
        ...

    def patch(self, cluster: str, kind: Kind, name: str, change: Json, namespace: str = "", *, was: str = "") -> None:
        """A JSON merge patch; `was`: only at this resourceVersion (else Drifted)."""
        ...

    def delete(self, cluster: str, kind: Kind, name: str, namespace: str = "") -> None:
        """Remove it at once (no grace); nothing if it is gone."""
        ...
