"""Runbook and code hold on to each other, and the handlers to what the machine expects of them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

import handlers
from bot.core.handler import Handler
from bot.settings import load
from handlers import HANDLERS

ROOT = Path(handlers.__file__).parent
EXAMPLE = ROOT.parent / "docs" / "settings.example.yaml"


def runbook(handler: Handler) -> tuple[dict[str, object], str]:
    text = (ROOT / f"{handler.name.replace('-', '_')}.md").read_text(encoding="utf-8")
    _, front, body = text.split("---\n", 2)
    return yaml.safe_load(front), body


@pytest.mark.parametrize("handler", HANDLERS, ids=lambda handler: handler.name)
def test_each_marker_is_a_step_and_each_step_has_one(handler: Handler) -> None:
    """The steps marked in the runbook are the kinds of step the handler uses, in the order of the list."""
    front, body = runbook(handler)
    marked = re.findall(r"^\d+\. .*<!-- step: ([a-z.-]+) -->$", body, re.MULTILINE)
    assert marked == [kind.model_fields["kind"].default for kind in handler.steps]
    assert body.count("<!-- step:") == len(marked)
    assert front["command"] == handler.name
    assert front["title"]


@pytest.mark.parametrize("handler", HANDLERS, ids=lambda handler: handler.name)
def test_parameters_and_settings_explain_themselves(handler: Handler) -> None:
    """Every parameter and every setting has a description; the summary fits a manifest."""
    assert all(field.description for field in handler.ask.model_fields.values())
    assert all(field.description for field in handler.settings.model_fields.values())
    assert len(handler.summary) <= 100


def test_names_are_unique() -> None:
    """No two handlers share a name, and no two kinds of step one kind."""
    assert len({handler.name for handler in HANDLERS}) == len(HANDLERS)
    steps = {step for handler in HANDLERS for step in handler.steps}
    assert len({step.model_fields["kind"].default for step in steps}) == len(steps)


def test_the_example_settings() -> None:
    """The example loads, names every handler, and gives places to every account."""
    settings = load(EXAMPLE)
    assert set(settings.commands) == {handler.name for handler in HANDLERS}
    for handler in HANDLERS:
        handler.settings.model_validate(settings.commands[handler.name].settings)
    accounts = settings.commands["rotate-hive-tokens"].settings["accounts"]
    assert all(account["places"] for account in accounts)


def test_the_example_is_the_default() -> None:
    """But for the places, the example shows the defaults of the code, so it cannot go stale."""
    for handler in HANDLERS:
        shown = handler.settings.model_validate(load(EXAMPLE).commands[handler.name].settings).model_dump()
        default = handler.settings().model_dump()
        for accounts in (shown.get("accounts", ()), default.get("accounts", ())):
            for account in accounts:
                account.pop("places")
        assert shown == default


def test_the_example_shows_every_setting() -> None:
    """Each field of the settings, in use or commented out, has its line in the example."""
    from bot import settings

    text = EXAMPLE.read_text(encoding="utf-8")
    parts = [part for part in vars(settings).values() if isinstance(part, type) and issubclass(part, settings.Part)]
    missing = {
        f"{part.__name__}.{name}" for part in parts for name in part.model_fields if not re.search(rf"\b{name}:", text)
    }
    assert not missing
