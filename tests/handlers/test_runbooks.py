"""Runbook and code hold on to each other, and the handlers to what the machine expects of them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import handlers
from bot.core.handler import Handler
from bot.core.runbook import named
from bot.settings import load
from handlers import ALERT_HANDLERS, HANDLERS, image_pull_diagnosis, offline_session, redhat_auth_diagnosis
from handlers.redhat_auth import ALERT
from handlers.redhat_auth_verdict import Verdict
from handlers.shelf import ours

ROOT = Path(handlers.__file__).parent
EXAMPLE = ROOT.parent / "docs" / "settings.example.yaml"


DIAGNOSES = {
    "diagnose-redhat-auth": redhat_auth_diagnosis.STEPS,
    "offline-session": offline_session.STEPS,
    "diagnose-image-pull": image_pull_diagnosis.STEPS,
}
NAMES = tuple(dict.fromkeys([*(h.name for h in HANDLERS), *(h.runbook for h in ALERT_HANDLERS)]))


@pytest.mark.parametrize("name", NAMES)
def test_each_marker_is_a_step_and_each_step_has_one(name: str) -> None:
    """The markers of a runbook are the kinds of step its handler uses, or the steps that a diagnosis calls for, in the
    order of the list."""
    book = ours(name)
    kinds = [kind.model_fields["kind"].default for h in HANDLERS if h.name == name for kind in h.steps]
    assert list(book.markers) == [*kinds, *DIAGNOSES.get(name, ())]
    assert book.warnings == ()
    assert book.front["title"] == book.title
    assert {book.front.get("command"), book.front.get("alert")} & {name, ALERT}


def test_every_runbook_belongs_to_something() -> None:
    """No Markdown file lies beside the handlers without a handler."""
    assert {named(path.name) for path in ROOT.glob("*.md")} == set(NAMES)


def test_each_step_is_called_for_by_a_verdict() -> None:
    """No step of a diagnosis' runbook is dead; no verdict calls for one that is not there."""
    called = {step for steps in redhat_auth_diagnosis.CALLED.values() for step in steps} | {"check-endpoint"}
    assert called == set(redhat_auth_diagnosis.STEPS)
    assert {step for one in offline_session.REFUSALS for step in one.steps} == set(offline_session.STEPS)
    assert set(redhat_auth_diagnosis.CALLED) == set(redhat_auth_diagnosis.TITLES) == set(Verdict)


def test_each_verdict_stands_in_the_runbook() -> None:
    """What the bot may say is explained where people look it up."""
    text = (ROOT / "diagnose_redhat_auth.md").read_text(encoding="utf-8")
    for verdict in Verdict:
        assert f"| {verdict.value} |" in text or (verdict.value.startswith("no_data_") and "| no_data_… |" in text)


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
    """But for places, environments and clusters, which are everybody's own, the example shows the defaults of the code,
    so it cannot go stale."""
    commands = load(EXAMPLE).commands
    for handler in HANDLERS:
        shown = handler.settings.model_validate(commands[handler.name].settings).model_dump()
        default = handler.settings().model_dump()
        for accounts in (shown.get("accounts", ()), default.get("accounts", ())):
            for account in accounts:
                account.pop("places")
        for own in ("environments", "clusters", "places"):
            shown.pop(own, None), default.pop(own, None)
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
