"""What the bot relies on in Jenkins. Asked of the stand-in; and of a real one when HIVEKEEPER_LIVE_JENKINS (address),
HIVEKEEPER_LIVE_JENKINS_USER and HIVEKEEPER_LIVE_JENKINS_TOKEN are set, with two jobs that do nothing, made for this:
HIVEKEEPER_LIVE_JENKINS_JOB has no parameters, HIVEKEEPER_LIVE_JENKINS_MARKED one called HIVEKEEPER_RUN. No job is in a
folder. Builds that it starts there stay."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from playground.jenkins import JenkinsStandIn
from playground.server import run_in_thread

ADDRESS = os.environ.get("HIVEKEEPER_LIVE_JENKINS", "")
OWN = {"plain": "HIVEKEEPER_LIVE_JENKINS_JOB", "marked": "HIVEKEEPER_LIVE_JENKINS_MARKED"}


class Ci:
    """One Jenkins, asked over HTTP. `plain`, `marked`: its jobs."""

    def __init__(self, address: str, user: str, token: str, plain: str, marked: str) -> None:
        self.address, self.user, self.plain, self.marked = address.rstrip("/"), user, plain, marked
        self.http = httpx.Client(auth=(user, token), timeout=60)

    def get(self, below: str, tree: str = "") -> httpx.Response:
        return self.http.get(self.address + below, params={"tree": tree} if tree else {})

    def post(self, below: str, **form: str) -> httpx.Response:
        crumb = self.get("/crumbIssuer/api/json")
        headers = {crumb.json()["crumbRequestField"]: crumb.json()["crumb"]} if crumb.status_code == 200 else {}
        return self.http.post(self.address + below, headers=headers, data=form)

    def causes(self, job: str) -> list[dict[str, Any]]:
        """The causes and parameters of each build, begun or waiting."""
        queue = self.get("/queue/api/json", "items[task[url],actions[causes[userId],parameters[name,value]]]").json()
        waiting = [item for item in queue["items"] if item["task"]["url"].endswith(f"/job/{job}/")]
        tree = "builds[number,building,result,actions[causes[userId],parameters[name,value]]]{0,50}"
        return [*waiting, *self.get(f"/job/{job}/api/json", tree).json()["builds"]]

    def begun(self, job: str, number: int) -> dict[str, Any]:
        """The build of this number, as soon as it is there."""
        deadline = time.monotonic() + 60
        while True:
            builds = self.get(f"/job/{job}/api/json", "builds[number,building,result]").json()["builds"]
            found = next((build for build in builds if build["number"] == number), None)
            if found is not None or time.monotonic() > deadline:
                assert found is not None
                return dict(found)
            time.sleep(0.2)


@pytest.fixture(params=["stand-in", *(["live"] if ADDRESS else [])])
def ci(request: pytest.FixtureRequest) -> Iterator[Ci]:
    if request.param == "live":
        user, token = (os.environ[f"HIVEKEEPER_LIVE_JENKINS_{name}"] for name in ("USER", "TOKEN"))
        yield Ci(ADDRESS, user, token, **{job: os.environ[name] for job, name in OWN.items()})
        return
    token = secrets.token_hex(16)
    jenkins = JenkinsStandIn("hivekeeper", token)
    jenkins.add("plain"), jenkins.add("marked", parameters=("HIVEKEEPER_RUN",))
    server = run_in_thread(jenkins.app())
    yield Ci(server.url, "hivekeeper", token, "plain", "marked")
    server.stop()


def described(ci: Ci, job: str) -> dict[str, Any]:
    tree = "name,buildable,nextBuildNumber,property[parameterDefinitions[name]],lastBuild[building,result]"
    return dict(ci.get(f"/job/{job}/api/json", tree).json())


def test_a_job_says_what_a_plan_needs(ci: Ci) -> None:
    """May it be built, what will its next build be called, which parameters does it declare."""
    plain, marked = described(ci, ci.plain), described(ci, ci.marked)
    assert plain["buildable"] is True
    assert plain["nextBuildNumber"] >= 1
    assert not any("parameterDefinitions" in one for one in plain.get("property", []))
    (declared,) = (one["parameterDefinitions"] for one in marked["property"] if "parameterDefinitions" in one)
    assert {"HIVEKEEPER_RUN"} <= {one["name"] for one in declared}


def test_a_build_is_queued(ci: Ci) -> None:
    """201, with where it waits; then it is a build with the number that was announced, and its cause is the user."""
    number = described(ci, ci.plain)["nextBuildNumber"]
    answer = ci.post(f"/job/{ci.plain}/build")
    assert answer.status_code == 201
    assert "/queue/item/" in answer.headers["Location"]
    ci.begun(ci.plain, number)
    newest = ci.causes(ci.plain)[0]
    assert any(cause.get("userId") == ci.user for act in newest["actions"] for cause in act.get("causes", []))


def test_a_parameter_is_kept(ci: Ci) -> None:
    """One that the job declares stands in its build from the queue on; one that it does not is dropped."""
    marker = f"hivekeeper-{secrets.token_hex(6)}"
    assert ci.post(f"/job/{ci.marked}/buildWithParameters", HIVEKEEPER_RUN=marker, OTHER="x").status_code == 201
    found = [one for build in ci.causes(ci.marked) for act in build["actions"] for one in act.get("parameters", [])]
    assert {"HIVEKEEPER_RUN"} == {one["name"] for one in found if one.get("value") == marker}
    assert not any(one["name"] == "OTHER" for one in found)


def test_building_without_parameters_what_has_some(ci: Ci) -> None:
    """400: nothing was submitted."""
    assert ci.post(f"/job/{ci.marked}/build").status_code == 400


def test_a_job_that_is_not_there(ci: Ci) -> None:
    """404, for looking and for building."""
    nowhere = f"/job/{secrets.token_hex(8)}"
    assert ci.get(f"{nowhere}/api/json").status_code == 404
    assert ci.post(f"{nowhere}/build").status_code == 404


def test_a_wrong_token_is_refused(ci: Ci) -> None:
    """401."""
    answer = httpx.get(f"{ci.address}/api/json", auth=(ci.user, "wrong"), timeout=60)
    assert answer.status_code == 401
