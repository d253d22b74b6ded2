"""Who may ask and who may approve."""

from __future__ import annotations

import pytest

from bot.core.errors import Refused, Transient
from bot.core.people import Group, Rule, check_approve, check_ask, listed

GROUPS = {
    "owners": Group(users=("U1",), slack_groups=("S1",)),
    "dev": Group(users=("U9",), self_approval=True),
}
RULE = Rule(ask=("owners", "dev"), approve=("owners", "dev"))


def members(group: str) -> frozenset[str]:
    return frozenset({"U2", "U3"}) if group == "S1" else frozenset()


@pytest.mark.parametrize("user", ["U1", "U2", "U9"])
def test_members_may_ask(user: str) -> None:
    """A person of a named group may ask, whether the settings or Slack say so."""
    check_ask(user, RULE, GROUPS, members)


def test_without_a_rule_everybody_may_ask() -> None:
    """An empty list of groups means everybody."""
    check_ask("U77", Rule(), GROUPS, members)


def test_a_stranger_may_not_ask_and_is_told_who_may() -> None:
    """The refusal names the groups."""
    with pytest.raises(Refused, match="owners or dev"):
        check_ask("U77", RULE, GROUPS, members)


@pytest.mark.parametrize("user", ["U2", "U3"])
def test_another_member_may_approve(user: str) -> None:
    """Four eyes: somebody else of the group may."""
    check_approve(user, "U1", RULE, GROUPS, members)


def test_the_asker_may_not_approve() -> None:
    """Four eyes: not the asker, though a member."""
    with pytest.raises(Refused, match="cannot approve it yourself"):
        check_approve("U1", "U1", RULE, GROUPS, members)


def test_self_approval_is_a_choice_of_the_group() -> None:
    """A development group may allow it."""
    check_approve("U9", "U9", RULE, GROUPS, members)


def test_nobody_may_approve_without_a_group() -> None:
    """A command without approvers cannot be approved by anyone, and says so."""
    with pytest.raises(Refused, match="nobody"):
        check_approve("U1", "U2", Rule(), GROUPS, members)


def test_slack_is_not_asked_about_people_the_settings_know() -> None:
    """A person listed in the settings can decide while Slack is down."""

    def unreachable(_: str) -> frozenset[str]:
        raise AssertionError

    check_approve("U1", "U5", Rule(approve=("owners",)), GROUPS, unreachable)


@pytest.mark.parametrize(("names", "text"), [(("a",), "a"), (("a", "b"), "a or b"), (("a", "b", "c"), "a, b or c")])
def test_names_are_listed_as_people_do(names: tuple[str, ...], text: str) -> None:
    """Commas, then "or"."""
    assert listed(names) == text


def test_whom_the_settings_name_needs_no_slack() -> None:
    """While Slack cannot say who is in its groups, people named by their user id may ask and approve; others wait."""

    def away(group: str) -> frozenset[str]:
        raise Transient(f"Slack does not say who is in {group}.")

    check_ask("U9", RULE, GROUPS, away)
    check_approve("U9", "U2", RULE, GROUPS, away)
    check_approve("U9", "U9", RULE, GROUPS, away)
    with pytest.raises(Transient):
        check_approve("U2", "U3", RULE, GROUPS, away)
