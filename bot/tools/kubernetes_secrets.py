"""A Secret's JSON and back, and the Secret beside it that keeps what it was. Neighbours stay byte for byte as they are:
what is merged is merged in base64.

A value that is no UTF-8 text comes as surrogate escapes, and goes back as the same bytes.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from bot.core.errors import Refused, Transient
from bot.core.kubernetes import Kind, SecretObject
from bot.core.secret import Secret
from bot.tools.kubernetes_told import misshapen

Document = Mapping[str, Any]

SECRET = Kind(group="", version="v1", plural="secrets", kind="Secret")
RUN = "hivekeeper/run"
WROTE = "hivekeeper/wrote"  # keyed fingerprint of what the run left there: nothing else is ever put back
BACKUP_OF = "hivekeeper/backup-of"
KEPT = "hivekeeper/kept"  # of a backup: the labels and annotations that the Secret had, as JSON
MANAGED = {"app.kubernetes.io/managed-by": "hivekeeper"}


def read(document: Document, where: str) -> SecretObject:
    """Transient when it is not what the API promises."""
    metadata = document.get("metadata")
    if document.get("kind") != "Secret" or not isinstance(metadata, dict):
        raise misshapen(where)
    name, namespace, version = (metadata.get(key) for key in ("name", "namespace", "resourceVersion"))
    kind, created = document.get("type"), _seconds(metadata.get("creationTimestamp"))
    data = {key: _decoded(value) for key, value in _strings(document.get("data")).items()}
    known = [value for value in data.values() if value is not None]
    if not (isinstance(name, str) and isinstance(namespace, str) and isinstance(version, str)
            and isinstance(kind, str) and created is not None and len(known) == len(data)):  # fmt: skip
        raise misshapen(where)
    return SecretObject(
        namespace, name, kind, {key: Secret(value) for key, value in data.items() if value is not None}, version,
        created, _strings(metadata.get("labels")), annotations_of(document),
    )  # fmt: skip


def made(wanted: SecretObject) -> dict[str, Any]:
    """A new one."""
    metadata = {"name": wanted.name, "namespace": wanted.namespace, "labels": dict(wanted.labels),
                "annotations": dict(wanted.annotations)}  # fmt: skip
    return _document(metadata, wanted.type, _encoded(wanted.data))


def merged(now: Document, wanted: SecretObject, *, keep: bool) -> dict[str, Any]:
    """What is there, with what is wanted put into it; with `keep` its other keys stay."""
    metadata = dict(now["metadata"])
    was = (_strings(metadata.get("labels")), annotations_of(now), _strings(now.get("data"))) if keep else ({}, {}, {})
    metadata["labels"] = {**was[0], **wanted.labels}
    metadata["annotations"] = {**was[1], **wanted.annotations}
    return {**now, "metadata": metadata, "data": {**was[2], **_encoded(wanted.data)}}


def backup(now: Document, name: str) -> dict[str, Any]:
    """A copy under that name. The labels are not the copy's own: what selects by them must not find it twice."""
    was = now["metadata"]
    kept = json.dumps({"labels": _strings(was.get("labels")), "annotations": annotations_of(now)})
    metadata = {"name": name, "namespace": was["namespace"], "labels": dict(MANAGED),
                "annotations": {BACKUP_OF: was["name"], KEPT: kept}}  # fmt: skip
    return _document(metadata, str(now["type"]), dict(_strings(now.get("data"))))


def checked_backup(document: Document, of: str) -> Document:
    """Refused for a Secret that somebody else made."""
    if annotations_of(document).get(BACKUP_OF) != of:
        raise Refused(
            f"The Secret {_place(document)} is where the backup of {of} goes, but is not one.",
            "Rename or remove it, then try again.",
        )
    return document


def restored(kept: Document, now: Document | None) -> dict[str, Any]:
    """What a backup holds, in the place of what is there now; `now` None: to be made anew. A Secret of another type
    cannot be replaced: it has to be removed first, and this is given None."""
    labels, notes = _kept(kept)
    own = {"name": annotations_of(kept)[BACKUP_OF], "namespace": kept["metadata"]["namespace"]}
    metadata = {**(now["metadata"] if now else own), "labels": labels, "annotations": notes}
    return {**(now or {}), **_document(metadata, str(kept["type"]), dict(_strings(kept.get("data"))))}


def annotations_of(document: Document) -> dict[str, str]:
    metadata = document.get("metadata")
    return _strings(metadata.get("annotations")) if isinstance(metadata, dict) else {}


def _kept(backup: Document) -> tuple[dict[str, str], dict[str, str]]:
    try:
        kept = json.loads(annotations_of(backup).get(KEPT, ""))
    except ValueError:
        kept = None
    if not isinstance(kept, dict):
        raise Transient(f"The backup {_place(backup)} cannot be read.", "Somebody changed it: put it back by hand.")
    return _strings(kept.get("labels")), _strings(kept.get("annotations"))


def _document(metadata: dict[str, Any], kind: str, data: dict[str, str]) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": kind, "data": data}


def _place(document: Document) -> str:
    return f"{document['metadata']['namespace']}/{document['metadata']['name']}"


def _strings(found: Any) -> dict[str, str]:
    """Only what is text, as all of it should be."""
    return {key: value for key, value in found.items() if isinstance(value, str)} if isinstance(found, dict) else {}


def _encoded(data: Mapping[str, Secret]) -> dict[str, str]:
    return {key: base64.b64encode(_bytes(value.reveal())).decode() for key, value in data.items()}


def _bytes(text: str) -> bytes:
    """The error of an encoder carries the whole text: it must not be raised from here."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")  # half a character, which no decoder of ours gave


def _decoded(text: str) -> str | None:
    try:
        return base64.b64decode(text, validate=True).decode("utf-8", "surrogateescape")
    except (binascii.Error, ValueError):
        return None


def _seconds(stamp: Any) -> float | None:
    try:
        moment = datetime.fromisoformat(stamp) if isinstance(stamp, str) else None
    except ValueError:
        return None
    return moment.timestamp() if moment and moment.tzinfo else None
