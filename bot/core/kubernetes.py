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


def backup_name(secret: str) -> str:
    """Where the copy of a Secret waits, in the same namespace. The same for every run, so that a Role can name it: else
    the bot would have to be let at all Secrets of the namespace."""
    return f"{secret}-before-hivekeeper"


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
        self, cluster: str, wanted: SecretObject, *, was: str | None, backup_for: str = "", keep: bool = True
    ) -> None:
        """Create (`was` None: it must not be there) or replace (`was`: the resourceVersion that was looked at; Drifted
        if it has another one now) a Secret. `keep`: its other labels, annotations and data keys stay as they are.
        `backup_for`: the run to back up for first, as `back_up_secret` does. Refused for another type than it has: a
        type cannot be changed. For that, `back_up_secret`, `delete_secret`, and this with `was` None."""
        ...

    def back_up_secret(self, cluster: str, namespace: str, name: str, *, was: str, run: str) -> None:
        """Copy what is there, at this resourceVersion (else Drifted), into the Secret `backup_name(name)` beside it.
        The run's copy of what was there before it wrote stays; it replaces an earlier run's, as runs on one subject
        come one after another. Refused when a Secret of that name is not the bot's."""
        ...

    def kept_secret(self, cluster: str, namespace: str, name: str, *, run: str) -> SecretObject | None:
        """The run's own copy of it; None when it made none, or when another run's has taken its place."""
        ...

    def restore_secret(self, cluster: str, namespace: str, name: str, *, run: str) -> None:
        """Put back the run's own copy (the Secret is removed when it made none), if the Secret still carries the
        annotation `hivekeeper/run: <run>` and holds what was written then, or if it is gone; else it is left alone.
        Refused when a later run's copy, of what this run wrote, has taken the place of its own. Safe to call again."""
        ...

    def drop_backup(self, cluster: str, namespace: str, name: str, *, run: str) -> None:
        """Remove the run's own copy; another run's stays."""
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
