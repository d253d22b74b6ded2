"""Vault's KV engines, version 1 and 2, in memory: the paths below a mount and what they answer."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

from playground.vault_answers import Answer, Asked, error, found, invalid_for_v2, missing, nothing, unsupported

DEFAULT_VERSIONS = 10


class KvV1:
    """A path holds one document; writing replaces the whole of it."""

    version: Literal[1] = 1

    def __init__(self) -> None:
        self.documents: dict[str, dict[str, Any]] = {}

    def answer(self, asked: Asked, path: str) -> Answer:
        if asked.method == "GET":
            return found(copy.deepcopy(self.documents[path])) if path in self.documents else missing()
        if asked.method == "LIST":
            return listing(self.documents, path)
        if asked.method == "DELETE":
            self.documents.pop(path, None)
            return nothing()
        if not asked.writes:
            return unsupported()
        if not asked.body:
            return error(400, "missing data fields")
        self.put(path, asked.body)
        return nothing()

    def exists(self, path: str) -> bool:
        return path in self.documents

    def current(self, path: str) -> dict[str, Any] | None:
        return copy.deepcopy(self.documents.get(path))

    def put(self, path: str, data: Mapping[str, Any]) -> None:
        self.documents[path] = copy.deepcopy(dict(data))

    def paths(self) -> list[str]:
        return sorted(self.documents)


@dataclass
class Version:
    data: dict[str, Any] | None
    created: str
    deleted: str = ""
    destroyed: bool = False

    @property
    def readable(self) -> bool:
        return not self.deleted and not self.destroyed


@dataclass
class Key:
    """One path of KV 2: its versions by number and its settings."""

    versions: dict[int, Version] = field(default_factory=dict)
    current: int = 0
    custom: dict[str, str] | None = None
    max_versions: int = 0
    cas_required: bool = False
    created: str = ""

    def about(self, number: int) -> dict[str, Any]:
        version = self.versions[number]
        return {"created_time": version.created, "custom_metadata": self.custom, "deletion_time": version.deleted,
                "destroyed": version.destroyed, "version": number}  # fmt: skip


class KvV2:
    """A path holds versions; check-and-set says which one a write must follow."""

    version: Literal[2] = 2

    def __init__(self) -> None:
        self.keys: dict[str, Key] = {}
        self.max_versions = 0
        self.cas_required = False

    def answer(self, asked: Asked, path: str) -> Answer:
        part, _, rest = path.partition("/")
        if path == "config":
            return self._config(asked)
        if part == "metadata":
            return self._metadata(asked, rest)
        if not rest or part not in ("data", "delete", "undelete", "destroy"):
            return invalid_for_v2(asked.method)
        if part == "data":
            return self._data(asked, rest)
        return self._mark(part, asked, rest) if asked.writes else unsupported()

    def exists(self, path: str) -> bool:
        part, _, rest = path.partition("/")
        return rest in self.keys if part == "data" else True

    def current(self, path: str) -> dict[str, Any] | None:
        key = self.keys.get(path)
        version = key.versions.get(key.current) if key else None
        return copy.deepcopy(version.data) if version and version.readable else None

    def paths(self) -> list[str]:
        return sorted(self.keys)

    def put(self, path: str, data: Mapping[str, Any]) -> dict[str, Any]:
        key = self.keys.setdefault(path, Key(created=stamp()))
        key.current += 1
        key.versions[key.current] = Version(copy.deepcopy(dict(data)), stamp())
        keep = key.max_versions or self.max_versions or DEFAULT_VERSIONS
        for number in [n for n in key.versions if n <= key.current - keep]:
            del key.versions[number]
        return key.about(key.current)

    def _config(self, asked: Asked) -> Answer:
        if asked.method == "GET":
            return found({"cas_required": self.cas_required, "delete_version_after": "0s",
                          "max_versions": self.max_versions})  # fmt: skip
        self.max_versions = int(asked.body.get("max_versions", self.max_versions))
        self.cas_required = bool(asked.body.get("cas_required", self.cas_required))
        return nothing()

    def _data(self, asked: Asked, path: str) -> Answer:
        if asked.method == "GET":
            return self._read(path, int(asked.query.get("version") or 0))
        if asked.method == "DELETE":
            if key := self.keys.get(path):
                key.versions[key.current].deleted = key.versions[key.current].deleted or stamp()
            return nothing()
        return self._write(asked, path) if asked.writes else unsupported()

    def _read(self, path: str, number: int) -> Answer:
        key = self.keys.get(path)
        number = number or (key.current if key else 0)
        version = key.versions.get(number) if key else None
        if key is None or version is None:
            return missing()
        data = copy.deepcopy(version.data) if version.readable else None
        return found({"data": data, "metadata": key.about(number)}, status=200 if version.readable else 404)

    def _write(self, asked: Asked, path: str) -> Answer:
        data, options = asked.body.get("data"), asked.body.get("options") or {}
        key = self.keys.get(path)
        if not isinstance(data, Mapping):
            return error(400, "no data provided")
        if "cas" not in options and (self.cas_required or (key and key.cas_required)):
            return error(400, "check-and-set parameter required for this call")
        if "cas" in options and options["cas"] != (key.current if key else 0):
            return error(400, "check-and-set parameter did not match the current version")
        return found(self.put(path, data))

    def _mark(self, part: str, asked: Asked, path: str) -> Answer:
        key = self.keys.get(path)
        for number in asked.body.get("versions", []):
            version = key.versions.get(int(number)) if key else None
            if version is None:
                continue
            if part == "destroy":
                version.data, version.destroyed = None, True
            else:
                version.deleted = stamp() if part == "delete" else ""
        return nothing()

    def _metadata(self, asked: Asked, path: str) -> Answer:
        if asked.method == "LIST":
            return listing(self.keys, path)
        if asked.method == "DELETE":
            self.keys.pop(path, None)
            return nothing()
        if asked.writes:
            key = self.keys.setdefault(path, Key(created=stamp()))
            key.custom = asked.body.get("custom_metadata", key.custom)
            key.max_versions = int(asked.body.get("max_versions", key.max_versions))
            key.cas_required = bool(asked.body.get("cas_required", key.cas_required))
            return nothing()
        return self._described(path)

    def _described(self, path: str) -> Answer:
        key = self.keys.get(path)
        if key is None:
            return missing()
        versions = {str(n): {"created_time": v.created, "deletion_time": v.deleted, "destroyed": v.destroyed}
                    for n, v in sorted(key.versions.items())}  # fmt: skip
        about = {"created_time": key.created, "updated_time": key.created, "delete_version_after": "0s",
                 "max_versions": key.max_versions, "cas_required": key.cas_required, "custom_metadata": key.custom,
                 "current_version": key.current, "oldest_version": min(key.versions, default=0)}  # fmt: skip
        return found(about | {"versions": versions})


Engine = KvV1 | KvV2


def listing(paths: Mapping[str, Any], below: str) -> Answer:
    """The names below a folder; folders end in a slash."""
    prefix = below.strip("/") + "/" if below.strip("/") else ""
    rests = [path.removeprefix(prefix) for path in paths if path.startswith(prefix)]
    names = sorted({rest.split("/")[0] + ("/" if "/" in rest else "") for rest in rests})
    return found({"keys": names}) if names else missing()


def stamp() -> str:
    return datetime.now(UTC).isoformat().replace("+00:00", "Z")
