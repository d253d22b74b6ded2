"""What the bot relies on in Kubernetes to tell who a token is.

Always asked of the stand-in, new and old; of a real API server 1.20 where ../shared/tools/kube-apiserver can build one
(slow); and of your own when HIVEKEEPER_LIVE_CLUSTER (its address) and HIVEKEEPER_LIVE_CLUSTER_TOKEN (a service
account's) are set, with HIVEKEEPER_LIVE_CLUSTER_CA for its CA file. It only reads.
"""

from __future__ import annotations

import base64
import os
import secrets
import ssl
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from bot.core.errors import Refused
from bot.core.secret import Secret
from bot.settings import Cluster
from bot.tools.cluster import Clusters
from playground.cluster import ClusterStandIn
from playground.server import run_in_thread

BUILD = Path(__file__).parents[3] / "shared" / "tools" / "kube-apiserver"
LIVE, LIVE_TOKEN, LIVE_CA = (os.environ.get(f"HIVEKEEPER_LIVE_CLUSTER{part}", "") for part in ("", "_TOKEN", "_CA"))
NAME = "system:serviceaccount:hive:hive-frontend"
PLACES: list[Any] = ["stand-in", "old stand-in"]
if BUILD.exists():  # its first build takes four minutes
    PLACES.append(pytest.param("kube-apiserver", marks=[pytest.mark.slow, pytest.mark.timeout(900)]))
if LIVE and LIVE_TOKEN:
    PLACES.append("live")


@dataclass
class Place:
    """A cluster to ask, a token it accepts, and what it calls its owner (None: it cannot say; "": we cannot know)."""

    url: str
    token: str = field(repr=False)
    name: str | None
    ca_file: Path | None = None
    revoke: Callable[[], None] | None = None

    @property
    def clusters(self) -> Clusters:
        return Clusters({"hive": Cluster(address=self.url, ca_file=self.ca_file)})

    def get(self, path: str, token: str | None) -> httpx.Response:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        with httpx.Client(trust_env=False, verify=trusting(self.ca_file)) as client:
            return client.get(self.url + path, headers=headers)


@pytest.fixture(scope="module", params=PLACES)
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    if request.param == "live":
        yield Place(LIVE.rstrip("/"), LIVE_TOKEN, "", Path(LIVE_CA) if LIVE_CA else None)
    elif request.param == "kube-apiserver":
        yield from api_server(request.getfixturevalue("kube"))
    else:
        yield from stand_in(reviews=request.param == "stand-in")


def stand_in(*, reviews: bool) -> Iterator[Place]:
    cluster, token = ClusterStandIn(reviews=reviews), secrets.token_hex()
    cluster.accept(token, NAME)
    server = run_in_thread(cluster.app())
    yield Place(server.url, token, NAME if reviews else None, revoke=lambda: cluster.revoke(token))
    server.stop()


def test_a_service_account_is_known(place: Place) -> None:
    """The bot is told the account's name where the cluster knows SelfSubjectReview, and that it is accepted elsewhere."""
    name = place.clusters.who("hive", Secret(place.token)).name
    assert name == place.name if place.name != "" else name is None or name.startswith("system:")


def test_any_other_token_is_refused(place: Place) -> None:
    """A made-up token, and the right one with its end cut off, are 401 and Refused."""
    for token in (secrets.token_hex(), place.token[:-3]):
        with pytest.raises(Refused, match=r"does not accept the token \(401\)"):
            place.clusters.who("hive", Secret(token))


def test_the_answers_themselves(place: Place) -> None:
    """/apis lists the groups for whom the cluster accepts; 401 with a Status otherwise; nobody is 401 or 403."""
    told = place.get("/apis", place.token)
    assert (told.status_code, told.json()["kind"]) == (200, "APIGroupList")
    refused = place.get("/apis", "nobodys")
    assert (refused.status_code, refused.json()["kind"], refused.json()["code"]) == (401, "Status", 401)
    assert place.get("/apis", None).status_code in (401, 403)


def test_a_revoked_token_is_refused(place: Place) -> None:
    """Last, where we may: once the token's secret is gone the cluster refuses it."""
    if place.revoke is None:
        return
    place.revoke()
    wait(lambda: place.get("/apis", place.token).status_code == 401, 40)  # it keeps what it accepted for ten seconds
    with pytest.raises(Refused):
        place.clusters.who("hive", Secret(place.token))


def api_server(kube: Any) -> Iterator[Place]:
    token, revoke = legacy_token(kube)
    yield Place(kube.url, token, None, kube.ca_file, revoke)


def legacy_token(kube: Any) -> tuple[str, Callable[[], None]]:
    """The token that a cluster before 1.24 makes by itself for each new service account, and how to revoke it."""
    held = f"/api/v1/namespaces/{kube.namespace('hive')}/secrets"
    kube.account("hive", "hive-frontend")

    def secret() -> dict[str, Any] | None:
        items = kube.must("GET", held)["items"]
        return next((i for i in items if i["metadata"]["name"].startswith("hive-frontend-token-")), None)

    wait(lambda: secret() is not None, 60)
    made = secret()
    assert made is not None
    token = base64.b64decode(made["data"]["token"]).decode()
    return token, lambda: kube.must("DELETE", f"{held}/{made['metadata']['name']}") and None


def trusting(ca: Path | None) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(ca) if ca else None)


def wait(done: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.05)
