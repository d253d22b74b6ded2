"""`hivekeeper check` about schedules and standing approvals: what would be silent at three in the morning is told."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bot.doctor_schedules import schedules
from bot.findings import Finding
from bot.settings import parse
from handlers import HANDLERS

COMMANDS = {handler.name: handler for handler in HANDLERS}
ASK = {"handover_only": True}


def day(ahead: int) -> str:
    return (datetime.fromtimestamp(time.time(), UTC) + timedelta(days=ahead)).date().isoformat()


def looked(*, schedule: dict[str, Any] | None = None, standing: dict[str, Any] | None = None, **more: Any) -> Any:
    """The findings by subject, for one schedule that is covered, but for what is changed."""
    document = {
        "slack": {"channel": "C0ONE"},
        "groups": {"sre": {"users": ["U0OWN", "U0TWO"]}},
        "commands": {"rotate-hive-tokens": {"approve": ["sre"]}},
        "schedules": {"night": {"command": "rotate-hive-tokens", "every_minutes": 60, "ask": ASK} | (schedule or {})},
        "standing": {"night": {"command": "rotate-hive-tokens", "ask": ASK, "owner": "U0OWN", "until": day(99)}
                     | (standing or {})},
    }  # fmt: skip
    return {one.subject: one for one in schedules(parse(document | more, "test"), COMMANDS)}


def bad(found: dict[str, Finding]) -> dict[str, str]:
    return {subject: one.told for subject, one in found.items() if one.good is False}


def test_what_fits_together_is_well() -> None:
    """A schedule that a standing approval covers, and that one: both are told, nothing is to be put right."""
    found = looked()
    assert [(one.subject, one.good) for one in found.values()] == [("schedules.night", True), ("standing.night", True)]
    assert "standing approval night" in found["schedules.night"].told


@pytest.mark.parametrize(
    ("schedule", "words"),
    [
        ({"command": "rotate-hive-token"}, "names no command"),
        ({"ask": {"handover": True}}, "parameters are not right: handover"),
        ({"ask": {"only": "hive-frontend"}}, "standing approval night does not cover it"),
    ],
)
def test_a_schedule_that_would_do_nothing_is_told(schedule: dict[str, Any], words: str) -> None:
    """A command that there is not, parameters that it does not take, others than those approved beforehand."""
    found = looked(schedule=schedule)
    assert words in bad(found)["schedules.night"]
    assert found["schedules.night"].now


@pytest.mark.parametrize(
    ("standing", "words"),
    [
        ({"until": "31.01.2027"}, "is no day"),
        ({"until": day(-1)}, "it ended"),
        ({"command": "nothing"}, "names no command"),
        ({"ask": {"only": "hive"}}, "parameters are not right: only"),
    ],
)
def test_a_standing_approval_that_covers_nothing_is_told(standing: dict[str, Any], words: str) -> None:
    """No day, a day that is over, a command that there is not, parameters that it does not take."""
    found = looked(standing=standing)
    assert words in bad(found)["standing.night"]
    assert "schedules.night" in bad(found) or "command" in standing


@pytest.mark.parametrize(
    ("standing", "words"),
    [({"until": day(3)}, "in 4 days"), ({"owner": "U0ELSE"}, "U0ELSE is in no group"), ({"ask": {}}, "no schedule")],
)
def test_what_is_worth_knowing_of_a_standing_approval(standing: dict[str, Any], words: str) -> None:
    """It ends soon, its owner may not approve the command by hand, nothing asks for it."""
    one = looked(standing=standing)["standing.night"]
    assert one.good is None
    assert words in one.told


def test_a_schedule_that_nobody_would_hear_of_is_told() -> None:
    """With no channel, of its own or for all, what needs somebody would be posted nowhere."""
    found = looked(slack={})
    assert "posted nowhere" in bad(found)["schedules.night"]
    assert found["slack.channel"].good is None
    assert "schedules.night" not in bad(looked(slack={}, schedule={"channel": "C0TWO"}))
