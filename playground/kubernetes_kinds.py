"""The kinds that the stand-in for Kubernetes serves, and what its discovery documents say of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

VERBS = ("create", "delete", "get", "list", "patch", "update")


@dataclass(frozen=True)
class Kind:
    """`custom`: defined by a CustomResourceDefinition, so a little stricter and without strategic patches. `phased`:
    has a status that is written apart. `counted`: a change of its spec is a new generation."""

    group: str
    plural: str
    kind: str
    namespaced: bool = True
    phased: bool = False
    counted: bool = False
    custom: bool = False
    version: str = "v1"

    @property
    def resource(self) -> str:
        """As in messages: deployments.apps."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def api(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version


RBAC, CONFIG, MACHINES = "rbac.authorization.k8s.io", "config.openshift.io", "machineconfiguration.openshift.io"
REVIEWS, ACCESS = "authentication.k8s.io", "authorization.k8s.io"  # asked, not stored
NAMESPACE = Kind("", "namespaces", "Namespace", namespaced=False, phased=True)
SECRET = Kind("", "secrets", "Secret")
CONFIG_MAP = Kind("", "configmaps", "ConfigMap")
POD = Kind("", "pods", "Pod", phased=True)
EVENT = Kind("", "events", "Event")
SERVICE_ACCOUNT = Kind("", "serviceaccounts", "ServiceAccount")
NODE = Kind("", "nodes", "Node", namespaced=False, phased=True)
DEPLOYMENT = Kind("apps", "deployments", "Deployment", phased=True, counted=True)
REPLICA_SET = Kind("apps", "replicasets", "ReplicaSet", phased=True, counted=True)
ROLE = Kind(RBAC, "roles", "Role")
ROLE_BINDING = Kind(RBAC, "rolebindings", "RoleBinding")
CLUSTER_ROLE = Kind(RBAC, "clusterroles", "ClusterRole", namespaced=False)
CLUSTER_ROLE_BINDING = Kind(RBAC, "clusterrolebindings", "ClusterRoleBinding", namespaced=False)
CLUSTER_VERSION, CLUSTER_OPERATOR, MACHINE_CONFIG_POOL = (
    Kind(group, plural, kind, namespaced=False, phased=True, counted=True, custom=True)
    for group, plural, kind in (
        (CONFIG, "clusterversions", "ClusterVersion"),
        (CONFIG, "clusteroperators", "ClusterOperator"),
        (MACHINES, "machineconfigpools", "MachineConfigPool"),
    )
)
DEFINITION = Kind("apiextensions.k8s.io", "customresourcedefinitions", "CustomResourceDefinition", namespaced=False)
KINDS = (
    DEFINITION, NAMESPACE, SECRET, CONFIG_MAP, POD, EVENT, SERVICE_ACCOUNT, NODE, DEPLOYMENT, REPLICA_SET, ROLE,
    ROLE_BINDING, CLUSTER_ROLE, CLUSTER_ROLE_BINDING, CLUSTER_VERSION, CLUSTER_OPERATOR, MACHINE_CONFIG_POOL,
)  # fmt: skip
SUBRESOURCES = {POD: ("binding",), SERVICE_ACCOUNT: ("token",)}  # besides the status of those that have one


def defined(definition: dict[str, Any]) -> Kind:
    """The kind that a CustomResourceDefinition makes."""
    spec = definition["spec"]
    names, phased = spec["names"], "status" in (spec["versions"][0].get("subresources") or {})
    return Kind(spec["group"], names["plural"], names["kind"], namespaced=spec["scope"] == "Namespaced",
                phased=phased, counted=True, custom=True)  # fmt: skip


def definition(kind: Kind) -> dict[str, Any]:
    """And the other way round."""
    names = {"plural": kind.plural, "kind": kind.kind, "singular": kind.kind.lower(), "listKind": f"{kind.kind}List"}
    version = {"name": kind.version, "served": True, "storage": True, "subresources": {"status": {}}}
    scope = "Namespaced" if kind.namespaced else "Cluster"
    spec = {"group": kind.group, "names": names, "scope": scope, "versions": [version]}
    return {"metadata": {"name": kind.resource}, "spec": spec}


def groups(kinds: tuple[Kind, ...]) -> dict[str, Any]:
    """/apis"""
    names = dict.fromkeys(kind.group for kind in kinds if kind.group) | dict.fromkeys((REVIEWS, ACCESS))
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": [_group(name) for name in names]}


def group(kinds: tuple[Kind, ...], name: str) -> dict[str, Any] | None:
    """/apis/<group>"""
    known = name in (REVIEWS, ACCESS) or any(kind.group == name for kind in kinds)
    return {"kind": "APIGroup", "apiVersion": "v1", **_group(name)} if name and known else None


def resources(kinds: tuple[Kind, ...], name: str) -> dict[str, Any] | None:
    """/api/v1 for the core group "", or /apis/<group>/v1"""
    listed = [line for kind in kinds if kind.group == name for line in _lines(kind)]
    if name == ACCESS:
        listed = [_line("selfsubjectaccessreviews", "SelfSubjectAccessReview", False, ("create",))]
    if name == REVIEWS:
        listed = [_line("selfsubjectreviews", "SelfSubjectReview", False, ("create",))]
    version = {"apiVersion": "v1", "groupVersion": f"{name}/v1"} if name else {"groupVersion": "v1"}
    return {"kind": "APIResourceList", **version, "resources": listed} if listed else None


def _group(name: str) -> dict[str, Any]:
    version = {"groupVersion": f"{name}/v1", "version": "v1"}
    return {"name": name, "versions": [version], "preferredVersion": version}


def _lines(kind: Kind) -> list[dict[str, Any]]:
    lines = [_line(kind.plural, kind.kind, kind.namespaced, VERBS)]
    if kind.phased:
        lines.append(_line(f"{kind.plural}/status", kind.kind, kind.namespaced, ("get", "patch", "update")))
    for name in SUBRESOURCES.get(kind, ()):
        lines.append(_line(f"{kind.plural}/{name}", kind.kind, kind.namespaced, ("create",)))
    return lines


def _line(name: str, kind: str, namespaced: bool, verbs: tuple[str, ...]) -> dict[str, Any]:
    return {"name": name, "singularName": "", "namespaced": namespaced, "kind": kind, "verbs": list(verbs)}
