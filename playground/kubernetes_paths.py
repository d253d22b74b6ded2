"""What a path of the Kubernetes API names."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from playground.kubernetes_answers import Asked
from playground.kubernetes_kinds import Kind
from playground.kubernetes_rules import Access
from playground.kubernetes_selectors import named

VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch"}


@dataclass(frozen=True)
class Target:
    """An object, or all of a kind (no name). `sub`: its status, say."""

    group: str
    plural: str
    namespace: str = ""
    name: str = ""
    sub: str = ""

    def kind(self, kinds: Iterable[Kind]) -> Kind | None:
        return next((kind for kind in kinds if (kind.group, kind.plural) == (self.group, self.plural)), None)

    def access(self, asked: Asked) -> Access:
        """What has to be allowed for this request."""
        name = self.name or (named(asked.query.get("fieldSelector", "")) if asked.method == "GET" else "")
        resource = f"{self.plural}/{self.sub}" if self.sub else self.plural
        return Access(self._verb(asked), self.group, resource, self.namespace, name)

    def _verb(self, asked: Asked) -> str:
        if asked.method in VERBS:
            return VERBS[asked.method]
        if asked.method == "DELETE":
            return "delete" if self.name else "deletecollection"
        if asked.query.get("watch") in ("true", "1"):
            return "watch"
        return "get" if self.name else "list"


def target(path: str) -> Target | None:
    """None for what is no object: discovery, health, nonsense."""
    parts = path.strip("/").split("/")
    if parts[:2] == ["api", "v1"]:
        group, rest = "", parts[2:]
    elif parts[0] == "apis" and len(parts) > 3 and parts[2] == "v1":
        group, rest = parts[1], parts[3:]
    else:
        return None
    return _target(group, rest) if rest and len(rest) < 6 else None


def _target(group: str, rest: list[str]) -> Target | None:
    if rest[0] == "namespaces" and not group and (len(rest) < 3 or rest[2:] in (["status"], ["finalize"])):
        name = rest[1] if len(rest) > 1 else ""
        return Target("", "namespaces", name, name, "/".join(rest[2:]))
    namespace = ""
    if rest[0] == "namespaces" and len(rest) > 2:
        namespace, rest = rest[1], rest[2:]
    return Target(group, rest[0], namespace, *rest[1:3]) if len(rest) < 4 else None
