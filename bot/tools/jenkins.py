"""Builds on one Jenkins: started once, found again in the queue or among the builds. Over plain HTTP.

Jenkins tells a build's cause by user; a marker needs a parameter that the job declares, since others are dropped.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import quote

from bot.calling import Jenkins as Settings
from bot.core.errors import Refused, Told
from bot.core.jenkins import Build, CiJob, State
from bot.core.secret import Secret
from bot.sources import SecretSource
from bot.tools.calls import Service
from bot.tools.http_answer import LOADING, Answer

Resolve = Callable[[SecretSource], Secret]
NEWEST = 50  # builds that are looked through
BUILD = "number,building,result,actions[causes[userId],parameters[name,value]]"
JOB = f"name,buildable,nextBuildNumber,property[parameterDefinitions[name]],lastBuild[building,result],builds[{BUILD}]"
QUEUE = "items[task[url],actions[causes[userId],parameters[name,value]]]"
RESULTS: Mapping[str, State] = {
    "SUCCESS": "success", "UNSTABLE": "unstable", "FAILURE": "failure", "ABORTED": "aborted", "NOT_BUILT": "not_built",
}  # fmt: skip
REFUSALS = {
    400: ("it takes no build like this", "See whether the job has parameters without defaults."),
    401: ("it does not accept the user's token", "Replace the token that jenkins.token names."),
    403: ("the user may not do that", "Give jenkins.user the right to read and to build the job."),
    404: ("there is no such job, or the user may not see it", "Check the job's name, and the rights of jenkins.user."),
    405: ("it does not start builds this way", "See whether the job can be built by hand."),
    409: ("the job is switched off", "Switch it on in Jenkins, or leave it out."),
}


class JobReader:
    """`bot.core.jenkins.JenkinsReader`: cannot start anything."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def configured(self) -> bool:
        return True

    def job(self, name: str) -> CiJob | None:
        known = self._wire.look(f"{path(name)}/api/json", JOB.partition(",builds[")[0], missing=True)
        return None if known is None else self._wire.described(name, known)

    def find(self, name: str, marker: str, *, since: int) -> Build | None:
        """First the queue, then the builds: what leaves the one meanwhile is found in the other."""
        below = f"{path(name)}/api/json"
        queue = self._wire.look("/queue/api/json", QUEUE) or {}
        waits = any(self._wire.queued(item, name, marker) for item in _objects(queue, "items"))
        known = self._wire.look(below, f"{JOB}{{0,{NEWEST}}}", missing=True)
        if known is None:
            return None
        for build in _objects(known, "builds"):
            number = build.get("number")
            if isinstance(number, int) and self._wire.ours(build, marker, number >= since):
                return Build(job=name, state=state(build), number=number)
        return Build(job=name, state="queued") if waits else None


class Builds:
    """`bot.core.jenkins.Jenkins`."""

    def __init__(self, settings: Settings, resolve: Resolve) -> None:
        self._wire = Wire(settings, resolve)
        self.reader = JobReader(Wire(settings, resolve))

    def configured(self) -> bool:
        return True

    def job(self, name: str) -> CiJob | None:
        return self.reader.job(name)

    def find(self, name: str, marker: str, *, since: int) -> Build | None:
        return self.reader.find(name, marker, since=since)

    def start(self, name: str, marker: str, *, since: int) -> None:
        """See `bot.core.jenkins.Jenkins.start`."""
        if self.find(name, marker, since=since) is not None:
            return
        known = self.job(name)
        if known is None:
            raise Refused(f"Jenkins has no job {name[:100]}, or the bot may not see it.", REFUSALS[404][1])
        how = "buildWithParameters" if known.parameterized else "build"
        answer = self._wire.post(f"{path(name)}/{how}", {self._wire.parameter: marker} if known.marks else {})
        if answer.status != 201 and not answer.moved:  # moved: back to the job, perhaps with nothing in the queue
            raise self._wire.refusal(answer, "start the build", once=True)


class Wire:
    """Jenkins over HTTP, as the user of the settings."""

    def __init__(self, settings: Settings, resolve: Resolve) -> None:
        self._settings, self._resolve = settings, resolve
        self._service = Service("Jenkins", "jenkins", settings.timeout, settings.ca_file)
        self.parameter = settings.marker

    def look(self, below: str, tree: str, *, missing: bool = False) -> dict[str, Any] | None:
        """The object there; None when there is none and that is an answer."""
        answer = self._service.send("GET", self._url(below), headers=self._headers, params={"tree": tree})
        if answer.status == 404 and missing:
            return None
        if answer.status != 200 or answer.object is None:
            raise self.refusal(answer, "say how its jobs are")
        return answer.object

    def post(self, below: str, form: Mapping[str, str]) -> Answer:
        """Once, with a crumb where Jenkins gives one: it is good only in the session that it was given in."""
        with LOADING:
            from bot.tools import http_session
        session = http_session.Session(seconds=self._settings.timeout, ca_file=self._settings.ca_file)
        answer = http_session.look(session, lambda it: self._posted(it, self._url(below), form))
        if answer.how != "answered":
            raise self._service.unheard(answer, once=True)
        return answer

    def refusal(self, answer: Answer, doing: str, *, once: bool = False) -> Told:
        return self._service.refusal(answer, doing, REFUSALS, once=once)

    def described(self, name: str, known: Mapping[str, Any]) -> CiJob:
        last, number = known.get("lastBuild"), known.get("nextBuildNumber")
        return CiJob(
            name=name,
            buildable=known.get("buildable") is True,
            parameterized=any(True for _ in self._declared(known)),
            marks=self.marks(known),
            next_number=number if isinstance(number, int) else 1,
            last=state(last) if isinstance(last, dict) else None,
        )

    def marks(self, known: Mapping[str, Any]) -> bool:
        """Does the job declare the parameter for our marker?"""
        return any(one.get("name") == self.parameter for one in self._declared(known))

    @staticmethod
    def _declared(known: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        return (one for part in _objects(known, "property") for one in _objects(part, "parameterDefinitions"))

    def queued(self, item: Mapping[str, Any], name: str, marker: str) -> bool:
        """Is this what waits for our build?"""
        task = item.get("task")
        url = str(task.get("url")) if isinstance(task, dict) else ""
        if f"/job/{url.partition('/job/')[2]}".rstrip("/") != path(name):
            return False
        return self._marked(item, marker) or self._by_us(item)

    def ours(self, build: Mapping[str, Any], marker: str, new: bool) -> bool:
        """`new`: was it begun after the plan was made? Then it is what the plan wants, whichever run of ours did so."""
        return self._marked(build, marker) or (new and self._by_us(build))

    def _marked(self, build: Mapping[str, Any], marker: str) -> bool:
        given = (one for action in _objects(build, "actions") for one in _objects(action, "parameters"))
        return any(one.get("name") == self.parameter and one.get("value") == marker for one in given)

    def _by_us(self, build: Mapping[str, Any]) -> bool:
        causes = (one for action in _objects(build, "actions") for one in _objects(action, "causes"))
        return any(one.get("userId") == self._settings.user for one in causes)

    def _posted(self, session: Any, url: str, form: Mapping[str, str]) -> None:
        crumb = session.get(self._url("/crumbIssuer/api/json"), headers=self._headers, allow_redirects=False)
        if crumb.status_code not in (200, 404):
            return
        session.last = None  # whatever comes now is of the build
        headers = self._headers
        if crumb.status_code == 200:
            session.cookies.update(crumb.cookies)  # the session does not see those of a body that was read beforehand
            told = crumb.json()
            headers |= {str(told["crumbRequestField"]): str(told["crumb"])}
        session.post(url, headers=headers, data=dict(form), allow_redirects=False)

    def _url(self, below: str) -> str:
        return self._settings.address.rstrip("/") + below

    @property
    def _headers(self) -> dict[str, str]:
        login = f"{self._settings.user}:{self._resolve(self._settings.token).reveal()}".encode("utf-8", "surrogatepass")
        return {"Authorization": f"Basic {base64.b64encode(login).decode()}", "Accept": "application/json"}


def path(name: str) -> str:
    """A job below Jenkins's address. Refused for a name that would lead elsewhere."""
    if any(part in ("", ".", "..") for part in name.strip("/").split("/")) or not name.isprintable():
        raise Refused("That is not the name of a job in Jenkins.", "Write it as in its address, folders with slashes.")
    return "".join(f"/job/{quote(part, safe='')}" for part in name.strip("/").split("/"))


def state(build: Mapping[str, Any]) -> State:
    return "running" if build.get("building") is True else RESULTS.get(str(build.get("result")), "not_built")


def check(settings: Settings, resolve: Resolve) -> str:
    """May the user look at jobs? Starts none."""
    wire = Wire(settings, resolve)
    wire.look("/api/json", "jobs[name]{0,1}")
    wire.look("/queue/api/json", QUEUE)
    return "it takes the login, and shows jobs and its queue; whether they may be started shows only a start."


def _objects(document: Mapping[str, Any], name: str) -> Iterator[dict[str, Any]]:
    listed = document.get(name)
    return (one for one in (listed if isinstance(listed, list) else ()) if isinstance(one, dict))
