"""A Secret's JSON and back, and the Secret beside it that keeps what it was. Neighbours stay byte for byte as they are:
what is merged is merged in base64.

A value that is no UTF-8 text comes as surrogate escapes, and goes back as the same bytes.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from bot.core.errors import Refused, Transient
from bot.core.kubernetes import Kind, SecretObject, backup_name
from bot.core.secret import Secret
from bot.tools.kubernetes_told import misshapen

Document = Mapping[str, Any]

SECRET = Kind(group="", version="v1", plural="secrets", kind="Secret")
RUN = "hivekeeper/run"  # which wrote it; of a backup: which keeps it
WROTE = "hivekeeper/wrote"  # keyed fingerprint of what the run left there: nothing else is ever put back
BACKUP_OF = "hivekeeper/backup-of"
KEPT = "hivekeeper/kept"  # of a backup: the labels and annotations that the Secret had, as JSON
RUN_ID = re.compile(r"[a-z0-9-]{1,63}")
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


def backup(now: Document, run: str) -> dict[str, Any]:
    """A copy for that run. The labels are not the copy's own: what selects by them must not find it twice."""
    was = now["metadata"]
    kept = json.dumps({"labels": _strings(was.get("labels")), "annotations": annotations_of(now)})
    metadata = {"name": backup_name(was["name"]), "namespace": was["namespace"], "labels": dict(MANAGED),
                "annotations": {BACKUP_OF: was["name"], RUN: run, KEPT: kept}}  # fmt: skip
    return _document(metadata, str(now["type"]), dict(_strings(now.get("data"))))


def checked_backup(document: Document, of: str) -> Document:
    """Refused for a Secret that somebody else made."""
    if annotations_of(document).get(BACKUP_OF) != of:
        raise Refused(
            f"The Secret {_place(document)} is where the backup of {of} goes, but is not one.",
            "Rename or remove it, then try again.",
        )
    return document


def kept_for(document: Document | None, of: str, run: str) -> bool:
    """Is this that run's backup?"""
    notes = annotations_of(document) if document else {}
    return (notes.get(BACKUP_OF), notes.get(RUN)) == (of, run)


def alike(one: Document | None, other: Document) -> bool:
    """Would both be put back as the same?"""
    known = [
        (each.get("type"), _strings(each.get("data")), annotations_of(each).get(KEPT)) for each in (one or {}, other)
    ]
    return known[0] == known[1]


def outlived(document: Document, of: str, run: str) -> Refused | None:
    """The refusal to put back, when this is a later run's backup: one of what that run wrote."""
    notes = annotations_of(document)
    wrote = _strings((_noted(document) or {}).get("annotations")).get(RUN)
    if notes.get(BACKUP_OF) != of or notes.get(RUN) == run or wrote != run:
        return None
    later = f"Run {notes[RUN]}" if RUN_ID.fullmatch(notes.get(RUN, "")) else "Another run"
    return Refused(
        f"{later} has worked on the Secret {document['metadata']['namespace']}/{of} since, and its backup took the "
        "place of this run's: what was there before is not kept any more.",
        "Look whether what is in the Secret now is right; if not, ask for a new plan.",
    )


def restored(kept: Document) -> dict[str, Any]:
    """What a backup holds, as it was."""
    labels, notes = _kept(kept)
    metadata = {"name": annotations_of(kept)[BACKUP_OF], "namespace": kept["metadata"]["namespace"],
                "labels": labels, "annotations": notes}  # fmt: skip
    return _document(metadata, str(kept["type"]), dict(_strings(kept.get("data"))))


def in_place(now: Document, new: Document) -> dict[str, Any] | None:
    """`new` at the version of what is there now; None when that has to be removed first, for a type cannot be changed
    and what is immutable not at all."""
    if now.get("type") != new.get("type") or now.get("immutable") is True:
        return None
    return {**now, **new, "metadata": {**now["metadata"], **new["metadata"]}}


def annotations_of(document: Document) -> dict[str, str]:
    metadata = document.get("metadata")
    return _strings(metadata.get("annotations")) if isinstance(metadata, dict) else {}


def _kept(backup: Document) -> tuple[dict[str, str], dict[str, str]]:
    kept = _noted(backup)
    if kept is None:
        raise Transient(f"The backup {_place(backup)} cannot be read.", "Somebody changed it: put it back by hand.")
    return _strings(kept.get("labels")), _strings(kept.get("annotations"))


def _noted(backup: Document) -> dict[str, Any] | None:
    try:
        kept = json.loads(annotations_of(backup).get(KEPT, ""))
    except ValueError:
        return None
    return kept if isinstance(kept, dict) else None


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
