"""Who may ask, who may approve. Pure rules; membership is read afresh by the engine for every decision."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Annotated

from pydantic import AfterValidator, Field

from bot.core.errors import Refused
from bot.core.value import Value


def _person(text: str) -> str:
    if not re.fullmatch(r"[UW][A-Z0-9]+|cli:.+", text):
        raise ValueError("must be a Slack user id such as U0123456789 (in the profile: Copy member ID), or cli:LOGIN")
    return text


def _slack_group(text: str) -> str:
    if not re.fullmatch(r"S[A-Z0-9]+", text):
        raise ValueError("must be the id of a Slack user group such as S0123456789 (Copy group ID)")
    return text


Person = Annotated[str, AfterValidator(_person)]
SlackGroup = Annotated[str, AfterValidator(_slack_group)]


class Group(Value):
    """People named in the settings: Slack user ids (U…, W…), logins at the terminal (cli:…), Slack user groups (S…)."""

    users: tuple[Person, ...] = ()
    slack_groups: tuple[SlackGroup, ...] = ()
    self_approval: bool = Field(default=False, description="May the asker approve too? For development only.")


class Rule(Value):
    """The rule of one command. `ask` empty: everybody may ask. Times in seconds."""

    ask: tuple[str, ...] = ()
    approve: tuple[str, ...] = ()
    approvals: int = Field(default=1, ge=1, le=10)
    expires_after: float = Field(default=3600, gt=0, le=30 * 86400)
    escalate_to: str | None = None


Members = Callable[[str], frozenset[str]]  # Slack user group id -> user ids, read now


def belongs(user: str, group: Group, members: Members) -> bool:
    """Is the user in the group? Slack is asked only when the settings alone do not say so."""
    return user in group.users or any(user in members(g) for g in group.slack_groups)


def groups_of(user: str, names: tuple[str, ...], groups: dict[str, Group], members: Members) -> Iterator[Group]:
    """Those of the named groups that the user is in, one by one: first where the settings name the user, so that such
    people may still act while Slack cannot say who is in its groups."""
    for group in sorted((groups[name] for name in names), key=lambda group: user not in group.users):
        if belongs(user, group, members):
            yield group


def check_ask(user: str, rule: Rule, groups: dict[str, Group], members: Members) -> None:
    """Raises Refused unless the user may ask."""
    if rule.ask and not any(groups_of(user, rule.ask, groups, members)):
        raise Refused("You may not ask for this command.", f"Ask someone in {listed(rule.ask)} to do it.")


def check_approve(user: str, asker: str, rule: Rule, groups: dict[str, Group], members: Members) -> None:
    """Raises Refused unless the user may approve what the asker asked for (four eyes by default)."""
    is_member = False
    for group in groups_of(user, rule.approve, groups, members):
        if user != asker or group.self_approval:
            return
        is_member = True
    if not is_member:
        raise Refused("You may not decide this plan.", f"Someone in {listed(rule.approve)} can.{unnamed(user)}")
    raise Refused(
        "You asked for this plan, so you cannot approve it yourself.", f"Someone else in {listed(rule.approve)} can."
    )


def unnamed(user: str) -> str:
    """What somebody at a terminal has to know whom the settings do not name: what they are taken for there."""
    return f" At this terminal you are {user}; `people` in the settings says who that is." if ":" in user else ""


def listed(names: tuple[str, ...]) -> str:
    """Names as people write them: "a", "a or b", "a, b or c"."""
    if not names:
        return "nobody (no group is configured)"
    return " or ".join(filter(None, [", ".join(names[:-1]), names[-1]]))
