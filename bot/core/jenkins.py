"""Jenkins as handlers see it: jobs by name, and builds that are started once and found again.

A job in folders is named with slashes ("team/service-ocm-pr-check"). A build is known by a marker, as a parameter of
the build, where the job declares one for it; and by the bot's own user as the cause of a build that is numbered from
`since` on, which is the number that the next build was to have when the plan was made: what another run has begun since
then need not be begun again.
"""

from __future__ import annotations

from typing import Literal, Protocol

from bot.core.value import Value

State = Literal["queued", "running", "success", "unstable", "failure", "aborted", "not_built"]


class CiJob(Value):
    """A job. `next_number`: of its next build. `marks`: does it declare the parameter for our marker? `last`: how its
    newest build stands, None if it never ran."""

    name: str
    buildable: bool
    parameterized: bool
    marks: bool
    next_number: int
    last: State | None = None


class Build(Value):
    """A build of ours. `number` is None while it waits in the queue."""

    job: str
    state: State
    number: int | None = None


class JenkinsReader(Protocol):
    def configured(self) -> bool: ...

    def job(self, name: str) -> CiJob | None:
        """None when there is no such job, or the bot may not see it."""
        ...

    def find(self, name: str, marker: str, *, since: int) -> Build | None:
        """The build with this marker, or of ours since then: in the queue, or begun. Refused or Transient when Jenkins
        does not say."""
        ...


class Jenkins(JenkinsReader, Protocol):
    def start(self, name: str, marker: str, *, since: int) -> None:
        """Start a build, unless there is one already. Transient when it cannot be said whether it was started:
        `find` tells."""
        ...
