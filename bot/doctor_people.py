"""`hivekeeper check` about people: can what changes something be approved?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from bot.core.handler import Handler
from bot.findings import Finding
from bot.settings import Command, Settings


def people(settings: Settings, commands: Mapping[str, Handler]) -> Iterator[Finding]:
    """Can each command that changes something be approved by enough people?"""
    for name, handler in commands.items():
        if handler.steps:
            yield from _approvers(name, settings)


def _approvers(name: str, settings: Settings) -> Iterator[Finding]:
    rule = settings.commands.get(name, Command()).rule
    groups = [settings.groups[group] for group in rule.approve]
    users = {user for group in groups for user in group.users}
    needed = rule.approvals + (not any(group.self_approval for group in groups))
    if not groups:
        told = "nobody may approve it, so a plan of it can never run."
        now = f"Name groups in commands.{name}.approve, or switch it off (enabled: false)."
        wanted = name in settings.commands  # one that the settings do not name is perhaps not wanted here
        yield Finding(subject=f"/{name}", good=False if wanted else None, told=told, now=now)
    elif len(users) < needed and not any(group.slack_groups for group in groups):
        told = f"{len(users)} may approve, but {needed} are needed so that the asker is never the only one."
        yield Finding(subject=f"/{name}", good=False, told=told, now=f"Add people to {', '.join(rule.approve)}.")
    if any(group.self_approval for group in groups):
        told = "its asker may approve alone (self_approval). That is for development."
        yield Finding(subject=f"/{name}", good=None, told=told)
