"""/run-ci-jobs: run CI jobs again on Jenkins, each once (runbook beside this file)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from bot.core.errors import Refused, Told, Transient
from bot.core.handler import Ask, Handler, HandlerSettings
from bot.core.jenkins import Build, CiJob
from bot.core.plan import Answer, Note, Plan, Report, RunRef, Stage, Step, Table
from bot.core.ports import ReadTools, Tools
from bot.core.side_by_side import each
from handlers.offline_tokens import RUN

LOOKS, APART = 10, 0.5  # how often, and how far apart in seconds, a build that was started is looked for
AT_ONCE = 8  # questions to Jenkins side by side
JobName = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.@+-]*(/[A-Za-z0-9_][A-Za-z0-9_.@+-]*)*$", max_length=200)
]
WORDS = {"not_built": "was not built", "failure": "failed", "success": "succeeded", "running": "runs"}


class RunCiJobs(Ask):
    """What a person types after /run-ci-jobs."""

    jobs: tuple[JobName, ...] = Field(
        default=(), max_length=100, description="Names of jobs; those in folders with slashes.",
        json_schema_extra={"positional": True},
    )  # fmt: skip
    consuming: str = Field(
        default="", max_length=512, description="Also every job that reads this Vault path, as /secret-consumers says."
    )


class Settings(HandlerSettings):
    """Nothing of its own: Jenkins is under `jenkins`, where the jobs lie under `ci_jobs.directories`."""


class RunCiJob(Step):
    """Start a build, unless the one of this plan is in the queue or was begun. It cannot be taken back."""

    kind: Literal["jenkins.run-job"] = "jenkins.run-job"
    job: str
    marker: str
    since: int

    def says(self) -> str:
        return f"Run {self.job}"

    def done(self, tools: ReadTools) -> bool:
        return self.build(tools) is not None

    def do(self, tools: Tools, run: RunRef) -> None:
        tools.jenkins.start(self.job, self.marker, since=self.since)
        for _ in range(LOOKS):
            if (build := self.build(tools)) is not None:
                run.tell(told(build))
                return
            run.pause(APART)
        raise Transient(f"Jenkins took the build of {self.job}, and does not show it yet.", "It is looked for again.")

    def build(self, tools: ReadTools) -> Build | None:
        return tools.jenkins.find(self.job, self.marker, since=self.since)


def plan(ask: RunCiJobs, settings: Settings, tools: ReadTools) -> Plan | Answer:  # noqa: ARG001  one signature for all handlers
    """Look at each job, and propose to run those that can be. What cannot is told, and keeps none of the others."""
    if not tools.jenkins.configured():
        raise Refused("The bot knows no Jenkins.", "Set jenkins.address, jenkins.user and jenkins.token.")
    names, troubles = wanted(ask, tools)
    found = each(tools.jenkins.job, names, at_most=AT_ONCE)
    jobs = tuple(one for one in found if isinstance(one, CiJob) and one.buildable)
    troubles += tuple(
        trouble for name, one in zip(names, found, strict=True) if (trouble := in_the_way(name, one)) is not None
    )
    if not jobs:
        return nothing(names, found, troubles)
    marker = f"hivekeeper-{int(tools.now() * 1000):x}"
    steps = tuple(RunCiJob(job=job.name, marker=marker, since=job.next_number) for job in jobs)
    return Plan(
        command=RUN,
        title=f"Run {len(jobs)} CI jobs again" if len(jobs) > 1 else f"Run {jobs[0].name} again"[:150],
        subject="jenkins",
        ask=ask.model_dump(mode="json"),
        stages=(Stage(steps=steps),),
        on_failure="go_on",
        notes=tuple(Note(label="Runs already", text=job.name) for job in jobs if job.last == "running"),
        warnings=troubles,
    )


def wanted(ask: RunCiJobs, tools: ReadTools) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The jobs that are named and those that read the path, and what could not be looked through for the latter."""
    names, path = list(ask.jobs), ask.consuming.strip().strip("/")
    troubles: tuple[str, ...] = ()
    if path:
        consumers = tools.jobs.consuming(path)
        names += [job.name for job in consumers.jobs]
        skipped = len(consumers.unreadable)
        troubles = (f"{skipped} files of jobs could not be read: /secret-consumers names them.",) if skipped else ()
    if not names:
        what = f"No CI job reads {path}." if path else "It has to be said which jobs."
        raise Refused(what, "Name jobs, or a Vault path with consuming=.")
    return tuple(dict.fromkeys(names)), troubles


def in_the_way(name: str, found: CiJob | Told | None) -> str | None:
    """Why a job cannot be run; None if it can."""
    if found is None:
        return f"{name}: Jenkins has no such job, or the bot may not see it."
    if isinstance(found, Told):
        return f"{name}: {found}"
    return None if found.buildable else f"{name}: it is switched off in Jenkins."


def nothing(names: tuple[str, ...], found: tuple[CiJob | Told | None, ...], troubles: tuple[str, ...]) -> Answer:
    """When one thing is in the way of all, it is said as the error that it is."""
    errors = {str(one): one for one in found if isinstance(one, Told)}
    if len(errors) == 1 and all(isinstance(one, Told) for one in found):
        raise next(iter(errors.values()))
    some = f"none of {len(names)} CI jobs can" if len(names) > 1 else f"{names[0]} cannot"
    return Answer(command=RUN, title=f"Nothing was started: {some} be run"[:150], warnings=troubles)


def report(plan: Plan, settings: Settings, tools: ReadTools) -> Report:  # noqa: ARG001  one signature for all handlers
    """How each build stands now; nobody waits for its end."""
    steps = tuple(step for _, _, step in plan.steps if isinstance(step, RunCiJob))
    builds = each(lambda step: step.build(tools), steps, at_most=AT_ONCE)
    rows = tuple((step.job, _told(build)) for step, build in zip(steps, builds, strict=True))
    return Report(table=Table(head=("job", "build"), rows=rows))


def _told(build: Build | Told | None) -> str:
    if isinstance(build, Told):
        return build.what
    return "not started" if build is None else told(build)


def told(build: Build) -> str:
    """How a build stands, in words."""
    if build.number is None:
        return "waits in the queue"
    return f"#{build.number} {WORDS.get(build.state, build.state)}"


HANDLER = Handler(
    name=RUN,
    summary="Run CI jobs again on Jenkins, each once.",
    ask=RunCiJobs,
    settings=Settings,
    plan=plan,
    steps=(RunCiJob,),
    example="service-uhc-clusters-service-ocm-pr-check",
    report=report,
)
