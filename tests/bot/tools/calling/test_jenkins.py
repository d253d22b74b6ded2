"""Jenkins: a build is started once and found again, in the queue or begun; every refusal is a sentence."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import hypothesis
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.calling import Jenkins
from bot.core.errors import Refused, Told, Transient
from bot.core.jenkins import Build
from bot.core.secret import Secret
from bot.sources import FromEnv
from bot.tools.jenkins import Builds, Wire, check
from playground.broken import unused_port
from playground.jenkins import JenkinsStandIn

PLAIN, MARKED, MARKER = "service-pr-check", "team/with space/marked", "hivekeeper-1f"
PARAMETERS = ("BRANCH", "HIVEKEEPER_RUN")


@pytest.fixture
def jenkins(served: Any, kept: dict[str, str], canary: Any) -> JenkinsStandIn:
    kept["TOKEN"] = canary("token")
    made = JenkinsStandIn("hivekeeper", kept["TOKEN"])
    made.add(PLAIN)
    made.add(MARKED, parameters=PARAMETERS)
    served.app = made.app()
    return made


@pytest.fixture
def settings(served: Any) -> Jenkins:
    document = {"address": served.url, "user": "hivekeeper", "token": {"env": "TOKEN"}, "timeout": 60}
    return Jenkins.model_validate(document)


@pytest.fixture
def builds(settings: Jenkins, jenkins: JenkinsStandIn, resolve: Any) -> Callable[[], Builds]:
    return lambda: Builds(settings, resolve)


@pytest.mark.parametrize("name", [PLAIN, MARKED])
@pytest.mark.parametrize("quiet", [False, True])
def test_a_build_is_started_once(name: str, quiet: bool, builds: Callable[[], Builds], jenkins: JenkinsStandIn) -> None:
    """Waiting, running or ended: another process with the same plan finds it, and starts none."""
    jenkins.quiet = quiet
    for _ in range(2):
        builds().start(name, MARKER, since=1)
    waits = Build(job=name, state="queued") if quiet else Build(job=name, state="running", number=1)
    assert builds().find(name, MARKER, since=1) == waits
    jenkins.begin()
    jenkins.end(name, "FAILURE")
    builds().start(name, MARKER, since=1)
    assert builds().reader.find(name, MARKER, since=1) == Build(job=name, state="failure", number=1)
    assert len(jenkins.jobs[name].builds) == 1


def test_parameters_keep_their_defaults(builds: Callable[[], Builds], jenkins: JenkinsStandIn) -> None:
    """Only our marker is given; what Jenkins does not know of a job is not sent."""
    builds().start(MARKED, MARKER, since=1)
    (build,) = jenkins.jobs[MARKED].builds
    assert build["actions"][1]["parameters"] == [
        {"name": "BRANCH", "value": ""}, {"name": "HIVEKEEPER_RUN", "value": MARKER}]  # fmt: skip


def test_others_builds_are_not_ours(builds: Callable[[], Builds], jenkins: JenkinsStandIn) -> None:
    """Somebody else's, those of ours from before the plan, and a job whose name ends like this one's."""
    jenkins.start(PLAIN, "somebody")
    jenkins.start(PLAIN, "hivekeeper")
    jenkins.start(MARKED, "hivekeeper", {"HIVEKEEPER_RUN": "hivekeeper-another"})
    jenkins.add(f"team/{PLAIN}")
    jenkins.quiet = True
    jenkins.start(f"team/{PLAIN}", "hivekeeper")
    assert builds().find(PLAIN, MARKER, since=3) is None
    assert builds().find(MARKED, MARKER, since=2) is None
    assert builds().find(PLAIN, MARKER, since=2) == Build(job=PLAIN, state="running", number=2)


def test_what_waits_for_somebody_is_shared(builds: Callable[[], Builds], jenkins: JenkinsStandIn) -> None:
    """Jenkins queues a job without parameters once: it is ours then, too."""
    jenkins.quiet = True
    jenkins.start(PLAIN, "somebody")
    assert builds().find(PLAIN, MARKER, since=1) is None
    builds().start(PLAIN, MARKER, since=1)
    jenkins.begin()
    assert builds().find(PLAIN, MARKER, since=1) == Build(job=PLAIN, state="running", number=1)


def test_a_lost_answer_is_found_out(builds: Callable[[], Builds], jenkins: JenkinsStandIn) -> None:
    """It was queued but the answer was lost: Transient; trying again starts no second one."""
    jenkins.cut = True
    with pytest.raises(Transient) as told:
        builds().start(PLAIN, MARKER, since=1)
    assert told.value.after == 10.0, "until then it has surely been queued, or will not be"
    jenkins.cut = False
    builds().start(PLAIN, MARKER, since=1)
    assert len(jenkins.jobs[PLAIN].builds) == 1


def test_how_a_job_is(builds: Callable[[], Builds], jenkins: JenkinsStandIn) -> None:
    """What a plan needs of it; a job that is not there is none."""
    jenkins.start(MARKED, "somebody")
    found = builds().job(MARKED)
    assert found is not None
    assert (found.name, found.buildable, found.parameterized, found.marks) == (MARKED, True, True, True)
    assert (found.next_number, found.last) == (2, "running")
    plain = builds().job(PLAIN)
    assert plain is not None
    assert (plain.parameterized, plain.marks, plain.next_number, plain.last) == (False, False, 1, None)
    assert builds().job("nowhere") is None
    assert builds().find("nowhere", MARKER, since=1) is None
    with pytest.raises(Refused, match="no job"):
        builds().start("nowhere", MARKER, since=1)


@pytest.mark.parametrize("name", ["", "..", "a/../b", "./a", "a//b", "a\nb"])
def test_a_name_that_leads_elsewhere(name: str, builds: Callable[[], Builds], jenkins: JenkinsStandIn) -> None:
    """A folder of jobs may be called anything: Jenkins is never asked for it."""
    for call in (builds().job, lambda name: builds().start(name, MARKER, since=1)):
        with pytest.raises(Refused, match="not the name of a job"):
            call(name)
    assert jenkins.log == []


NAMES = ["property", "parameterDefinitions", "name", "actions", "causes", "userId", "parameters", "value", "task", "url",
         "number", "building", "result", "buildable", "nextBuildNumber", "lastBuild"]  # fmt: skip
LEAVES = (
    st.none() | st.booleans() | st.integers() | st.sampled_from(["HIVEKEEPER_RUN", "hivekeeper", MARKER, "/job/a/"])
)
JSON = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner))


@given(st.dictionaries(st.sampled_from(NAMES), JSON))
@hypothesis.settings(max_examples=hypothesis.settings.default.max_examples * 4 // 5, deadline=None)
def test_any_answer_can_be_read(document: dict[str, Any]) -> None:
    """Whatever shape Jenkins's JSON has, it is read, and nothing without our marker or our user is ours."""
    known = Jenkins(address="https://ci.example.com", user="hivekeeper", token=FromEnv(env="NONE"))
    wire = Wire(known, lambda _: Secret(""))
    assert wire.described("a", document).name == "a"
    text = repr(document)
    for found in (
        wire.queued(document, "a", MARKER),
        wire.ours(document, MARKER, True),
    ):
        assert not found or MARKER in text or "hivekeeper" in text


def test_without_crumbs(builds: Callable[[], Builds], jenkins: JenkinsStandIn) -> None:
    """A Jenkins that gives none asks for none."""
    jenkins.crumbs = False
    builds().start(PLAIN, MARKER, since=1)
    assert len(jenkins.jobs[PLAIN].builds) == 1


def test_the_reader_cannot_start(builds: Callable[[], Builds]) -> None:
    """What planning gets has no way to start anything."""
    assert not hasattr(builds().reader, "start")


@pytest.mark.parametrize(
    ("state", "kind", "words"),
    [(401, Refused, "jenkins.token"), (403, Refused, "right"), (429, Transient, "429"), (500, Transient, "500"),
     (503, Transient, "503"), (302, Refused, "elsewhere"), (200, Transient, "200")],
)  # fmt: skip
def test_each_refusal_is_a_sentence(
    state: int, kind: type[Told], words: str, builds: Callable[[], Builds], jenkins: JenkinsStandIn, clean: Any
) -> None:
    """What a retry may mend is Transient, the rest Refused; no word of the server's travels."""
    jenkins.state = state
    calls: tuple[Callable[[], object], ...] = (
        lambda: builds().start(PLAIN, MARKER, since=1), lambda: builds().job(PLAIN),
    )  # fmt: skip
    for call in calls:
        with pytest.raises(kind, match=words) as told:
            call()
        clean(told.value)


def test_a_build_that_is_refused(builds: Callable[[], Builds], jenkins: JenkinsStandIn, clean: Any) -> None:
    """No right to build, or a job that is switched off: named with its cure."""
    jenkins.state = "read only"
    with pytest.raises(Refused, match="to build the job") as told:
        builds().start(PLAIN, MARKER, since=1)
    clean(told.value)
    jenkins.state, jenkins.jobs[PLAIN].buildable = "up", False
    with pytest.raises(Refused, match="switched off") as told:
        builds().start(PLAIN, MARKER, since=1)
    clean(told.value)


def test_nobody_there(settings: Jenkins, resolve: Any, kept: dict[str, str], clean: Any) -> None:
    """Nothing listens: Transient."""
    kept["TOKEN"] = "x"
    away = settings.model_copy(update={"address": f"http://127.0.0.1:{unused_port()}"})
    with pytest.raises(Transient) as told:
        Builds(away, resolve).job(PLAIN)
    clean(told.value)


def test_the_check(settings: Jenkins, jenkins: JenkinsStandIn, resolve: Any) -> None:
    """It looks, and starts nothing; a wrong token is found out."""
    assert "takes the login" in check(settings, resolve)
    assert {method for method, _ in jenkins.log} == {"GET"}
    jenkins.state = 401
    with pytest.raises(Refused, match="token"):
        check(settings, resolve)
