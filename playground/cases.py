"""A stand-in for Red Hat's case API and the login before it (upstream.md, seed 002).

cases = CasesStandIn(offline_token)
server = run_in_thread(cases.app())         # login: server.url + cases.LOGIN
"""

from __future__ import annotations

import asyncio
import json
import secrets
import threading
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

REQUIRED = ("summary", "description", "severity", "product", "version")
SEVERITIES = ("1 (Urgent)", "2 (High)", "3 (Normal)", "4 (Low)")


class CasesStandIn:
    """`fault`: a status that answers every case call instead; `cut`: a case is opened, but the answer is an empty 502.
    `bare`: a new case is answered without a body, its number only in Location. `cases`: oldest first."""

    LOGIN = "/auth/realms/redhat-external/protocol/openid-connect/token"

    def __init__(self, offline_token: str) -> None:
        self._offline_token = offline_token
        self.fault: int | None = None
        self.retry_after: int | None = None
        self.cut = False
        self.bare = False
        self.cases: list[dict[str, Any]] = []
        self.logins = 0
        self._access: set[str] = set()
        self._lock = threading.Lock()

    def revoke(self) -> None:
        """No access token is good any more; the offline token still is."""
        self._access.clear()

    def app(self) -> Starlette:
        """The ASGI application."""
        return Starlette(
            routes=[
                Route(self.LOGIN, self._login, methods=["POST"]),
                Route("/support/v1/cases", self._open, methods=["POST"]),
                Route("/support/v1/cases/filter", self._filter, methods=["POST"]),
            ]
        )

    async def _login(self, request: Request) -> Response:
        form = await request.form()
        self.logins += 1
        if form.get("client_id") != "rhsm-api" or form.get("grant_type") != "refresh_token":
            return _json(401, {"error": "unauthorized_client", "error_description": "Invalid client"})
        if form.get("refresh_token") != self._offline_token:
            told = {"error": "invalid_grant", "error_description": "Offline user session not found"}
            return _json(400, told)
        token = secrets.token_urlsafe(24)
        self._access.add(token)
        return _json(200, {"access_token": token, "expires_in": 900, "token_type": "Bearer"})

    async def _open(self, request: Request) -> Response:
        asked = await self._asked(request)
        if isinstance(asked, Response):
            return asked
        if any(not asked.get(name) for name in REQUIRED) or asked["severity"] not in SEVERITIES:
            return _json(400, {"errorMessage": "a field is missing or wrong"})
        with self._lock:
            number = f"{4_000_000 + len(self.cases):08d}"
            self.cases.append({**asked, "caseNumber": number, "status": "Waiting on Red Hat"})
        if self.cut:
            return Response(status_code=502)
        headers = {"Location": f"/support/v1/cases/{number}"}
        return Response(status_code=201, headers=headers) if self.bare else _json(201, {"caseNumber": number}, headers)

    async def _filter(self, request: Request) -> Response:
        asked = await self._asked(request)
        if isinstance(asked, Response):
            return asked
        with self._lock:
            found = [case for case in reversed(self.cases) if str(asked.get("keyword", "")) in case["summary"]]
        return _json(200, {"totalCount": len(found), "cases": found[: int(asked.get("maxResults", 50))]})

    async def _asked(self, request: Request) -> dict[str, Any] | Response:
        body = await request.body()
        await asyncio.sleep(0)
        if self.fault is not None:
            headers = {} if self.retry_after is None else {"Retry-After": str(self.retry_after)}
            return Response(b"<html>gobbledygook</html>", self.fault, headers, "text/html")
        if request.headers.get("Authorization", "").removeprefix("Bearer ") not in self._access:
            return _json(401, {"message": "Unauthorized"})
        try:
            document = json.loads(body)
        except ValueError:
            document = None
        return document if isinstance(document, dict) else _json(400, {"errorMessage": "no JSON object"})


def _json(status: int, body: dict[str, Any], headers: dict[str, str] | None = None) -> Response:
    return Response(json.dumps(body), status, headers, "application/json")
