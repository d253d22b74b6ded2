"""Vault's KV engine, version 1 or 2: which one a path lies in, and its documents whole.

The version of a mount is asked of Vault and kept for five minutes; before each change it is asked again, because
a document written to the wrong version would land in a wrong place.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal

from bot.core.errors import Refused, Told
from bot.tools.http_answer import LOADING
from bot.tools.vault_session import VaultSession
from bot.tools.vault_told import Doing, Reply, misshapen, refusal

KEEP_MOUNT = 300.0  # seconds
UNTOLD = (400, 403, 404, 405)  # what Vault answers when it will not say which engine is mounted
ON_V2 = "invalid path for a versioned k/v"  # Vault's warning when version 2 is asked as if it were version 1


@dataclass(frozen=True)
class Mount:
    path: str
    version: Literal[1, 2]

    def within(self, path: str) -> str:
        return path.removeprefix(self.path).lstrip("/")

    def doing(self, verb: str, path: str, needs: str) -> Doing:
        at = f"{self.path}/data/{self.within(path)}" if self.version == 2 else path
        return Doing(verb, path, needs, at)


@dataclass(frozen=True)
class Document:
    """What lies at a path: all fields (None: nothing there), and the version for check-and-set (0: never written)."""

    mount: Mount
    data: Mapping[str, Any] | None = field(repr=False)
    version: int = 0

    @property
    def fields(self) -> dict[str, Any]:
        return dict(self.data or {})


class Kv:
    """Documents by path as people write it: mount first, no `data/`."""

    def __init__(self, session: VaultSession, clock: Callable[[], float] = time.monotonic) -> None:
        self._session = session
        self._clock = clock
        self._mounts: dict[str, tuple[float, Mount]] = {}

    def get(self, path: str, mount: Mount | None = None, *, fresh: bool = False) -> Document:
        """The document at a path, in a mount if that is known. `fresh`: ask again which version the mount has."""
        path = checked(path)
        mount = mount or self._mount(path, fresh=fresh)
        if mount.version == 2:
            return self._get_v2(mount, path)
        doing = mount.doing("read", path, "read")
        reply = self._session.call(doing, lambda client: _v1(client).read_secret(mount.within(path), mount.path))
        if reply.status == 404 and reply.mentions(ON_V2):
            return self._get_v2(self._upgraded(mount, path), path)
        return Document(mount, None if reply.status == 404 else _mapping(reply, doing, "data"))

    def get_version(self, path: str, mount: Mount, version: int) -> Mapping[str, Any] | None:
        """The fields of one version (KV 2), empty if it was deleted, None if Vault no longer has it."""
        doing = mount.doing(f"read version {version} of", path, "read")
        reply = self._session.call(doing, lambda client: _read_v2(client, mount, path, version))
        found = _document_v2(reply, mount, doing)
        return {} if found.data is None and found.version else found.data

    def put(self, path: str, old: Document, data: Mapping[str, Any]) -> bool:
        """Store the whole document. False when somebody else wrote since `old` was read (KV 2 only)."""
        mount, needs = old.mount, "create" if old.data is None else "update"
        doing = mount.doing("write", path, needs)
        if mount.version == 2:
            reply = self._session.call(doing, lambda client: client.secrets.kv.v2.create_or_update_secret(
                mount.within(path), dict(data), cas=old.version, mount_point=mount.path))  # fmt: skip
            if reply.ok and _mapping(reply, doing, "data").get("version") is None:
                raise misshapen(doing)
        else:
            reply = self._session.call(doing, lambda client: _v1(client).create_or_update_secret(
                mount.within(path), dict(data), method="PUT", mount_point=mount.path))  # fmt: skip
        if reply.status == 404:
            raise self._moved(path, reply, doing)
        return not reply.overtaken

    def version(self, path: str) -> int:
        return self._mount(checked(path), fresh=False).version

    def rights(self, path: str) -> frozenset[str]:
        """The capabilities of our own token at a path, of its data where the mount is version 2."""
        path = checked(path)
        at = self._mount(path, fresh=False).doing("look up the rights at", path, "update").at
        doing = Doing("look up the bot's own rights at", path, "update", "sys/capabilities-self")
        reply = self._session.call(
            doing, lambda client: client.adapter.post("/v1/sys/capabilities-self", json={"paths": [at]})
        )
        return frozenset(str(name) for name in _mapping(reply, doing, "data").get(at) or ())

    def delete(self, path: str, mount: Mount) -> None:
        """Remove a document (KV 1). Nothing there is fine."""
        doing = mount.doing("delete", path, "delete")
        self._session.call(doing, lambda client: _v1(client).delete_secret(mount.within(path), mount.path))

    def _get_v2(self, mount: Mount, path: str) -> Document:
        doing = mount.doing("read", path, "read")
        reply = self._session.call(doing, lambda client: _read_v2(client, mount, path, None))
        return _document_v2(reply, mount, doing)

    def _moved(self, path: str, reply: Reply, doing: Doing) -> Told:
        self._mounts.pop(path, None)
        if reply.mentions(ON_V2):
            return Refused(f"The mount of {path} was changed to KV version 2 just now (404).", "Ask again.")
        return refusal(reply, doing)

    def _mount(self, path: str, *, fresh: bool) -> Mount:
        at, mount = self._mounts.get(path, (0.0, None))
        if mount is not None and not fresh and self._clock() - at < KEEP_MOUNT:
            return mount
        mount = self._announced(path) or self._probed(path)
        return self._keep(path, mount)

    def _keep(self, path: str, mount: Mount) -> Mount:
        if len(self._mounts) > 10_000:
            self._mounts.clear()
        self._mounts[path] = (self._clock(), mount)
        return mount

    def _announced(self, path: str) -> Mount | None:
        """What Vault says to anybody who may do something below a mount; None when it says nothing."""
        doing = Doing("look up the mount of", path, "read", f"sys/internal/ui/mounts/{path}")
        reply = self._session.call(doing, partial(_get, _quoted(doing.at)), UNTOLD)
        if not reply.ok:
            return None
        told = _mapping(reply, doing, "data")
        where, kind, options = told.get("path"), told.get("type"), told.get("options")
        if not isinstance(where, str) or not (path + "/").startswith(where.strip("/") + "/"):
            raise misshapen(doing)
        if kind not in ("kv", "generic"):
            raise Refused(f"{where} in Vault is not a KV secrets engine, so {path} cannot be read.", "Check the path.")
        version = options.get("version") if isinstance(options, dict) else None
        return Mount(where.strip("/"), 2 if version == "2" else 1)

    def _probed(self, path: str) -> Mount:
        """For old Vaults and narrow policies: only KV 2 has a configuration with `max_versions`."""
        segments = path.split("/")
        for size in range(1, len(segments)):
            mount = "/".join(segments[:size])
            doing = Doing("look up the KV version of", mount, "read", f"{mount}/config")
            reply = self._session.call(doing, partial(_get, _quoted(doing.at)), UNTOLD)
            told = (reply.document or {}).get("data")
            if reply.ok and isinstance(told, dict) and "max_versions" in told and "cas_required" in told:
                return Mount(mount, 2)
        first = Mount(segments[0], 1)
        doing = first.doing("read", path, "read")
        reply = self._session.call(doing, lambda client: _v1(client).read_secret(first.within(path), first.path))
        return Mount(first.path, 2) if reply.status == 404 and reply.mentions(ON_V2) else first

    def _upgraded(self, mount: Mount, path: str) -> Mount:
        found = self._mount(path, fresh=True)
        return self._keep(path, found if found.version == 2 else Mount(mount.path, 2))


def checked(path: str) -> str:
    """The path without slashes at its ends. Refused when it is not one (`..` would reach other parts of Vault)."""
    path = path.strip("/")
    segments = path.split("/")
    if len(segments) < 2:
        raise Refused("A Vault path needs a mount and a name, as in sd-uhc/sandbox.", "Correct the path.")
    if any(part in ("", ".", "..") for part in segments) or not path.isprintable() or len(path) > 512:
        raise Refused("That is not a Vault path.", "Write it as in `vault kv get`: mount first, no empty parts.")
    return path


def _quoted(path: str) -> str:
    with LOADING:  # of hvac
        from hvac.utils import format_url

    return str(format_url("/v1/{path}", path=path))


def _get(url: str, client: Any) -> Any:
    return client.adapter.get(url)


def _v1(client: Any) -> Any:
    return client.secrets.kv.v1


def _read_v2(client: Any, mount: Mount, path: str, version: int | None) -> Any:
    return client.secrets.kv.v2.read_secret_version(
        mount.within(path), version=version, mount_point=mount.path, raise_on_deleted_version=False
    )


def _document_v2(reply: Reply, mount: Mount, doing: Doing) -> Document:
    """A deleted version answers 404 and still says its number, which check-and-set needs."""
    told = (reply.document or {}).get("data")
    if reply.status == 404 and not isinstance(told, dict):
        return Document(mount, None)
    told = _mapping(reply, doing, "data")
    about, data = told.get("metadata"), told.get("data")
    version = about.get("version") if isinstance(about, dict) else None
    if not isinstance(version, int) or isinstance(version, bool) or not isinstance(data, dict | None):
        raise misshapen(doing)
    return Document(mount, None if reply.status == 404 else data, version)


def _mapping(reply: Reply, doing: Doing, key: str) -> dict[str, Any]:
    told = (reply.document or {}).get(key)
    if not isinstance(told, dict):
        raise misshapen(doing)
    return told
