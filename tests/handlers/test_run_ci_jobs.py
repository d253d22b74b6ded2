"""CI jobs are run again, each once, whatever happens to the bot meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import pytest

from bot.calling import Jenkins
from bot.core.errors import Refused, Transient
from bot.core.plan import Answer, Plan, RunRef
from bot.core.ports import ReadTools, Tools
from bot.core.secret import Secret
from bot.sources import FromEnv
from bot.tools.jenkins import Builds
from bot.tools.jobs import JobFiles
from handlers.run_ci_jobs import HANDLER, RunCiJobs, Settings, plan, report
from playground.jenkins import JenkinsStandIn
from playground.server import run_in_thread

NOTHING: Any = None  # systems that nothing here is asked of
ONE, OTHER, OFF = "one-pr-check", "team/other-pr-check", "switched-off"


@dataclass
class Scene:
    jenkins: JenkinsStandIn
    tools: Tools
    now: float = 1_900_000_000.0

    @property
    def read_tools(self) -> ReadTools:
        whole = {one.name: getattr(self.tools, one.name) for one in fields(ReadTools)}
        return ReadTools(**whole)

    def ask(self, *jobs: str, consuming: str = "") -> Plan | Answer:
        return plan(RunCiJobs(jobs=jobs, consuming=consuming), Settings(), self.read_tools)

    def plan(self, *jobs: str, consuming: str = "") -> Plan:
        made = self.ask(*jobs, consuming=consuming)
        assert isinstance(made, Plan)
        return made

    def apply(self, made: Plan) -> None:
        for _, _, step in made.steps:
            if not step.done(self.read_tools):
                step.do(self.tools, RunRef(id="run-1", pause=lambda _: None))
                assert step.done(self.read_tools)

    def rows(self, made: Plan) -> tuple[tuple[str, ...], ...]:
        table = report(made, Settings(), self.read_tools).table
        assert table is not None
        return table.rows


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[Any, str]]:
    class Stage:
        app: Any = None

        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] == "http":
                await self.app(scope, receive, send)

    stage = Stage()
    running = run_in_thread(stage)
    yield stage, running.url
    running.stop()


@pytest.fixture
def scene(server: tuple[Any, str], canary: Any, tmp_path: Path) -> Scene:
    stage, url = server
    token = canary("token")
    jenkins = JenkinsStandIn("hivekeeper", token)
    jenkins.add(ONE), jenkins.add(OTHER, parameters=("HIVEKEEPER_RUN",)), jenkins.add(OFF, buildable=False)
    stage.app = jenkins.app()
    job = tmp_path / ONE / "config.xml"
    job.parent.mkdir()
    secret = "com.datapipe.jenkins.vault.model.VaultSecret"
    job.write_text(f"<project><{secret}><path>sd-uhc/sandbox</path></{secret}></project>", encoding="utf-8")
    settings = Jenkins(address=url, user="hivekeeper", token=FromEnv(env="TOKEN"), timeout=60)
    builds = Builds(settings, lambda _: Secret(token))
    made = Scene(jenkins, NOTHING)
    made.tools = Tools(NOTHING, NOTHING, NOTHING, NOTHING, NOTHING, JobFiles((tmp_path,)), now=lambda: made.now,
                       jenkins=builds)  # fmt: skip
    return made


def test_each_is_run_once(scene: Scene) -> None:
    """Asked again after a crash, each job has still one build; the report says how they stand."""
    made = scene.plan(ONE, OTHER)
    assert made.on_failure == "go_on"
    assert not any(step.reversible for _, _, step in made.steps)
    for _ in range(2):
        scene.apply(made)
    assert [len(scene.jenkins.jobs[name].builds) for name in (ONE, OTHER)] == [1, 1]
    scene.jenkins.end(ONE, "FAILURE")
    assert scene.rows(made) == ((ONE, "#1 failed"), (OTHER, "#1 runs"))


def test_a_later_plan_runs_them_again(scene: Scene) -> None:
    """What another plan started is not taken for this one's."""
    scene.apply(scene.plan(ONE, OTHER))
    scene.now += 60
    made = scene.plan(ONE, OTHER)
    assert {note.text for note in made.notes if note.label == "Runs already"} == {ONE, OTHER}
    scene.apply(made)
    assert [len(scene.jenkins.jobs[name].builds) for name in (ONE, OTHER)] == [2, 2]


@pytest.mark.parametrize("quiet", [False, True])
def test_two_who_press_the_same_button_run_each_once(scene: Scene, quiet: bool) -> None:
    """Both plans are approved: what the first has started, or put into the queue, is what the second wanted."""
    scene.jenkins.quiet = quiet
    plans = [scene.plan(ONE, OTHER), scene.plan(ONE, OTHER)]
    scene.now += 1
    plans.append(scene.plan(ONE, OTHER))
    for made in plans:
        scene.apply(made)
    scene.jenkins.begin()
    assert [len(scene.jenkins.jobs[name].builds) for name in (ONE, OTHER)] == [1, 1]


def test_those_that_read_a_path(scene: Scene) -> None:
    """As the report of a cure offers it; a path that nobody reads is said to be one."""
    made = scene.plan(OTHER, consuming="/sd-uhc/sandbox/")
    assert [step.says() for _, _, step in made.steps] == [f"Run {OTHER}", f"Run {ONE}"]
    with pytest.raises(Refused, match="No CI job reads"):
        scene.ask(consuming="sd-uhc/other")
    with pytest.raises(Refused, match="which jobs"):
        scene.ask()


def test_what_cannot_be_run(scene: Scene) -> None:
    """It is told, and keeps none of the others; alone it is an answer."""
    made = scene.plan(ONE, OFF, "nowhere")
    assert len(made.steps) == 1
    assert any("switched off" in warning for warning in made.warnings)
    assert any("no such job" in warning for warning in made.warnings)
    answer = scene.ask(OFF)
    assert isinstance(answer, Answer)
    assert "Nothing was started" in answer.title


def test_a_jenkins_in_trouble(scene: Scene) -> None:
    """Away while planning: asked again, as one thing that is in the way of all."""
    scene.jenkins.state = 503
    with pytest.raises(Transient):
        scene.ask(ONE, OTHER)


def test_a_jenkins_that_queues_nothing(scene: Scene) -> None:
    """It answers as if, and there is no build: that is not taken for one."""
    made = scene.plan(ONE)
    scene.jenkins.state = "shutting down"
    with pytest.raises(Transient, match="does not show it"):
        scene.apply(made)


def test_without_a_jenkins(scene: Scene) -> None:
    """The settings to make are named."""
    scene.tools = Tools(NOTHING, NOTHING, NOTHING, NOTHING, NOTHING, NOTHING, now=lambda: 0.0)
    with pytest.raises(Refused, match="no Jenkins") as told:
        scene.ask(ONE)
    assert "jenkins.address" in told.value.now


@pytest.mark.parametrize("name", ["../admin", "a//b", "a?b", "", "a b", "/x", "a/../b"])
def test_what_is_no_name_of_a_job(name: str) -> None:
    """It never comes near an address."""
    from bot.core.ask import AskError, read

    with pytest.raises(AskError):
        read({"jobs": [name]}, HANDLER)
