"""The schedules and standing approvals that the example of the settings shows in comments work as they stand there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

import handlers
from bot.core.handler import Handler
from bot.engine.standing import covering
from bot.settings import Settings, parse

EXAMPLE = Path(handlers.__file__).parents[1] / "docs" / "settings.example.yaml"
NOW = 1_795_000_000.0
HOURS = 12  # that a login of Amazon lasts
KNOWN: dict[str, Handler] = {one.name: one for one in handlers.HANDLERS}


@pytest.fixture(scope="module")
def settings() -> Settings:
    """The example with its schedules switched on, as a person would: by taking the comment marks away."""
    text = EXAMPLE.read_text()
    begin = text.index("\nstanding: {}")
    end = text.index("\n# The credentials that commands look after")
    shown = re.sub(r"(?m)^#(  .*)$", r"\1", text[begin:end].replace(": {}", ":"))
    return parse(yaml.safe_load(text[:begin] + shown + text[end:]), "the example")


def test_each_schedule_acts_without_a_click(settings: Settings) -> None:
    """Its command is one of ours, takes the parameters, and a standing approval is for exactly these."""
    assert settings.schedules
    for name, one in settings.schedules.items():
        KNOWN[one.command].ask.model_validate(one.ask)
        assert covering(settings.standing, one.command, one.ask, NOW) == name
    assert set(settings.standing) == set(settings.schedules)


def test_logins_are_renewed_in_time(settings: Settings) -> None:
    """Every ten hours, a little apart, caught up with after a night off; even the latest tick leaves an hour and more."""
    ecr = settings.schedules["ecr"]
    assert (ecr.command, ecr.every_minutes, ecr.catch_up) == ("refresh-ecr", 600, True)
    assert ecr.jitter_minutes > 0
    assert HOURS * 60 - ecr.every_minutes - ecr.jitter_minutes > 90, "else people are told of logins that end soon"
    assert set(ecr.ask["env"]) <= set(settings.commands["refresh-ecr"].settings["environments"])
