"""The stand-in for OCM: whose tokens are good, who may answer a transfer, and its faults."""

from __future__ import annotations

import json
import secrets
import time
import uuid
from collections.abc import Iterator

import httpx
import pytest

from playground.ocm import OcmStandIn
from playground.ocm_answers import error, page, search
from playground.ocm_faults import Fault
from playground.server import run_in_thread

TRANSFERS = "/api/accounts_mgmt/v1/cluster_transfers"
CLUSTER = str(uuid.uuid4())


@pytest.fixture
def ocm() -> OcmStandIn:
    return OcmStandIn()


@pytest.fixture
def client(ocm: OcmStandIn) -> Iterator[httpx.Client]:
    server = run_in_thread(ocm.app())
    with httpx.Client(base_url=server.url) as made:
        yield made
    server.stop()


def as_cluster(auth: str, cluster: str = CLUSTER) -> dict[str, str]:
    return {"Authorization": f"AccessToken {cluster}:{auth}"}


def document(auth: str) -> str:
    return json.dumps({"auths": {"cloud.openshift.com": {"auth": auth}}})


def test_a_transfer_goes_from_the_owner_to_the_recipient(ocm: OcmStandIn, client: httpx.Client) -> None:
    """Proposed, it is nobody's window; only the recipient may accept it, once; then the cluster finds it, the new auth
    is good, and after its end the old one no longer is."""
    old, new = secrets.token_hex(8), secrets.token_hex(8)
    ocm.accept(CLUSTER, old)
    people = {name: {"Authorization": f"Bearer {name}"} for name in ("joe", "jack", "eve")}
    for name in people:
        ocm.person(name, name)
    made = ocm.propose(CLUSTER, "joe", "jack", document(new), time.time() + 60)
    asked = {"search": f"cluster_uuid is '{CLUSTER}' and status is 'accepted'"}
    assert client.get(TRANSFERS, params=asked, headers=as_cluster(old)).status_code == 204
    answers = {"joe": 403, "eve": 404, "jack": 200}
    for name, status in answers.items():
        told = client.patch(f"{TRANSFERS}/{made}", json={"status": "accepted"}, headers=people[name])
        assert told.status_code == status
        assert "secret" not in told.json()
    again = client.patch(f"{TRANSFERS}/{made}", json={"status": "declined"}, headers=people["jack"])
    assert (again.status_code, again.json()["code"]) == (409, "ACCT-MGMT-409")
    (item,) = client.get(TRANSFERS, params=asked, headers=as_cluster(new)).json()["items"]
    assert (item["id"], item["secret"]) == (made, document(new))
    ocm.close(CLUSTER, auth=old)
    assert client.get(TRANSFERS, params=asked, headers=as_cluster(new)).status_code == 204
    assert client.get(TRANSFERS, params=asked, headers=as_cluster(old)).status_code == 401


def test_people_see_their_own_without_secrets(ocm: OcmStandIn, client: httpx.Client) -> None:
    """As the web console asks: by recipient or owner, newest first, in pages."""
    made = [ocm.open_window(CLUSTER, owner, "jack", document("x"), 0) for owner in ("joe", "jack", "eve")]
    ocm.propose(CLUSTER, "joe", "eve", document("x"), 0)
    ocm.person("word", "jack")
    asked = {"search": "recipient='jack' OR owner='jack'", "orderBy": "updated_at desc", "page": "1", "size": "2"}
    told = client.get(TRANSFERS, params=asked, headers={"Authorization": "Bearer word"}).json()
    assert (told["total"], told["size"]) == (3, 2)
    assert {item["id"] for item in told["items"]} < set(made)
    assert not any("secret" in item for item in told["items"])


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"status": "completed"}', b'{"status": ["accepted"]}'])
def test_an_answer_that_is_none_is_refused(body: bytes, ocm: OcmStandIn, client: httpx.Client) -> None:
    """400, and the transfer stays as it is."""
    made = ocm.propose(CLUSTER, "joe", "jack", document("x"), 0)
    ocm.person("word", "jack")
    told = client.patch(f"{TRANSFERS}/{made}", content=body, headers={"Authorization": "Bearer word"})
    assert told.status_code == 400
    assert not ocm.accepted(CLUSTER)


@pytest.mark.parametrize(
    "text", ["cluster_uuid", "cluster_uuid is x", "secret is 'x'", "id='x' and", "a='b' or id='c'"]
)
def test_a_search_that_is_none(text: str, ocm: OcmStandIn, client: httpx.Client) -> None:
    """400, so that a mistake in ours is not taken for a closed window."""
    assert search(text) is None
    ocm.accept(CLUSTER, "word")
    assert client.get(TRANSFERS, params={"search": text}, headers=as_cluster("word")).status_code == 400


def test_faults_hit_whom_they_are_meant_for(ocm: OcmStandIn, client: httpx.Client) -> None:
    """One cluster's, so many times, the newest first; then everything is as it was."""
    other = str(uuid.uuid4())
    ocm.accept(CLUSTER, "word"), ocm.accept(other, "other")
    ocm.faults.add(Fault(answer=page(503), times=1))
    ocm.faults.add(Fault(cluster=CLUSTER, answer=error(500), times=1))
    told = [client.get(TRANSFERS, headers=as_cluster("word")).status_code for _ in range(3)]
    assert told == [500, 503, 204]
    ocm.open_window(CLUSTER, "joe", "jack", document("x"), 0)
    ocm.faults.add(Fault(cluster=CLUSTER, cut=3))
    with pytest.raises(httpx.RemoteProtocolError):
        client.get(TRANSFERS, headers=as_cluster("word"))
    assert client.get(TRANSFERS, headers=as_cluster("other", other)).status_code == 204
    ocm.faults.clear()
    assert client.get(TRANSFERS, headers=as_cluster("word")).status_code == 200


def test_the_log_holds_no_token(ocm: OcmStandIn, client: httpx.Client) -> None:
    """Who asked what; the login only by its mark."""
    word = secrets.token_hex(8)
    ocm.accept(CLUSTER, word)
    client.get(TRANSFERS, headers=as_cluster(word))
    (asked,) = ocm.log
    assert (asked.who, asked.status, asked.login.split()[0]) == (CLUSTER, 204, "AccessToken")
    assert word not in repr(asked)
