"""A stand-in for the accounts API of api.openshift.com: its root, in health and in each way of being down.

accounts = AccountsStandIn()
server = run_in_thread(accounts.app())      # address: server.url + accounts.PATH
accounts.state = "html"
"""

from __future__ import annotations

import asyncio
import json
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

PATH = "/api/accounts_mgmt/v1/"
ROOT = {"id": "v1", "kind": "API", "href": "/api/accounts_mgmt/v1", "server_version": "stand-in",
        "collections": [{"id": "accounts", "kind": "AccountList"}]}  # fmt: skip
PAGE = "<!doctype html><title>Application is not available</title><h1>Application is not available</h1>"


class AccountsStandIn:
    """`state`: "up" (asks for a login, 401), "open" (200), "forbidden" (403), "html" (a router's page with 200),
    "login" (redirect to a login page), "empty", "garbage", or a number: answered as an error with that status, in
    JSON below 500 and as a router's page from there. `delay` in seconds. `asked` counts."""

    PATH = PATH

    def __init__(self, state: str | int = "up") -> None:
        self.state = state
        self.delay = 0.0
        self.asked = 0
        self.login_page = "https://sso.example.com/auth"

    def app(self) -> Starlette:
        """The ASGI application."""
        return Starlette(routes=[Route("/{path:path}", self._endpoint)])

    async def _endpoint(self, request: Request) -> Response:
        self.asked += 1
        await asyncio.sleep(self.delay)
        if "/" + request.path_params["path"].strip("/") != PATH.rstrip("/"):
            return _json(404, _error(404, "The requested resource doesn't exist"))
        return self._answer()

    def _answer(self) -> Response:
        if isinstance(self.state, int):
            if self.state < 500:
                return _json(self.state, _error(self.state, "as told"))
            return Response(PAGE, self.state, media_type="text/html")
        if self.state == "login":
            return Response(status_code=302, headers={"Location": self.login_page})
        return {
            "up": lambda: _json(401, _error(401, "Request doesn't contain the 'Authorization' header")),
            "forbidden": lambda: _json(403, _error(403, "Forbidden")),
            "open": lambda: _json(200, ROOT),
            "html": lambda: Response(PAGE, media_type="text/html"),
            "empty": lambda: Response(b"", media_type="application/json"),
            "garbage": lambda: Response(b"\xff\xfe{", media_type="application/json"),
        }[self.state]()


def _error(status: int, reason: str) -> dict[str, Any]:
    return {"kind": "Error", "id": str(status), "href": f"/api/accounts_mgmt/v1/errors/{status}",
            "code": f"ACCT-MGMT-{status}", "reason": reason, "operation_id": "stand-in"}  # fmt: skip


def _json(status: int, body: Any) -> Response:
    return Response(json.dumps(body), status, media_type="application/json")
