"""Events of a played cluster: the same thing again is counted, not told twice, and after an hour it is forgotten."""

from __future__ import annotations

import secrets
from typing import Any

from playground.kubernetes_kinds import EVENT
from playground.kubernetes_store import Store, spelled

LIFE = 3600.0  # seconds


def tell(
    store: Store, about: dict[str, Any], reason: str, message: str, *, by: str, node: str = "", warning: bool = False,
    place: str = "",
) -> None:  # fmt: skip
    """`about`: the object; `place`: the part of it, such as spec.containers{web}."""
    metadata, now = about["metadata"], spelled(store.now())
    kind = "Warning" if warning else "Normal"
    involved = {"kind": about["kind"], "namespace": metadata["namespace"], "name": metadata["name"],
                "uid": metadata["uid"], "apiVersion": about["apiVersion"]}  # fmt: skip
    involved |= {"fieldPath": place} if place else {}
    with store.lock:
        for event in store.each(EVENT, metadata["namespace"]):
            if (event["involvedObject"], event["reason"], event["message"]) == (involved, reason, message):
                store.replace(EVENT, {**event, "count": event["count"] + 1, "lastTimestamp": now})
                return
        name = f"{metadata['name']}.{secrets.token_hex(8)}"
        source = {"component": by, **({"host": node} if node else {})}
        store.add(EVENT, {
            "metadata": {"name": name, "namespace": metadata["namespace"]}, "involvedObject": involved,
            "reason": reason, "message": message, "source": source, "firstTimestamp": now, "lastTimestamp": now,
            "count": 1, "type": kind, "eventTime": None, "reportingComponent": "", "reportingInstance": "",
        })  # fmt: skip


def forget(store: Store) -> None:
    """What has not happened for an hour."""
    oldest = spelled(store.now() - LIFE)
    with store.lock:
        for event in [event for event in store.each(EVENT) if event.get("lastTimestamp", oldest) < oldest]:
            store.remove(EVENT, event["metadata"]["name"], event["metadata"]["namespace"])
