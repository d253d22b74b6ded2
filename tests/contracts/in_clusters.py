"""What the contract tests of clusters do with one."""

from __future__ import annotations

import base64
import os
from typing import Any

from bot.clusters import Cluster
from bot.core.kubernetes import SecretObject
from bot.core.secret import Secret
from bot.settings import FromEnv
from bot.tools.fingerprints import KeyedFingerprints
from bot.tools.kubernetes import KubernetesClusters, open_clusters
from tests.kube import Kube

LIVE, ADMIN, CA = (os.environ.get(f"HIVEKEEPER_LIVE_CLUSTER{part}", "") for part in ("", "_ADMIN", "_CA"))
FINGERPRINTS = KeyedFingerprints(Secret("a key for these tests only"))
RUN = {"hivekeeper/run": "r-1"}
BINARY = bytes(range(256))


def opened(place: Kube, token: str) -> KubernetesClusters:
    cluster = Cluster(address=place.url, ca_file=place.ca_file, token=FromEnv(env="T"), timeout=60)
    return open_clusters({"c": cluster}, lambda _: Secret(token), FINGERPRINTS)


def wanted(space: str, name: str, kind: str = "Opaque", **data: str) -> SecretObject:
    return SecretObject(space, name, kind, {key: Secret(value) for key, value in data.items()}, "", 0,
                        {"app.kubernetes.io/managed-by": "hivekeeper"}, RUN)  # fmt: skip


def raw(place: Kube, space: str, name: str) -> dict[str, Any]:
    return place.must("GET", f"/api/v1/namespaces/{space}/secrets/{name}")


def plain(found: SecretObject | None) -> dict[str, str]:
    return {key: value.reveal() for key, value in found.data.items()} if found else {}


def b64(value: bytes | str) -> str:
    return base64.b64encode(value.encode() if isinstance(value, str) else value).decode()


def made(place: Kube, space: str, name: str, **more: Any) -> str:
    """A Secret of somebody else's; its resourceVersion."""
    body = {"type": "Opaque", "data": {"mine": b64("old"), "theirs": b64(BINARY)}, **more}
    metadata = {"name": name, "labels": {"team": "a"}, "annotations": {"note": "b"}}
    path = f"/api/v1/namespaces/{space}/secrets"
    return str(place.must("POST", path, {"metadata": metadata, **body})["metadata"]["resourceVersion"])
