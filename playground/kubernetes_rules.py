"""Who asks a stand-in for Kubernetes, and what they may: bearer tokens, and RBAC from the stored roles and bindings."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from playground.kubernetes_kinds import (
    ACCESS,
    CLUSTER_ROLE,
    CLUSTER_ROLE_BINDING,
    RBAC,
    REVIEWS,
    ROLE,
    ROLE_BINDING,
    SERVICE_ACCOUNT,
)
from playground.kubernetes_store import Store

MASTERS = "system:masters"
OPEN = ("/version", "/healthz", "/livez", "/readyz")  # also for nobody
ACCOUNT = "system:serviceaccount:"


@dataclass(frozen=True)
class User:
    name: str
    groups: tuple[str, ...] = ()


@dataclass(frozen=True)
class Access:
    """What is asked for. `resource` with its subresource, as rules write it: "deployments/status"."""

    verb: str
    group: str
    resource: str
    namespace: str = ""
    name: str = ""


NOBODY = User("system:anonymous", ("system:unauthenticated",))


class Tokens:
    """Bearer tokens, kept as hashes."""

    def __init__(self) -> None:
        self._users: dict[str, tuple[User, float]] = {}
        self._lock = threading.Lock()

    def accept(self, token: str, name: str, groups: tuple[str, ...] = (), until: float = float("inf")) -> None:
        """From now on this token is somebody; `until` is in seconds since the epoch."""
        if name.startswith(ACCOUNT):
            groups = (*groups, "system:serviceaccounts", f"system:serviceaccounts:{name.split(':')[2]}")
        with self._lock:
            self._users[_mark(token)] = User(name, (*groups, "system:authenticated")), until

    def revoke(self, token: str) -> None:
        with self._lock:
            self._users.pop(_mark(token), None)

    def who(self, token: str, now: float) -> User | None:
        """Nobody in particular without a token; None for a token that is not accepted."""
        if not token:
            return NOBODY
        with self._lock:
            user, until = self._users.get(_mark(token), (None, 0.0))
        return user if now < until else None


class Rules:
    """`denied`: (verb, resource, namespace) that nobody may but the masters, whatever the roles say; "" is any."""

    def __init__(self, store: Store) -> None:
        self.denied: set[tuple[str, str, str]] = set()
        self._store = store

    def may(self, user: User, access: Access) -> bool:
        if MASTERS in user.groups:
            return True
        if any(_among(access, *denied) for denied in self.denied):
            return False
        if access.group in (ACCESS, REVIEWS):
            return user is not NOBODY
        with self._store.lock:
            return any(_fits(rule, access) for rule in self._of(user, access.namespace))

    def may_open(self, user: User, path: str) -> bool:
        """A path that is no object: discovery is for everybody who is somebody."""
        if path in OPEN or MASTERS in user.groups:
            return True
        return user is not NOBODY and path.startswith(("/api", "/openapi"))

    def grant(self, user: str, rules: list[dict[str, Any]], namespace: str = "", name: str = "") -> None:
        """A role with these rules, in a namespace or everywhere, and its binding to the user."""
        kinds = (ROLE, ROLE_BINDING) if namespace else (CLUSTER_ROLE, CLUSTER_ROLE_BINDING)
        metadata = {"name": name or user, **({"namespace": namespace} if namespace else {})}
        self._store.put(kinds[0], {"metadata": metadata, "rules": rules})
        role = {"apiGroup": RBAC, "kind": kinds[0].kind, "name": metadata["name"]}
        self._store.put(kinds[1], {"metadata": metadata, "roleRef": role, "subjects": [_subject(user)]})

    def _of(self, user: User, namespace: str) -> Iterator[dict[str, Any]]:
        """All rules that are the user's in this namespace."""
        bindings = list(self._store.each(CLUSTER_ROLE_BINDING))
        if namespace:
            bindings += self._store.each(ROLE_BINDING, namespace)
        for binding in bindings:
            space = binding["metadata"].get("namespace", "")
            if any(_is(subject, user, space) for subject in binding.get("subjects") or ()):
                yield from self._rules(binding["roleRef"], space)

    def _rules(self, reference: dict[str, Any], namespace: str) -> list[dict[str, Any]]:
        kind = ROLE if reference["kind"] == "Role" else CLUSTER_ROLE
        role = self._store.get(kind, reference["name"], namespace if kind is ROLE else "")
        return list((role or {}).get("rules") or ())


def _mark(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _subject(user: str) -> dict[str, str]:
    if user.startswith(ACCOUNT):
        namespace, name = user.removeprefix(ACCOUNT).split(":")
        return {"kind": SERVICE_ACCOUNT.kind, "name": name, "namespace": namespace}
    return {"apiGroup": RBAC, "kind": "User", "name": user}


def _is(subject: dict[str, Any], user: User, namespace: str) -> bool:
    if subject["kind"] == "ServiceAccount":
        return user.name == f"{ACCOUNT}{subject.get('namespace', namespace)}:{subject['name']}"
    return subject["name"] in (user.groups if subject["kind"] == "Group" else (user.name,))


def _fits(rule: dict[str, Any], access: Access) -> bool:
    names = rule.get("resourceNames") or ()
    sub = access.resource.partition("/")[2]
    resources = {"*", access.resource, *([f"*/{sub}"] if sub else [])}
    return (
        bool({"*", access.verb} & set(rule.get("verbs") or ()))
        and bool({"*", access.group} & set(rule.get("apiGroups") or ()))
        and bool(resources & set(rule.get("resources") or ()))
        and (not names or access.name in names)
    )


def _among(access: Access, verb: str, resource: str, namespace: str) -> bool:
    return verb in ("", access.verb) and resource in ("", access.resource) and namespace in ("", access.namespace)
