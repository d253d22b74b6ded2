"""A stand-in for OCM's accounts management API: the transfers of clusters to other owners (upstream.md, seed 001).

ocm = OcmStandIn()
ocm.accept(cluster_id, auth)                # the auth of cloud.openshift.com in the cluster's pull secret
ocm.open_window(cluster_id, "joe", "jack", document, closes_at)     # the new pull secret, as text
server = run_in_thread(ocm.app())           # the bot: ocm.address is server.url
ocm.faults.add(Fault(cluster=cluster_id, answer=error(503), times=2))
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import secrets
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from playground.faults import Faults
from playground.ocm_answers import PATH, Answer, error, listed, metadata, search, spelled
from playground.ocm_faults import Fault

HOST = "cloud.openshift.com"
ROLES = {"accepted": "recipient", "declined": "recipient", "rescinded": "owner"}  # who may say so
ORDERS = {"created_at", "updated_at", "id"}
LONGEST_PAGE = 100


@dataclass
class Transfer:
    """`document` is the new pull secret as text, or something else in its place. `changed`: since the epoch."""

    id: str
    cluster: str
    owner: str
    recipient: str
    document: Any
    closes_at: float
    status: str
    created: float
    changed: float

    def item(self, *, secret: bool) -> dict[str, Any]:
        made = {
            "id": self.id, "href": f"{PATH}/cluster_transfers/{self.id}", "kind": "ClusterTransfer",
            "cluster_uuid": self.cluster, "owner": self.owner, "recipient": self.recipient, "status": self.status,
            "expiration_date": spelled(self.closes_at), "created_at": spelled(self.created),
            "updated_at": spelled(self.changed),
        }  # fmt: skip
        return made | ({"secret": self.document} if secret else {})


@dataclass(frozen=True)
class Asked:
    """A line of the request log. `query` as it came; `who`: the cluster or person; `login`: scheme and 8 hex digits of
    its SHA-256."""

    method: str
    path: str
    query: str
    who: str
    login: str
    status: int


class OcmStandIn:
    """`none`: how it says that there is no transfer: status 204, an empty 200, or an empty list. A window that is past
    its end is still shown, as accepted, until `close`."""

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self.none: Literal["204", "blank", "list"] = "204"
        self.faults: Faults[Fault] = Faults()
        self.log: deque[Asked] = deque(maxlen=1000)
        self._now = now
        self._lock = threading.RLock()
        self._clusters: dict[str, str] = {}  # the auth's mark -> its cluster
        self._people: dict[str, str] = {}
        self._transfers: dict[str, Transfer] = {}

    # --- what happens to clusters and their owners ---

    def accept(self, cluster: str, auth: str) -> None:
        """From now on this auth is good for the cluster, beside those that are."""
        with self._lock:
            self._clusters[_mark(auth)] = cluster

    def revoke(self, auth: str) -> None:
        with self._lock:
            self._clusters.pop(_mark(auth), None)

    def person(self, token: str, name: str) -> None:
        """Somebody who may answer transfers, with a Bearer token."""
        with self._lock:
            self._people[_mark(token)] = name

    def propose(self, cluster: str, owner: str, recipient: str, document: Any, closes_at: float) -> str:
        """The owner wants to hand the cluster over, and the recipient has not answered. Its id."""
        now = self._now()
        with self._lock:
            made = Transfer(secrets.token_hex(13), cluster, owner, recipient, document, closes_at, "pending", now, now)
            self._transfers[made.id] = made
        return made.id

    def open_window(self, cluster: str, owner: str, recipient: str, document: Any, closes_at: float) -> str:
        """A transfer was accepted: the new pull secret waits, and its auth is good for the cluster."""
        made = self.propose(cluster, owner, recipient, document, closes_at)
        self._turn(self._transfers[made], "accepted")
        return made

    def close(self, cluster: str, *, auth: str = "") -> None:
        """The cluster's windows are over. `auth`: this old one is no longer good."""
        with self._lock:
            for each in self.accepted(cluster):
                self._turn(each, "completed")
        if auth:
            self.revoke(auth)

    def corrupt(self, cluster: str, document: Any = '{"auths": {"cloud.openshift.com": {"auth": ') -> None:
        """What waits for the cluster is damaged; by default it breaks off."""
        with self._lock:
            for each in self.accepted(cluster):
                each.document, each.changed = document, self._now()

    def accepted(self, cluster: str) -> list[Transfer]:
        with self._lock:
            return [each for each in self._transfers.values() if (each.cluster, each.status) == (cluster, "accepted")]

    def _turn(self, transfer: Transfer, status: str) -> None:
        with self._lock:
            transfer.status, transfer.changed = status, self._now()
            if status == "accepted" and (auth := _auth(transfer.document)):
                self.accept(transfer.cluster, auth)

    # --- over HTTP ---

    def app(self) -> Starlette:
        """The ASGI application."""
        return Starlette(routes=[Route("/{path:path}", self._endpoint, methods=["GET", "PATCH"])])

    async def _endpoint(self, request: Request) -> Response:
        scheme, _, login = request.headers.get("Authorization", "").partition(" ")
        cluster, _, auth = login.partition(":") if scheme == "AccessToken" else ("", "", "")
        fault = self.faults.hit(lambda fault: fault.cluster in ("", cluster))
        if fault:
            await asyncio.sleep(fault.delay)
        body = await request.body()
        answer = (fault.answer if fault else None) or self._answer(request, scheme, cluster, auth or login, body)
        who = cluster or self._people.get(_mark(login), "")
        mark = f"{scheme} {_mark(auth or login)[:8]}"
        self.log.append(Asked(request.method, request.url.path, request.url.query, who, mark, answer.status))
        return answer.response(fault.cut if fault else None)

    def _answer(self, request: Request, scheme: str, cluster: str, auth: str, body: bytes) -> Answer:
        path = "/" + request.path_params["path"].strip("/")
        if path == PATH:
            return metadata()
        with self._lock:
            person = self._people.get(_mark(auth), "") if scheme == "Bearer" else ""
            known = self._clusters.get(_mark(auth)) if scheme == "AccessToken" else None
            if not person and known is None:
                return error(401)
            if known is not None and known != cluster:
                return error(403)
            if path == f"{PATH}/cluster_transfers" and request.method == "GET":
                return self._list(dict(request.query_params), cluster, person)
            if path.startswith(f"{PATH}/cluster_transfers/") and request.method == "PATCH":
                return self._decide(self._transfers.get(path.rpartition("/")[2]), person, body)
        return error(404)

    def _list(self, query: dict[str, str], cluster: str, person: str) -> Answer:
        wanted, order = search(query.get("search", "")), query.get("orderBy", "created_at").split()
        number, size = query.get("page", "1"), query.get("size", str(LONGEST_PAGE))
        if wanted is None or not order or order[0] not in ORDERS or not (number.isdecimal() and size.isdecimal()):
            return error(400)
        mine = [
            each.item(secret=not person)
            for each in self._transfers.values()
            if (person in (each.owner, each.recipient) if person else each.cluster == cluster)
        ]
        found = sorted(filter(wanted, mine), key=lambda item: str(item[order[0]]), reverse=order[-1].lower() == "desc")
        if not found and self.none != "list":
            return Answer(204) if self.none == "204" else Answer(200)
        return listed(found, max(int(number), 1), min(int(size), LONGEST_PAGE))

    def _decide(self, transfer: Transfer | None, person: str, body: bytes) -> Answer:
        try:
            status = json.loads(body)["status"]
        except (ValueError, KeyError, TypeError):
            return error(400)
        if not isinstance(status, str) or status not in ROLES:
            return error(400)
        if transfer is None or person not in (transfer.owner, transfer.recipient):
            return error(404)
        if getattr(transfer, ROLES[status]) != person:
            return error(403)
        if transfer.status != "pending":
            return error(409)
        self._turn(transfer, status)
        return Answer(200, transfer.item(secret=False))


def _mark(auth: str) -> str:
    return hashlib.sha256(auth.encode("utf-8", "surrogatepass")).hexdigest()


def _auth(document: Any) -> str:
    """The auth for OCM itself that a pull secret holds, "" if it holds none."""
    try:
        auth = json.loads(document)["auths"][HOST]["auth"]
    except (ValueError, KeyError, TypeError):
        return ""
    return auth if isinstance(auth, str) else ""
