"""Faults, hooks and the log of the Kubernetes stand-in, over HTTP."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from playground.kubernetes import KubernetesStandIn, serve
from playground.kubernetes_faults import Fault, broken, busy
from playground.kubernetes_kinds import SECRET

SECRETS = "/api/v1/namespaces/hive/secrets"
ACCESS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
BODY = {"metadata": {"name": "s"}, "type": "Opaque", "data": {}}


@pytest.fixture
def served() -> Iterator[tuple[KubernetesStandIn, httpx.Client]]:
    with serve() as (cluster, server):
        cluster.namespace("hive")
        headers = {"Authorization": f"Bearer {cluster.admin}"}
        with httpx.Client(base_url=server.url, headers=headers, trust_env=False, timeout=60) as client:
            yield cluster, client


def test_faults_hit_what_was_ordered(served: tuple[KubernetesStandIn, httpx.Client]) -> None:
    """A fault of one verb and resource hits so many of those requests and no others; `heal` ends `down`."""
    cluster, client = served
    cluster.faults.add(Fault("create", "secrets", times=1, answer=busy(7)))
    assert client.get(SECRETS).status_code == 200
    limited = client.post(SECRETS, json=BODY)
    assert (limited.status_code, limited.headers["Retry-After"]) == (429, "7")
    assert client.post(SECRETS, json=BODY).status_code == 201
    cluster.faults.add(Fault("update", answer=broken()))
    assert client.put(f"{SECRETS}/s", json=BODY).status_code == 500
    cluster.down()
    assert client.get("/version").status_code == 503
    cluster.heal()
    assert client.get("/version").json()["gitVersion"] == "v1.33.1"


def test_an_answer_that_is_lost_was_done(served: tuple[KubernetesStandIn, httpx.Client]) -> None:
    """`cut` closes the connection after what was asked has been done."""
    cluster, client = served
    cluster.faults.add(Fault("create", "secrets", times=1, cut=0))
    with pytest.raises(httpx.HTTPError):
        client.post(SECRETS, json=BODY)
    assert cluster.get(SECRET, "s", "hive") is not None


def test_hooks_are_called_around_a_write(served: tuple[KubernetesStandIn, httpx.Client]) -> None:
    """Before it is stored and after, for writes only, and never for questions about oneself."""
    cluster, client = served
    seen: list[tuple[str, str, bool]] = []
    cluster.on_write = lambda entry, when: seen.append((entry.verb, when, cluster.get(SECRET, "s", "hive") is not None))
    client.get(SECRETS)
    client.post(ACCESS, json={"spec": {"resourceAttributes": {"verb": "get", "resource": "secrets"}}})
    client.post(SECRETS, json=BODY)
    assert seen == [("create", "before", False), ("create", "after", True)]


def test_the_log_shows_fingerprints_only(served: tuple[KubernetesStandIn, httpx.Client], canary: Any) -> None:
    """Each request is a line with verb, path, status, who, and the keys of a Secret with a fingerprint."""
    cluster, client = served
    canary.watch("the log", lambda: repr(cluster.log))
    value = base64.b64encode(canary("value").encode()).decode()
    client.post(SECRETS, json={"metadata": {"name": "s"}, "data": {"key": value}})
    entry = cluster.log[-1]
    assert (entry.verb, entry.path, entry.status, entry.user) == ("create", SECRETS, 201, "admin")
    assert [*entry.fields] == ["key"]
    assert len(entry.fields["key"]) == 8
