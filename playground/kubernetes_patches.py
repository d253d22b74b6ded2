"""Patches as the API server applies them: JSON merge patch, and the strategic one, which knows some lists by key."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

MERGE, STRATEGIC = "application/merge-patch+json", "application/strategic-merge-patch+json"
KEYS = {
    "containers": "name", "initContainers": "name", "ephemeralContainers": "name", "env": "name", "volumes": "name",
    "imagePullSecrets": "name", "secrets": "name", "conditions": "type", "ports": "containerPort",
    "volumeMounts": "mountPath", "containerStatuses": "", "ownerReferences": "uid",
}  # fmt: skip


def merge(old: Any, change: Any) -> Any:
    """RFC 7386: objects field by field, null removes, all else is replaced."""
    if not isinstance(change, Mapping):
        return change
    merged = dict(old) if isinstance(old, Mapping) else {}
    for name, value in change.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = merge(merged.get(name), value)
    return merged


def strategic(old: Any, change: Any) -> Any:
    """The same, but lists of the known fields are merged item by item; `$patch` replaces or deletes."""
    if not isinstance(change, Mapping):
        return change
    rest = {name: value for name, value in change.items() if name != "$patch"}
    if change.get("$patch") == "replace":
        return rest
    merged = dict(old) if isinstance(old, Mapping) else {}
    for name, value in rest.items():
        if value is None:
            merged.pop(name, None)
        elif isinstance(value, list):
            merged[name] = _list(merged.get(name) or [], value, KEYS.get(name, ""))
        else:
            merged[name] = strategic(merged.get(name), value)
    return merged


def _list(old: list[Any], change: list[Any], key: str) -> list[Any]:
    if not key or not all(isinstance(item, Mapping) for item in change):
        return change
    merged = {item.get(key): item for item in old}
    for item in change:
        if item.get("$patch") == "delete":
            merged.pop(item.get(key), None)
        elif key in item:
            merged[item[key]] = strategic(merged.get(item[key]), item)
    return list(merged.values())
