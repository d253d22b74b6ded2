"""A stand-in for a Kubernetes API server: the few paths that say whether a token is accepted, and who it is.

cluster = ClusterStandIn()
cluster.accept(token, "system:serviceaccount:hive:hive-frontend")
server = run_in_thread(cluster.app())
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import threading
from collections import deque
from dataclasses import dataclass
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

REVIEWS = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
VERSION = {"reviews": ("1", "33", "v1.33.1"), "old": ("1", "20", "v1.20.2")}


@dataclass(frozen=True)
class Asked:
    """A line of the request log; the token by 8 hex digits of its SHA-256."""

    method: str
    path: str
    status: int
    token: str


class ClusterStandIn:
    """`reviews`: does it know SelfSubjectReview (since 1.28)? `fault`: a status that answers everything instead."""

    def __init__(self, *, reviews: bool = True) -> None:
        self.reviews = reviews
        self.fault: int | None = None
        self.garbage: bytes | None = None  # answered with 200 instead of JSON
        self.delay = 0.0  # seconds
        self.log: deque[Asked] = deque(maxlen=1000)
        self._names: dict[str, str] = {}
        self._lock = threading.Lock()

    def accept(self, token: str, name: str) -> None:
        """From now on this token is somebody."""
        with self._lock:
            self._names[_mark(token)] = name

    def revoke(self, token: str) -> None:
        with self._lock:
            self._names.pop(_mark(token), None)

    def accepted(self) -> dict[str, str]:
        """8 hex digits of each accepted token's SHA-256, and whose it is."""
        with self._lock:
            return {mark[:8]: name for mark, name in self._names.items()}

    def app(self) -> Starlette:
        """The ASGI application."""
        return Starlette(routes=[Route("/{path:path}", self._endpoint, methods=["GET", "POST"])])

    async def _endpoint(self, request: Request) -> Response:
        await asyncio.sleep(self.delay)
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        status, body = self._answer(request.method, "/" + request.path_params["path"].strip("/"), token)
        self.log.append(Asked(request.method, request.url.path, status, _mark(token)[:8]))
        if self.garbage is not None:
            return Response(self.garbage, media_type="text/html")
        return Response(json.dumps(body), status, media_type="application/json")

    def _answer(self, method: str, path: str, token: str) -> tuple[int, dict[str, Any]]:
        with self._lock:
            name = self._names.get(_mark(token))
        if self.fault:
            return _status(self.fault, "InternalError", "the stand-in was told to fail")
        if path == "/version":
            return 200, _version(self.reviews)
        if token and name is None:
            return _status(401, "Unauthorized", "Unauthorized")
        if name is None:
            return _status(403, "Forbidden", f'forbidden: User "system:anonymous" cannot get path "{path}"')
        if path == REVIEWS and method == "POST" and self.reviews:
            return 201, _review(name)
        if path == "/apis" and method == "GET":
            return 200, _groups()
        return _status(404, "NotFound", "the server could not find the requested resource")


def _mark(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _review(name: str) -> dict[str, Any]:
    group = ["system:serviceaccounts"] if name.startswith("system:serviceaccount:") else []
    user = {"username": name, "groups": [*group, "system:authenticated"]}
    return {"kind": "SelfSubjectReview", "apiVersion": "authentication.k8s.io/v1",
            "metadata": {"creationTimestamp": None}, "status": {"userInfo": user}}  # fmt: skip


def _groups() -> dict[str, Any]:
    version = {"groupVersion": "authentication.k8s.io/v1", "version": "v1"}
    group = {"name": "authentication.k8s.io", "versions": [version], "preferredVersion": version}
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": [group]}


def _version(reviews: bool) -> dict[str, Any]:
    major, minor, full = VERSION["reviews" if reviews else "old"]
    return {"major": major, "minor": minor, "gitVersion": full, "platform": "linux/amd64"}


def _status(code: int, reason: str, message: str) -> tuple[int, dict[str, Any]]:
    return code, {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
                  "message": message, "reason": reason, "code": code}  # fmt: skip
