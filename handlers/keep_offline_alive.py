"""/keep-offline-alive: use each offline token in time, so that its session does not end (runbook beside this file).

A session that nobody uses for thirty days ends, and nobody is warned. By schedule, under a standing approval.
"""

from __future__ import annotations

from pydantic import Field

from bot.core.errors import Refused, Told
from bot.core.handler import Ask, Handler
from bot.core.plan import Answer, Note, Plan, Premise, Stage, Table
from bot.core.ports import ReadTools
from bot.core.side_by_side import each
from handlers.offline_cure import refreshing
from handlers.offline_look import DAY, span
from handlers.offline_shared import holders, sessions, warned
from handlers.offline_state import untried
from handlers.offline_steps import RefreshToken, SameSession
from handlers.offline_tokens import KEEP, Name, Settings, chosen, kept_alive
from handlers.offline_verdict import Looked, look


class KeepOfflineAlive(Ask):
    """What a person types after /keep-offline-alive."""

    place: tuple[Name, ...] = Field(
        default=(), max_length=50, description="Just these offline tokens; all of the settings if left out.",
        json_schema_extra={"positional": True},
    )  # fmt: skip
    force: bool = Field(default=False, description="Also refresh those that were used a short while ago.")


def plan(ask: KeepOfflineAlive, settings: Settings, tools: ReadTools) -> Plan | Answer:
    """Propose to refresh those that are due. What is in the way of one keeps none of the others."""
    names = dict.fromkeys(ask.place or settings.places or ("",))
    known = dict(chosen(settings, name) for name in names)
    found = each(lambda name: look(name, untried(known[name]), settings, tools), known)
    looked = tuple(one for one in found if isinstance(one, Looked))
    failed = tuple(f"{name}: {one}" for name, one in zip(known, found, strict=True) if isinstance(one, Told))
    wrong = tuple(one for one in looked if one.why is not None)
    failed += tuple(f"{one.name}: {one.state(tools.now())} Ask for /fix-offline-session." for one in wrong)
    sound = tuple(one for one in looked if one.why is None)
    due = tuple(one for one in sound if ask.force or is_due(one, settings, tools.now()))
    return propose(ask, due, failed, settings, tools) if due else fresh(sound, failed, settings, tools)


def is_due(looked: Looked, settings: Settings, now: float) -> bool:
    return looked.used_at is None or now - looked.used_at >= settings.refresh_after_days * DAY


def fresh(sound: tuple[Looked, ...], failed: tuple[str, ...], settings: Settings, tools: ReadTools) -> Answer:
    rows = tuple((one.name, span(tools.now() - (one.used_at or 0.0)) + " ago") for one in sound)
    if not sound and failed:
        raise Refused(f"No offline token can be kept alive. {failed[0]}", "See the inventory for all of them.")
    return Answer(
        command=KEEP,
        title="Nothing to do: every offline token was used a short while ago",
        text=(f"Each is refreshed when it was not for {settings.refresh_after_days:g} days.",),
        table=Table(head=("offline token", "last refreshed"), rows=rows),
        warnings=failed,
        quiet=not failed,
    )


def propose(
    ask: KeepOfflineAlive, due: tuple[Looked, ...], failed: tuple[str, ...], settings: Settings, tools: ReadTools
) -> Plan:
    """One step for each session: those who share one are refreshed as one, those in one document one after another."""
    steps: dict[str, RefreshToken] = {}
    known = sessions(settings, tools)
    for one in due:
        assert one.found is not None, "only what is there is due"
        refs = holders(one.found.session, known, one.place.ref)
        if one.found.session not in steps:
            steps[one.found.session] = refreshing(one, one.found, refs, tools)
    some = f"{len(due)} offline tokens" if len(due) > 1 else f"the offline token {due[0].name}"
    paths = {one.place.path for one in due}
    return Plan(
        command=KEEP,
        title=f"Keep {some} alive",
        subject=paths.pop() if len(paths) == 1 else "offline-tokens",
        ask=ask.model_dump(mode="json"),
        stages=apart(tuple(steps.values())),
        on_failure="go_on",
        premises=premises(due),
        notes=tuple(Note(label="Last refreshed", text=one.name, at=one.used_at) for one in due if one.used_at),
        warnings=(*failed, *(said for step in steps.values() for said in warned(step.places))),
    )


def apart(steps: tuple[RefreshToken, ...]) -> tuple[Stage, ...]:
    """Stages in which no two steps write one path: each writes back the whole document that it read."""
    stages: list[list[RefreshToken]] = []
    for step in steps:
        paths = {ref.path for ref in step.places}
        free = (one for one in stages if not paths & {ref.path for other in one for ref in other.places})
        stage = next(free, None)
        if stage is None:
            stages.append([step])
        else:
            stage.append(step)
    return tuple(Stage(steps=tuple(stage)) for stage in stages)


def premises(due: tuple[Looked, ...]) -> tuple[Premise, ...]:
    return tuple(SameSession(ref=one.place.ref, session=one.found.session) for one in due if one.found is not None)


HANDLER = Handler(
    name=KEEP,
    summary="Refresh offline tokens in time, so that their sessions do not end.",
    ask=KeepOfflineAlive,
    settings=Settings,
    plan=plan,
    steps=(RefreshToken,),
    premises=(SameSession,),
    example="ocm-ci",
    needs=kept_alive,
)
