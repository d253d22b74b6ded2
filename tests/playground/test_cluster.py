"""The cluster stand-in answers as an API server does. What the bot relies on is in contracts/."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from playground.cluster import REVIEWS, ClusterStandIn
from playground.server import run_in_thread


@pytest.fixture
def cluster() -> Iterator[tuple[ClusterStandIn, httpx.Client]]:
    stand_in = ClusterStandIn()
    server = run_in_thread(stand_in.app())
    with httpx.Client(base_url=server.url, trust_env=False) as client:
        yield stand_in, client
    server.stop()


def test_tokens_come_and_go(cluster: tuple[ClusterStandIn, httpx.Client], canary: Any) -> None:
    """A token is somebody from `accept` to `revoke`; the log and `accepted` show it by fingerprint only."""
    stand_in, client = cluster
    token = canary("token")
    canary.watch("the log", lambda: repr((stand_in.log, stand_in.accepted(), vars(stand_in))))
    headers = {"Authorization": f"Bearer {token}"}
    assert client.post(REVIEWS, headers=headers).status_code == 401
    stand_in.accept(token, "system:serviceaccount:hive:hive-frontend")
    told = client.post(REVIEWS, headers=headers).json()
    assert told["status"]["userInfo"]["username"] == "system:serviceaccount:hive:hive-frontend"
    assert list(stand_in.accepted().values()) == ["system:serviceaccount:hive:hive-frontend"]
    stand_in.revoke(token)
    refused = client.get("/apis", headers=headers)
    assert (refused.status_code, refused.json()["kind"], refused.json()["reason"]) == (401, "Status", "Unauthorized")


def test_nobody_may_see_the_version_only(cluster: tuple[ClusterStandIn, httpx.Client]) -> None:
    """Without a token there is /version, and 403 for the rest."""
    _, client = cluster
    assert client.get("/version").json()["major"] == "1"
    assert client.get("/apis").status_code == 403


def test_an_old_cluster_knows_no_reviews(cluster: tuple[ClusterStandIn, httpx.Client], canary: Any) -> None:
    """Before 1.28 the review is 404 and the groups are still there."""
    stand_in, client = cluster
    token = canary("token")
    stand_in.reviews = False
    stand_in.accept(token, "somebody")
    headers = {"Authorization": f"Bearer {token}"}
    assert client.post(REVIEWS, headers=headers).status_code == 404
    assert client.get("/apis", headers=headers).json()["kind"] == "APIGroupList"
