"""Clusters for the contract tests. Always the stand-in; a real API server 1.20 where ../shared/tools/kube-apiserver can
build one (slow); and your own when HIVEKEEPER_LIVE_CLUSTER (its address) and HIVEKEEPER_LIVE_CLUSTER_ADMIN (the token of
somebody who may do everything) are set, with HIVEKEEPER_LIVE_CLUSTER_CA for its CA file. There, namespaces of random
names are made and removed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bot.tools.kubernetes import KubernetesClusters
from playground import kubernetes as playing
from tests.contracts.in_clusters import ADMIN, CA, LIVE, opened
from tests.kube import BUILD, Kube

PLACES: list[Any] = ["stand-in"]
if BUILD.exists():  # its first build takes four minutes
    PLACES.append(pytest.param("kube-apiserver", marks=[pytest.mark.slow, pytest.mark.timeout(900)]))
if LIVE and ADMIN:
    PLACES.append("live")
SECRETS = {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get", "create", "update", "delete"]}
OTHERS = {"apiGroups": [""], "resources": ["configmaps", "serviceaccounts", "pods"],
          "verbs": ["get", "list", "create", "patch", "delete"]}  # fmt: skip
APPS = {"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["get", "list", "patch"]}


@pytest.fixture(scope="module", params=PLACES)
def place(request: pytest.FixtureRequest) -> Iterator[Kube]:
    if request.param == "stand-in":
        with playing.serve() as (cluster, server):
            yield Kube(server.url, cluster.admin)
    elif request.param == "kube-apiserver":
        yield request.getfixturevalue("kube")
    else:
        live = Kube(LIVE.rstrip("/"), ADMIN, Path(CA) if CA else None)
        yield live
        live.clear()


@pytest.fixture(scope="module")
def space(place: Kube) -> str:
    return place.namespace()


@pytest.fixture(scope="module")
def bot(place: Kube, space: str) -> KubernetesClusters:
    return opened(place, place.account(space, rules=[SECRETS, OTHERS, APPS]))


@pytest.fixture(scope="module")
def limited(place: Kube, space: str) -> KubernetesClusters:
    """May only get Secrets."""
    return opened(place, place.account(space, "limited", rules=[{**SECRETS, "verbs": ["get"]}]))
