"""What the bot relies on in OCM's accounts management API. Asked of the stand-in; and of the real one when
HIVEKEEPER_LIVE_OCM_CLUSTER (a cluster's id) and HIVEKEEPER_LIVE_OCM_AUTH (the auth of cloud.openshift.com in its pull
secret) are set, with HIVEKEEPER_LIVE_OCM for another address. Nothing is changed there."""

from __future__ import annotations

import json
import os
import secrets
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass

import httpx
import pytest

from bot.core.secret import Secret
from bot.identity import Ocm
from bot.tools.ocm import TransferApi
from playground.ocm import OcmStandIn
from playground.server import run_in_thread

ADDRESS = os.environ.get("HIVEKEEPER_LIVE_OCM", "https://api.openshift.com")
CLUSTER = os.environ.get("HIVEKEEPER_LIVE_OCM_CLUSTER", "")
AUTH = os.environ.get("HIVEKEEPER_LIVE_OCM_AUTH", "")
API = "/api/accounts_mgmt/v1"
PLACES = ["stand-in, closed", "stand-in, open", *(["live"] if CLUSTER and AUTH else [])]


@dataclass(frozen=True)
class Place:
    """`cluster`: one that the API knows by `auth`. `open`: does a transfer wait for it? None: nobody knows."""

    address: str
    cluster: str
    auth: str
    open: bool | None = None

    def ask(self, *, auth: str | None = None, cluster: str = "", slash: str = "/", equals: str = "+is+",
            more: str = "") -> httpx.Response:  # fmt: skip
        """`auth` "": without any login."""
        who = cluster or self.cluster
        search = f"cluster_uuid{equals}%27{who}%27+and+status{equals}%27accepted%27"
        login = {} if auth == "" else {"Authorization": f"AccessToken {who}:{auth or self.auth}"}
        url = f"{self.address}{API}/cluster_transfers{slash}?search={search}{more}"
        return httpx.get(url, headers={"Content-Type": "application/json", **login}, timeout=60)


@pytest.fixture(scope="module", params=PLACES)
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    if request.param == "live":
        yield Place(ADDRESS.rstrip("/"), CLUSTER, AUTH)
        return
    ocm, waits = OcmStandIn(), request.param.endswith("open")
    made = (str(uuid.uuid4()), secrets.token_hex(12))
    ocm.accept(*made)
    if waits:
        document = json.dumps({"auths": {"cloud.openshift.com": {"auth": secrets.token_hex(12)}}})
        ocm.open_window(made[0], "joe", "jack", document, time.time() + 86_400)
    server = run_in_thread(ocm.app())
    yield Place(server.url, *made, waits)
    server.stop()


def test_the_question_is_answered(place: Place) -> None:
    """With nothing (204, or an empty 200) or with a list, whose items say all that the bot reads."""
    answer = place.ask()
    assert answer.status_code in (200, 204)
    if place.open is not None:
        assert bool(answer.content) == place.open
    if not answer.content:
        return
    listed = answer.json()
    assert (listed["kind"], listed["page"]) == ("ClusterTransferList", 1)
    assert listed["total"] >= listed["size"] == len(listed["items"])
    for item in listed["items"]:
        assert (item["cluster_uuid"], item["status"]) == (place.cluster, "accepted")
        assert all(
            isinstance(item[name], str) for name in ("id", "owner", "recipient", "expiration_date", "updated_at")
        )
        assert isinstance(json.loads(item["secret"])["auths"], dict)


@pytest.mark.parametrize("slash", ["", "/"])
@pytest.mark.parametrize("equals", ["+is+", "%3D", "+%3D+"])
def test_each_spelling_of_the_question_is_understood(slash: str, equals: str, place: Place) -> None:
    """The operator's and the web console's, with and without the slash: the same answer."""
    plain, other = place.ask(), place.ask(slash=slash, equals=equals)
    assert other.status_code == plain.status_code
    assert ids(other) == ids(plain)


def ids(answer: httpx.Response) -> list[str]:
    return [item["id"] for item in answer.json()["items"]] if answer.content else []


def test_pages_can_be_asked_for(place: Place) -> None:
    """As the web console does."""
    answer = place.ask(more="&page=1&size=1&orderBy=updated_at+desc")
    assert answer.status_code == place.ask().status_code
    assert not answer.content or len(answer.json()["items"]) <= 1


def test_without_a_login_nobody_is_answered(place: Place) -> None:
    """401, in OCM's own words: by the `kind` the bot knows that it was OCM."""
    answer = place.ask(auth="")
    assert answer.status_code == 401
    assert isinstance(answer.json()["kind"], str)


def test_a_wrong_token_is_not_accepted(place: Place) -> None:
    """401, as an error of OCM's."""
    answer = place.ask(auth=secrets.token_hex(12))
    assert answer.status_code == 401
    told = answer.json()
    assert (told["kind"], told["id"], told["code"]) == ("Error", "401", "ACCT-MGMT-401")


def test_a_token_does_not_speak_for_another_cluster(place: Place) -> None:
    """Whatever the status, it is a refusal."""
    assert place.ask(cluster=str(uuid.uuid4())).status_code in (401, 403)


def test_the_api_says_that_it_is_there(place: Place) -> None:
    """What `hivekeeper check` asks, without a login: JSON, as a success or as a refusal."""
    answer = httpx.get(f"{place.address}{API}", timeout=60)
    assert answer.status_code in (200, 401, 403)
    assert isinstance(answer.json(), dict)


def test_the_bot_understands_it(place: Place) -> None:
    """A healthy answer, with a document exactly when a transfer waits."""
    found = TransferApi(Ocm(address=place.address)).offered(place.cluster, Secret(place.auth))
    assert found.window.healthy
    assert found.window.reason in ("NoClusterTransfer", "AcceptedClusterTransfer", "UnexpectedData")
    assert place.open is None or (found.document is not None) == place.open
    assert (found.document is None) == (found.window.reason != "AcceptedClusterTransfer")
