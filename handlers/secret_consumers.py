"""/secret-consumers: which CI jobs read a Vault path (runbook beside this file). Changes nothing."""

from __future__ import annotations

from pydantic import Field

from bot.core.errors import Refused
from bot.core.handler import Ask, Handler, HandlerSettings
from bot.core.plan import Answer, Table
from bot.core.ports import Consumers, ReadTools

COMMAND = "secret-consumers"
SHOWN = 20  # unreadable files named one by one; a broken checkout may have thousands


class SecretConsumers(Ask):
    """What a person types after /secret-consumers."""

    path: str = Field(
        min_length=1,
        max_length=512,
        description="Vault path as jobs write it, for example sd-uhc/sandbox; matched exactly.",
        json_schema_extra={"positional": True},
    )


class Settings(HandlerSettings):
    """Nothing of its own: where the jobs lie is in `ci_jobs.directories`."""


def plan(ask: SecretConsumers, settings: Settings, tools: ReadTools) -> Answer:  # noqa: ARG001  one signature for all handlers
    """The jobs, the keys they read, and where that was found. Refused when no directory of jobs is configured."""
    if not tools.jobs.configured():
        raise Refused(
            "The bot does not know where the CI jobs are.",
            "Name the directories of generated job XML or job-builder YAML under ci_jobs.directories in the settings.",
        )
    path = ask.path.strip().strip("/")
    if not path or not path.isprintable():
        raise Refused("That is not a Vault path.", "Write it as jobs do, for example sd-uhc/sandbox.")
    return answer(path, tools.jobs.consuming(path))


def answer(path: str, found: Consumers) -> Answer:
    count = len(found.jobs)
    jobs = "1 CI job reads" if count == 1 else f"{count or 'No'} CI jobs read"
    rows = tuple((job.name, ", ".join(job.keys) or "all", job.found_in) for job in found.jobs)
    return Answer(
        command=COMMAND,
        title=f"{jobs} {path}" if len(path) <= 100 else f"{jobs} this path",
        text=(f"Looked at {found.looked_at} files; only the exact path counts.",),
        table=Table(head=("job", "keys", "found in"), rows=rows) if rows else None,
        warnings=unreadable(found.unreadable),
    )


def unreadable(files: tuple[str, ...]) -> tuple[str, ...]:
    named = tuple(f"Skipped {file}" for file in files[:SHOWN])
    more = len(files) - SHOWN
    return (*named, f"Skipped {more} more files that could not be read.") if more > 0 else named


HANDLER = Handler(
    name=COMMAND,
    summary="List the CI jobs that read a Vault path.",
    ask=SecretConsumers,
    settings=Settings,
    plan=plan,
    example="sd-uhc/sandbox",
)
