"""Clusters for looking and changing, by their REST API.

`open_clusters(…)` gives the `KubernetesClusters`; its `reader` has no way to write and is what planning gets.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from typing import Any

from bot.clusters import Cluster
from bot.core.errors import Drifted, Refused, Transient
from bot.core.kubernetes import Access, Json, Kind, SecretObject, backup_name
from bot.core.ports import Fingerprints
from bot.core.secret import Secret
from bot.tools import kubernetes_secrets as secrets
from bot.tools.kubernetes_reader import ClusterReader, path, refuse_secrets
from bot.tools.kubernetes_secrets import RUN, SECRET, WROTE, Document
from bot.tools.kubernetes_session import Resolve, Session
from bot.tools.kubernetes_told import LOOK_AGAIN, Doing
from bot.tools.kubernetes_wire import MERGE_PATCH, Request

ATTEMPTS = 4  # of putting something back before we say that somebody else keeps writing


def open_clusters(
    clusters: Mapping[str, Cluster],
    resolve: Resolve,
    fingerprints: Fingerprints,
    clock: Callable[[], float] = time.monotonic,
) -> KubernetesClusters:
    """Those with a login. Nothing is sent, and no login read, before the first call."""
    sessions = {name: Session(name, each, resolve, clock) for name, each in clusters.items() if each.token is not None}
    return KubernetesClusters(sessions, fingerprints)


class KubernetesClusters:
    """`bot.core.kubernetes.Kubernetes`. Thread-safe."""

    def __init__(self, sessions: Mapping[str, Session], fingerprints: Fingerprints) -> None:
        self.reader = ClusterReader(sessions)
        self._fingerprints = fingerprints

    def clusters(self) -> tuple[str, ...]:
        return self.reader.clusters()

    def version(self, cluster: str) -> str:
        return self.reader.version(cluster)

    def find(self, cluster: str, kind: Kind, name: str, namespace: str = "") -> Json | None:
        return self.reader.find(cluster, kind, name, namespace)

    def all(
        self, cluster: str, kind: Kind, namespace: str = "", *, labels: str = "", fields: str = ""
    ) -> tuple[Json, ...]:
        return self.reader.all(cluster, kind, namespace, labels=labels, fields=fields)

    def secret(self, cluster: str, namespace: str, name: str) -> SecretObject | None:
        return self.reader.secret(cluster, namespace, name)

    def allowed(self, cluster: str, access: Access) -> bool:
        return self.reader.allowed(cluster, access)

    def write_secret(
        self, cluster: str, wanted: SecretObject, *, was: str | None, backup_for: str = "", keep: bool = True
    ) -> None:
        if was is None:
            self._create(cluster, SECRET, self._marked(secrets.made(wanted)), wanted.namespace)
            return
        now = self._at(cluster, wanted.namespace, wanted.name, was)
        place = f"{wanted.namespace}/{wanted.name}"
        if now.get("type") != wanted.type:
            raise Refused(
                f"The Secret {place} is of another type than it should be, and a type cannot be changed.",
                "Remove it and make it anew.",
            )
        if now.get("immutable") is True:
            raise Refused(f"The Secret {place} is marked as immutable.", "Remove it and make it anew.")
        if backup_for:
            self._back_up(cluster, now, backup_for)
        self._put(cluster, self._marked(secrets.merged(now, wanted, keep=keep)))

    def back_up_secret(self, cluster: str, namespace: str, name: str, *, was: str, run: str) -> None:
        self._back_up(cluster, self._at(cluster, namespace, name, was), run)

    def kept_secret(self, cluster: str, namespace: str, name: str, *, run: str) -> SecretObject | None:
        kept = self._backup(cluster, namespace, name)
        if kept is None or not secrets.kept_for(kept, name, run):
            return None
        return secrets.read(kept, self.reader.session(cluster).where)

    def restore_secret(self, cluster: str, namespace: str, name: str, *, run: str) -> None:
        _settled(f"{namespace}/{name}", lambda: self._restore(cluster, namespace, name, run))

    def drop_backup(self, cluster: str, namespace: str, name: str, *, run: str) -> None:
        _settled(f"{namespace}/{backup_name(name)}", lambda: self._drop(cluster, namespace, name, run))

    def delete_secret(self, cluster: str, namespace: str, name: str, *, was: str = "") -> None:
        self._delete(cluster, SECRET, name, namespace, was)

    def create(self, cluster: str, kind: Kind, body: Json, namespace: str = "") -> None:
        refuse_secrets(kind)
        self._create(cluster, kind, body, namespace)

    def patch(self, cluster: str, kind: Kind, name: str, change: Json, namespace: str = "", *, was: str = "") -> None:
        refuse_secrets(kind)
        body = {**change, "metadata": {**change.get("metadata", {}), "resourceVersion": was}} if was else change
        request = Request("PATCH", path(kind, namespace, name), body=body, content_type=MERGE_PATCH)
        self.reader.session(cluster).ask(request, Doing.of("patch", kind, namespace, name))

    def delete(self, cluster: str, kind: Kind, name: str, namespace: str = "") -> None:
        refuse_secrets(kind)
        self._delete(cluster, kind, name, namespace, "")

    def _restore(self, cluster: str, namespace: str, name: str, run: str) -> None:
        now = self.reader.document(cluster, SECRET, name, namespace)
        kept = self._backup(cluster, namespace, name)
        if kept is not None and (refused := secrets.outlived(kept, name, run)):
            raise refused
        if now is not None and not self._wrote(now, run):
            return
        if kept is not None and secrets.kept_for(kept, name, run):
            self._replace(cluster, secrets.restored(kept), now)
        elif now is not None:
            if kept is not None:
                secrets.checked_backup(kept, of=name)  # somebody may have put it where ours was
            self._delete(cluster, SECRET, name, namespace, _version(now))

    def _drop(self, cluster: str, namespace: str, name: str, run: str) -> None:
        kept = self._backup(cluster, namespace, name)
        if kept is not None and secrets.kept_for(kept, name, run):
            self._delete(cluster, SECRET, backup_name(name), namespace, _version(kept))

    def _backup(self, cluster: str, namespace: str, name: str) -> dict[str, Any] | None:
        """What is where the backup goes, whoever made it."""
        return self.reader.document(cluster, SECRET, backup_name(name), namespace)

    def _marked(self, document: dict[str, Any]) -> dict[str, Any]:
        """A run's writing, so that it is known again: others may change the data and leave the run's name there."""
        notes = document["metadata"]["annotations"]
        if RUN in notes:
            notes[WROTE] = self._mark(document)
        return document

    def _wrote(self, document: Document, run: str) -> bool:
        """Does it hold just what that run wrote?"""
        notes = secrets.annotations_of(document)
        return notes.get(RUN) == run and notes.get(WROTE) == self._mark(document)

    def _mark(self, document: Document) -> str:
        return self._fingerprints.of(Secret(json.dumps(document.get("data") or {}, sort_keys=True)))

    def _replace(self, cluster: str, new: dict[str, Any], now: Document | None) -> None:
        """Only what was seen there; a crash between removing and making loses nothing that is not elsewhere."""
        if now is not None and (whole := secrets.in_place(now, new)):
            self._put(cluster, whole)
            return
        namespace, name = new["metadata"]["namespace"], new["metadata"]["name"]
        if now is not None:
            self._delete(cluster, SECRET, name, namespace, _version(now))
        self._create(cluster, SECRET, new, namespace)

    def _at(self, cluster: str, namespace: str, name: str, version: str) -> dict[str, Any]:
        """What is there, if that is still what was looked at."""
        now = self.reader.document(cluster, SECRET, name, namespace)
        if now is None:
            raise Drifted(f"The Secret {namespace}/{name} is not there any more.", LOOK_AGAIN)
        if _version(now) != version:
            raise Drifted(f"Somebody else changed the Secret {namespace}/{name} meanwhile.", LOOK_AGAIN)
        return now

    def _back_up(self, cluster: str, now: Document, run: str) -> None:
        try:
            try:
                self._copy(cluster, now, run)
            except Drifted:  # perhaps an earlier try of ours, whose answer came too late, has just put it there
                self._copy(cluster, now, run)
        except Transient as error:
            error.unheard = False  # it may come late, and changes nothing that anybody uses
            raise

    def _copy(self, cluster: str, now: Document, run: str) -> None:
        """Of what was there before the run wrote: what others wrote after a first try that failed belongs to it."""
        namespace, name = now["metadata"]["namespace"], now["metadata"]["name"]
        there, new = self._backup(cluster, namespace, name), secrets.backup(now, run)
        if there is not None:
            secrets.checked_backup(there, of=name)
        if not secrets.kept_for(there, name, run) or not (self._wrote(now, run) or secrets.alike(there, new)):
            self._replace(cluster, new, there)

    def _put(self, cluster: str, document: Document) -> None:
        namespace, name = document["metadata"]["namespace"], document["metadata"]["name"]
        request = Request("PUT", path(SECRET, namespace, name), body=document)
        self.reader.session(cluster).ask(request, Doing.of("update", SECRET, namespace, name))

    def _create(self, cluster: str, kind: Kind, body: Json, namespace: str) -> None:
        name = str(body.get("metadata", {}).get("name", ""))
        whole = {"apiVersion": f"{kind.group}/{kind.version}".lstrip("/"), "kind": kind.kind, **body}
        request = Request("POST", path(kind, namespace), body=whole)
        self.reader.session(cluster).ask(request, Doing.of("create", kind, namespace, name))

    def _delete(self, cluster: str, kind: Kind, name: str, namespace: str, version: str) -> None:
        options = {"apiVersion": "v1", "kind": "DeleteOptions", "gracePeriodSeconds": 0,
                   "propagationPolicy": "Background"}  # fmt: skip
        body = {**options, "preconditions": {"resourceVersion": version}} if version else options
        request = Request("DELETE", path(kind, namespace, name), body=body)
        self.reader.session(cluster).ask(request, Doing.of("delete", kind, namespace, name), (404,))


def _settled(place: str, attempt: Callable[[], None]) -> None:
    for _ in range(ATTEMPTS):
        try:
            return attempt()
        except Drifted:
            continue  # somebody wrote at the same moment: look at what that was
    raise Transient(f"Somebody else keeps writing the Secret {place}.", "Try again in a minute.")


def _version(document: Document) -> str:
    return str(document["metadata"].get("resourceVersion", ""))
