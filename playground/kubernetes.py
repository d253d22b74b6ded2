"""A stand-in for a Kubernetes API server: its REST API in miniature, in memory, on the real wire protocol.

    with serve() as (cluster, server):
        cluster.tokens.accept("t", "system:serviceaccount:hive:bot")          # a bearer token is somebody
        cluster.rules.grant("system:serviceaccount:hive:bot",                 # … who may something
                            [{"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]}], namespace="hive")
        cluster.namespace("hive")
        cluster.put(SECRET, {"metadata": {"name": "s", "namespace": "hive"}, "type": "Opaque", "data": {}})
        httpx.get(server.url + "/api/v1/namespaces/hive/secrets/s", headers={"Authorization": "Bearer t"})

`cluster.admin` is the token of somebody who may do everything, so all that can be done to a real cluster over HTTP can
be done to this one: namespaces, Secrets, ConfigMaps, pods (with /status and /binding), Events, service accounts (with
/token: the TokenRequest API), nodes, Deployments, ReplicaSets, roles and bindings (rights are looked up in the stored
objects), ClusterVersions, ClusterOperators, MachineConfigPools and what CustomResourceDefinitions define. Get, list
(pages, label and field selectors), create, update, patch (merge, strategic), delete (with preconditions),
SelfSubjectAccessReview, SelfSubjectReview, discovery. No watch, no server-side apply, no JSON patch, no
deletecollection. It does nothing by itself: what controllers and kubelets do is `playground.cluster_life`.

To break it: `deny`, `down`, `slow`, `faults`, `expire_continues`; `heal` undoes all of that. `on_write` is called
before and after something is stored, and may block or kill. `log` tells what was asked, without values.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from playground import kubernetes_kinds as kinds
from playground import kubernetes_reviews as reviews
from playground.cut_answers import answered
from playground.faults import Faults
from playground.kubernetes_answers import (
    Answer,
    Asked,
    Entry,
    Failure,
    Json,
    fingerprints,
    forbidden,
    no_page,
    not_allowed,
    unauthorized,
    unknown,
)
from playground.kubernetes_checks import decoded
from playground.kubernetes_faults import Fault, unavailable
from playground.kubernetes_kinds import ACCESS, DEFINITION, KINDS, MACHINES, NAMESPACE, REVIEWS, SERVICE_ACCOUNT, Kind
from playground.kubernetes_objects import Objects
from playground.kubernetes_paths import Target, target
from playground.kubernetes_rules import MASTERS, OPEN, Access, Rules, Tokens, User
from playground.kubernetes_store import Store
from playground.server import Server, run_in_thread

OnWrite = Callable[[Entry, str], None]  # (what, "before" | "after" it was stored; before it is status 0)
READS = ("get", "list", "watch")
FIRST_REVIEWS = 28  # minor version since which there is SelfSubjectReview


class KubernetesStandIn:
    """One cluster. `hosted`: its control plane is elsewhere, so it knows no MachineConfigPools. `now`: seconds since
    the epoch, for times of creation and the life of tokens."""

    def __init__(self, *, version: str = "v1.33.1", hosted: bool = False, now: Callable[[], float] = time.time) -> None:
        self.version = version
        self.kinds = tuple(kind for kind in KINDS if not (hosted and kind.group == MACHINES))
        self.store = Store(now)
        self.tokens = Tokens()
        self.rules = Rules(self.store)
        self.faults: Faults[Fault] = Faults()
        self.admin = secrets.token_hex(16)
        self.tokens.accept(self.admin, "admin", (MASTERS,))
        self.on_write: OnWrite | None = None
        self.on_request: Callable[[Entry], None] | None = None
        self.log: deque[Entry] = deque(maxlen=5000)
        self._objects = Objects(self.store)
        self._count = 0
        for name in ("default", "kube-system"):
            self.namespace(name)
        for kind in (kind for kind in self.kinds if kind.custom):
            self.store.add(DEFINITION, kinds.definition(kind))

    def app(self) -> Starlette:
        """The ASGI application."""
        return Starlette(routes=[Route("/{path:path}", _Endpoint(self))])

    def namespace(self, name: str) -> None:
        """There is a namespace of that name, with its default service account."""
        with self.store.lock:
            if self.store.get(NAMESPACE, name) is None:
                self.store.add(NAMESPACE, {"metadata": {"name": name}, "status": {"phase": "Active"}})
                self.store.put(SERVICE_ACCOUNT, {"metadata": {"name": "default", "namespace": name}})

    def get(self, kind: Kind, name: str, namespace: str = "") -> Json | None:
        """A copy of the object."""
        return self.store.get(kind, name, namespace)

    def put(self, kind: Kind, body: Json) -> None:
        """Create or replace, as somebody else would, without checks."""
        self.store.put(kind, body)

    def deny(self, verb: str, resource: str, namespace: str = "") -> None:
        """Take a right away from everybody but the admin, until `heal`; "" is any."""
        self.rules.denied.add((verb, resource, namespace))

    def down(self) -> None:
        """Answer 503 to everything."""
        self.faults.add(Fault(answer=unavailable()))

    def slow(self, seconds: float) -> None:
        """Every answer takes that long."""
        self.faults.add(Fault(delay=seconds))

    def expire_continues(self) -> None:
        """The next pages of the lists that are being read now are 410 Expired."""
        with self.store.lock:
            self.store.version += 1
            self._objects.oldest = self.store.version

    def heal(self) -> None:
        """Undo all that was broken, but for what was stored."""
        self.faults.clear()
        self.rules.denied.clear()

    def answer(self, asked: Asked) -> Answer:
        """The answer to one request. Thread-safe."""
        user = self.tokens.who(asked.token, self.store.now())
        at = target(asked.path)
        access = at.access(asked) if at else Access("get", "", "")
        with self.store.lock:
            try:
                answer = unauthorized() if user is None else self._answer(user, at, access, asked)
            except Failure as failure:
                answer = failure.answer
        self._note(access, asked, answer, user)
        return answer

    def access(self, asked: Asked) -> Access:
        """What the request needs, by which faults and hooks find it."""
        at = target(asked.path)
        return at.access(asked) if at else Access(asked.method.lower(), "", "")

    def _answer(self, user: User, at: Target | None, access: Access, asked: Asked) -> Answer:
        if at is None:
            return self._page(user, asked)
        kind = at.kind(self.kinds)
        if not self.rules.may(user, access):
            return _refused(user, kind, access)
        if at.group in (ACCESS, REVIEWS):
            return self._review(user, at, asked)
        if kind is None:
            own = {kind.group for kind in self.kinds if not kind.custom}
            return unknown() if at.group in own else no_page()
        if at.sub == "token" and kind is SERVICE_ACCOUNT and asked.method == "POST":
            return self._token(at, asked)
        answer = self._objects.answer(access.verb, kind, at, asked)
        if kind is DEFINITION and answer.status == 201:
            self.kinds += (kinds.defined(answer.body),)
        return answer

    def _review(self, user: User, at: Target, asked: Asked) -> Answer:
        """The questions about oneself."""
        if asked.method != "POST" or at.name:
            return not_allowed()
        if at.plural == "selfsubjectaccessreviews":
            return reviews.may_i(self.rules, user, decoded(reviews.REVIEW, asked.body))
        known = at.plural == "selfsubjectreviews" and int(self.version.split(".")[1]) >= FIRST_REVIEWS
        return reviews.who_am_i(user) if known else unknown()

    def _token(self, at: Target, asked: Asked) -> Answer:
        self._objects.answer("get", SERVICE_ACCOUNT, Target("", at.plural, at.namespace, at.name), asked)
        body = decoded(Kind(REVIEWS, "tokenrequests", "TokenRequest"), asked.body)
        return reviews.token(self.tokens, at.namespace, at.name, body, self.store.now())

    def _page(self, user: User, asked: Asked) -> Answer:
        """What is no object: version, health and discovery."""
        path = "/" + asked.path.strip("/")
        if not self.rules.may_open(user, path):
            return forbidden(None, "", f'User "{user.name}" cannot get path "{path}"')
        if path == "/version":
            major, minor = self.version.lstrip("v").split(".")[:2]
            told = {"major": major, "minor": minor, "gitVersion": self.version, "platform": "linux/amd64"}
            return Answer(200, told)
        if path in OPEN:
            return Answer(200, raw=b"ok")
        found = self._discovered(path.strip("/").split("/"))
        return Answer(200, found) if found else no_page()

    def _discovered(self, parts: list[str]) -> Json | None:
        match parts:
            case ["api"]:
                return {"kind": "APIVersions", "versions": ["v1"]}
            case ["api", "v1"]:
                return kinds.resources(self.kinds, "")
            case ["apis"]:
                return kinds.groups(self.kinds)
            case ["apis", group]:
                return kinds.group(self.kinds, group)
            case ["apis", group, "v1"]:
                return kinds.resources(self.kinds, group)
        return None

    def _note(self, access: Access, asked: Asked, answer: Answer, user: User | None) -> None:
        self._count += 1
        name = user.name if user else ""
        entry = Entry(self._count, access.verb, asked.path, answer.status, name, fingerprints(answer.body))
        self.log.append(entry)
        if self.on_request:
            self.on_request(entry)


def _refused(user: User, kind: Kind | None, access: Access) -> Answer:
    """403, in the words of the server's RBAC."""
    plural = access.resource.partition("/")[0]
    scope = f'in the namespace "{access.namespace}"' if access.namespace else "at the cluster scope"
    what = f'resource "{access.resource}" in API group "{access.group}" {scope}'
    shown = kind or Kind(access.group, plural, "")
    return forbidden(shown, access.name, f'User "{user.name}" cannot {access.verb} {what}')


class _Endpoint:
    """HTTP to `KubernetesStandIn.answer`, with the faults that only HTTP can have."""

    def __init__(self, cluster: KubernetesStandIn) -> None:
        self._cluster = cluster

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        asked = Asked(
            request.method,
            "/" + request.path_params["path"],
            dict(request.query_params),
            request.headers.get("Authorization", "").removeprefix("Bearer ").strip(),
            request.headers.get("Content-Type", ""),
            await request.body(),
        )
        access = self._cluster.access(asked)
        fault = self._cluster.faults.hit(lambda fault: fault.fits(access))
        if fault and fault.delay:
            await asyncio.sleep(fault.delay)
        answer = fault.answer if fault and fault.answer else await self._answered(asked, access)
        await _send(answer, fault.cut if fault else None, send)

    async def _answered(self, asked: Asked, access: Access) -> Answer:
        hook = self._cluster.on_write
        if hook is None or access.verb in READS or not access.resource or access.group in (ACCESS, REVIEWS):
            return self._cluster.answer(asked)
        await asyncio.to_thread(hook, Entry(0, access.verb, asked.path, 0, "", {}), "before")
        answer = self._cluster.answer(asked)
        await asyncio.to_thread(hook, Entry(0, access.verb, asked.path, answer.status, "", {}), "after")
        return answer


async def _send(answer: Answer, cut: int | None, send: Send) -> None:
    content = answer.content()
    headers = {"content-type": answer.media_type, "cache-control": "no-cache, private", **answer.headers}
    headers["content-length"] = str(len(content))
    await answered(send, answer.status, headers, content, cut)


@contextmanager
def serve(cluster: KubernetesStandIn | None = None, **settings: Any) -> Iterator[tuple[KubernetesStandIn, Server]]:
    """A cluster (the given one, or a new one with these settings) on a free loopback port until the block ends."""
    made = cluster or KubernetesStandIn(**settings)
    server = run_in_thread(made.app())
    try:
        yield made, server
    finally:
        server.stop()
