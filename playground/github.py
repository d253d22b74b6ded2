"""A stand-in for GitHub: the issues of one repository, listed and opened (upstream.md).

github = GitHubStandIn("example/incidents", token)
server = run_in_thread(github.app())        # GitHub Enterprise: the address is server.url + "/api/v3"
"""

from __future__ import annotations

import asyncio
import json
import threading
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

MESSAGES = {401: "Bad credentials", 404: "Not Found", 410: "Issues are disabled for this repo",
            422: "Validation Failed"}  # fmt: skip
LIMIT = "You have exceeded a secondary rate limit. Please wait a few minutes before you try again."


class GitHubStandIn:
    """`state`: "up", "no issues" (410), "read only" (403), "limited" (403 with the words of the rate limit), or a
    status that answers everything instead. `cut`: an issue is opened, but the answer is an empty 502. `delay` in
    seconds. `lag`: how often the list does not have the newest issue yet. `pushes`: may the token set labels?
    `archived`: is the repository read-only? `issues`: oldest first."""

    def __init__(self, repository: str, token: str) -> None:
        self._repository, self._token = repository, token
        self.state: str | int = "up"
        self.retry_after: int | None = None
        self.cut = False
        self.delay = 0.0
        self.lag = 0
        self.pushes = True
        self.archived = False
        self.issues: list[dict[str, Any]] = []
        self.log: list[tuple[str, str]] = []
        self._lock = threading.Lock()

    def close(self, number: int) -> None:
        """Somebody closes an issue."""
        self.issues[number - 1]["state"] = "closed"

    def fill(self, count: int) -> None:
        """So many issues of other people, opened later than all that are there."""
        for _ in range(count):
            self._add({"title": "something else", "body": None, "labels": []})

    def app(self) -> Starlette:
        """The ASGI application."""
        whole = "/repos/{owner}/{name}"
        methods = ["GET", "POST"]
        return Starlette(
            routes=[
                route
                for path in (whole, "/api/v3" + whole)
                for route in (
                    Route(path + "/issues", self._endpoint, methods=methods),
                    Route(path, self._endpoint, methods=["GET"]),
                )
            ]
        )

    async def _endpoint(self, request: Request) -> Response:
        body = await request.body()
        await asyncio.sleep(self.delay)
        self.log.append((request.method, request.url.path))
        if fault := self._fault(request):
            return fault
        if f"{request.path_params['owner']}/{request.path_params['name']}" != self._repository:
            return _error(404)
        if not request.url.path.endswith("/issues"):
            return self._about()
        return self._list(request) if request.method == "GET" else self._open(body)

    def _about(self) -> Response:
        rights = {"pull": True, "push": self.pushes, "admin": False}
        about = {"full_name": self._repository, "archived": self.archived, "permissions": rights}
        return _json(200, {**about, "has_issues": self.state != "no issues"})

    def _fault(self, request: Request) -> Response | None:
        headers = {} if self.retry_after is None else {"Retry-After": str(self.retry_after)}
        if isinstance(self.state, int):
            return Response(b"<html>gobbledygook</html>", self.state, headers, "text/html")
        if request.headers.get("Authorization") != f"Bearer {self._token}":
            return _error(401)
        if self.state == "limited":
            return _json(403, {"message": LIMIT}, headers)
        if self.state == "read only" and request.method == "POST":
            return _json(403, {"message": "Resource not accessible by personal access token"})
        if self.state == "no issues" and request.url.path.endswith("/issues"):
            return _error(410)
        return None

    def _list(self, request: Request) -> Response:
        state, page = request.query_params.get("state", "open"), int(request.query_params.get("page", "1"))
        size = min(int(request.query_params.get("per_page", "30")), 100)
        with self._lock:
            known = self.issues[:-1] if self.issues and self.lag else self.issues
            self.lag -= len(known) < len(self.issues)
            found = [issue for issue in reversed(known) if state in ("all", issue["state"])]
        return _json(200, found[(page - 1) * size : page * size])

    def _open(self, body: bytes) -> Response:
        try:
            asked = json.loads(body)
        except ValueError:
            return _json(400, {"message": "Problems parsing JSON"})
        if not isinstance(asked, dict) or not asked.get("title"):
            return _error(422)
        issue = self._add(asked)
        return Response(status_code=502) if self.cut else _json(201, issue)

    def _add(self, asked: dict[str, Any]) -> dict[str, Any]:
        with self._lock:
            number = len(self.issues) + 1
            labels = [{"name": name} for name in asked.get("labels", [])] if self.pushes else []
            issue = {"number": number, "html_url": f"https://github.example.com/{self._repository}/issues/{number}",
                     "state": "open", "title": asked["title"], "body": asked.get("body"), "labels": labels}  # fmt: skip
            self.issues.append(issue)
        return issue


def _error(status: int) -> Response:
    return _json(status, {"message": MESSAGES[status], "documentation_url": "https://docs.github.com/rest"})


def _json(status: int, body: Any, headers: dict[str, str] | None = None) -> Response:
    return Response(json.dumps(body), status, headers, "application/json")
