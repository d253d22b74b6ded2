"""`hivekeeper check` about schedules and standing approvals: do they name what there is, do they fit together, and
will anybody see what comes of them?"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from bot import mistakes
from bot.core.handler import Handler
from bot.engine import standing as standings
from bot.findings import Finding
from bot.settings import Settings, Standing

SOON = 14 * 86400.0  # seconds before a standing approval ends in which that is said
Commands = Mapping[str, Handler]


def schedules(settings: Settings, commands: Commands) -> Iterator[Finding]:
    """One finding for each schedule and each standing approval, and what is wrong with it."""
    if settings.slack.channel is None:
        told = "is not set: what the command line asks for is not posted; /hivekeeper runs and App Home show it."
        yield Finding(subject="slack.channel", good=None, told=told)
    for name in settings.schedules:
        yield _schedule(name, settings, commands)
    for name, one in settings.standing.items():
        yield _standing(name, one, settings, commands)


def _schedule(name: str, settings: Settings, commands: Commands) -> Finding:
    one, place = settings.schedules[name], f"schedules.{name}"
    if bad := _asked(one.command, one.ask, place, commands):
        return bad
    if not (one.channel or settings.slack.channel):
        return _bad(place, "what it has to say is posted nowhere.", f"Set {place}.channel or slack.channel.")
    covering = standings.covering(settings.standing, one.command, one.ask, time.time())
    others = [other for other, known in settings.standing.items() if known.command == one.command]
    if covering:
        return Finding(subject=place, good=True, told=f"/{one.command} under the standing approval {covering}.")
    if others and commands[one.command].steps:
        told = f"the standing approval {others[0]} does not cover it, so that each run waits for a person."
        return _bad(place, told, f"Check the day and the exact parameters of standing.{others[0]}.")
    waits = ", each run waits for a person" if commands[one.command].steps else ""
    return Finding(subject=place, good=True, told=f"/{one.command}{waits}.")


def _standing(name: str, one: Standing, settings: Settings, commands: Commands) -> Finding:
    place, end, now = f"standing.{name}", standings.ends(one.until), time.time()
    if bad := _asked(one.command, one.ask, place, commands):
        return bad
    if end == 0:
        return _bad(place, "its last day is no day, so it covers nothing.", f'Write {place}.until as "2027-01-31".')
    if end <= now:
        return _bad(place, f"it ended with {one.until}.", f"Have its owner answer for a new day in {place}.until.")
    asked = (each for each in settings.schedules.values() if each.command == one.command)
    if not any(standings.same(each.ask, one.ask) for each in asked):
        return Finding(subject=place, good=None, told="no schedule asks for exactly this, so it covers nothing.")
    if not _may_approve(one, settings):
        told = f"its owner {one.owner} is in no group that may approve /{one.command}."
        return Finding(subject=place, good=None, told=told)
    left = f"; that is in {max(1, round((end - now) / 86400))} days" if end - now < SOON else ""
    return Finding(subject=place, good=None if left else True, told=f"it lasts to the end of {one.until}{left}.")


def _asked(command: str, ask: dict[str, Any], place: str, commands: Commands) -> Finding | None:
    """What is wrong with what it asks for, if something is."""
    if command not in commands:
        return _bad(place, "it names no command that is switched on.", f"There are: {', '.join(commands)}.")
    try:
        commands[command].ask.model_validate(ask)
    except ValidationError as error:
        return _bad(place, f"its parameters are not right: {mistakes.told(error)}.", f"Correct {place}.ask.")
    return None


def _may_approve(one: Standing, settings: Settings) -> bool:
    """As far as the settings alone say: who is in Slack's groups, they do not."""
    decided = settings.commands.get(one.command)
    groups = [settings.groups[group] for group in decided.approve] if decided else []
    return any(one.owner in group.users or group.slack_groups for group in groups)


def _bad(subject: str, told: str, now: str) -> Finding:
    return Finding(subject=subject, good=False, told=told, now=now)
