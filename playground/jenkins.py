"""A stand-in for Jenkins: jobs that are looked at and started, a queue, builds. As its own sources answer (core,
ParameterizedJobMixIn and ParametersDefinitionProperty).

jenkins = JenkinsStandIn("hivekeeper", token)
jenkins.add("service-pr-check")
jenkins.add("team/marked", parameters=("HIVEKEEPER_RUN",))
server = run_in_thread(jenkins.app())       # jenkins.address: server.url
jenkins.quiet = True                        # builds wait in the queue until jenkins.begin()
"""

from __future__ import annotations

import asyncio
import base64
import json
import secrets
import threading
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

FIELD = "Jenkins-Crumb"
PAGE = "<!doctype html><title>Error</title><h1>gobbledygook</h1>"
SHOWN = 50  # builds of a job in its document; more are cut by the tree that the bot asks for


@dataclass
class PlayedJob:
    """`builds`: oldest first, as the API writes each."""

    name: str
    parameters: tuple[str, ...] = ()
    buildable: bool = True
    next_number: int = 1
    builds: list[dict[str, Any]] = field(default_factory=list)

    @property
    def path(self) -> str:
        return "".join(f"/job/{quote(part, safe='')}" for part in self.name.split("/"))


class JenkinsStandIn:
    """`state`: "up", "read only" (403 for builds), "shutting down" (nothing is queued any more), or a status that
    answers everything. `crumbs`: are they asked for, also of API tokens? `cut`: a build is queued, but the answer is an
    empty 502. `delay` in seconds. `log`: method and path of each request."""

    def __init__(self, user: str, token: str, *, address: str = "https://ci.example.com") -> None:
        self.user, self._token, self._address = user, token, address
        self.state: str | int = "up"
        self.crumbs = True
        self.quiet = self.cut = False
        self.delay = 0.0
        self.jobs: dict[str, PlayedJob] = {}
        self.queue: list[tuple[PlayedJob, dict[str, Any]]] = []
        self.log: list[tuple[str, str]] = []
        self._crumbs: dict[str, str] = {}  # session -> the crumb that was given in it
        self._items = 0
        self._lock = threading.RLock()

    # --- what happens in Jenkins ---

    def add(self, name: str, *, parameters: tuple[str, ...] = (), buildable: bool = True) -> PlayedJob:
        self.jobs[name] = PlayedJob(name, parameters, buildable)
        return self.jobs[name]

    def start(self, name: str, user: str, given: dict[str, str] | None = None) -> None:
        """Somebody starts a build. What waits already with the same parameters is not queued twice: it gets one cause
        more."""
        with self._lock:
            job, values = self.jobs[name], dict.fromkeys(self.jobs[name].parameters, "") | (given or {})
            cause = {"_class": "hudson.model.Cause$UserIdCause", "userId": user}
            same = (item for other, item in self.queue if other is job and item["values"] == values)
            if (waiting := next(same, None)) is not None:
                waiting["causes"].append(cause)
                return
            self._items += 1
            self.queue.append((job, {"id": self._items, "values": values, "causes": [cause]}))
            if not self.quiet:
                self.begin()

    def begin(self) -> None:
        """All that waits begins to run."""
        with self._lock:
            for job, item in self.queue:
                build = {"number": job.next_number, "building": True, "result": None, "actions": _actions(item)}
                job.builds.append(build)
                job.next_number += 1
            self.queue.clear()

    def end(self, name: str, result: str = "SUCCESS") -> None:
        """Whatever runs of this job comes to its end."""
        for build in self.jobs[name].builds:
            if build["building"]:
                build.update(building=False, result=result)

    # --- over HTTP ---

    def app(self) -> Starlette:
        """The ASGI application."""
        return Starlette(routes=[Route("/{path:path}", self._endpoint, methods=["GET", "POST"])])

    async def _endpoint(self, request: Request) -> Response:
        form = {name: str(value) for name, value in (await request.form()).items()}
        await asyncio.sleep(self.delay)
        path = request.url.path
        self.log.append((request.method, path))
        if isinstance(self.state, int):
            return HTMLResponse(PAGE, self.state)
        if not self._known(request):
            return HTMLResponse(PAGE, 401)
        if path.endswith("/api/json"):
            return self._look(path.removesuffix("/api/json"), request)
        return self._build(path, request, form)

    def _known(self, request: Request) -> bool:
        login = base64.b64encode(f"{self.user}:{self._token}".encode()).decode()
        return secrets.compare_digest(request.headers.get("Authorization", ""), f"Basic {login}")

    def _look(self, path: str, request: Request) -> Response:
        if path == "/crumbIssuer":
            return self._crumb(request)
        if path == "/queue":
            with self._lock:
                return _json({"items": [self._item(job, item) for job, item in self.queue]})
        if path == "":
            return _json({"jobs": [{"name": name} for name in self.jobs]})
        job = self._job(path)
        return _json(_document(job)) if job else HTMLResponse(PAGE, 404)

    def _crumb(self, request: Request) -> Response:
        if not self.crumbs:
            return HTMLResponse(PAGE, 404)
        session = request.cookies.get("JSESSIONID") or secrets.token_hex(8)
        crumb = self._crumbs.setdefault(session, secrets.token_hex(16))
        answer = _json({"crumb": crumb, "crumbRequestField": FIELD})
        answer.set_cookie("JSESSIONID", session, httponly=True)
        return answer

    def _build(self, path: str, request: Request, form: dict[str, str]) -> Response:
        whole, _, how = path.rpartition("/")
        job = self._job(whole)
        if job is None or how not in ("build", "buildWithParameters"):
            return HTMLResponse(PAGE, 404)
        if refusal := self._refusal(job, how, request):
            return refusal
        if self.state != "shutting down":
            given = {name: value for name, value in form.items() if name in job.parameters}
            self.start(job.name, self.user, given)
            if self.cut:
                return Response(status_code=502)
            return Response(status_code=201, headers={"Location": f"{self._address}/queue/item/{self._items}/"})
        return Response(status_code=302, headers={"Location": "."})

    def _refusal(self, job: PlayedJob, how: str, request: Request) -> Response | None:
        if request.method != "POST":
            return HTMLResponse(PAGE, 405)
        session = self._crumbs.get(request.cookies.get("JSESSIONID", ""), "")
        if self.crumbs and (not session or request.headers.get(FIELD) != session):
            return HTMLResponse("<h1>No valid crumb was included in the request</h1>", 403)
        if self.state == "read only":
            return HTMLResponse(PAGE, 403)
        if not job.buildable:
            return HTMLResponse(PAGE, 409)
        if how == "build" and job.parameters:
            return HTMLResponse("<h1>Nothing is submitted</h1>", 400)
        return HTMLResponse(PAGE, 500) if how == "buildWithParameters" and not job.parameters else None

    def _job(self, path: str) -> PlayedJob | None:
        return next((job for job in self.jobs.values() if job.path == quote(path)), None)

    def _item(self, job: PlayedJob, item: dict[str, Any]) -> dict[str, Any]:
        task = {"name": job.name.rpartition("/")[2], "url": f"{self._address}{job.path}/"}
        return {"id": item["id"], "task": task, "actions": _actions(item)}


def _actions(item: dict[str, Any]) -> list[dict[str, Any]]:
    """As Jenkins writes them: what has nothing to show is an empty object."""
    values = [{"name": name, "value": value} for name, value in item["values"].items()]
    return [{"causes": list(item["causes"])}, {"parameters": values} if values else {}, {}]


def _document(job: PlayedJob) -> dict[str, Any]:
    definitions = [{"parameterDefinitions": [{"name": name} for name in job.parameters]}] if job.parameters else []
    return {
        "name": job.name.rpartition("/")[2], "buildable": job.buildable, "nextBuildNumber": job.next_number,
        "property": [{}, *definitions], "lastBuild": job.builds[-1] if job.builds else None,
        "builds": job.builds[:-SHOWN - 1:-1],
    }  # fmt: skip


def _json(body: Any) -> Response:
    return Response(json.dumps(body), media_type="application/json")
