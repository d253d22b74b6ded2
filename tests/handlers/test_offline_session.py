"""Refusals of Red Hat SSO are told apart by their words, wherever those stand in a log."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import handlers
from bot.core.alert import Alert
from bot.core.diagnosis import Mood, Subject
from bot.core.ports import ReadTools
from handlers import ALERT_HANDLERS
from handlers.offline_session import REFUSALS, Settings, diagnose, which

HANDLER = next(handler for handler in ALERT_HANDLERS if handler.name == "offline-session")
RUNBOOK = (Path(handlers.__file__).parent / "offline_session.md").read_text(encoding="utf-8")
NOTHING: Any = None  # a diagnosis of a text reads no outside system
TOOLS = ReadTools(NOTHING, NOTHING, NOTHING, NOTHING, NOTHING, NOTHING, now=lambda: 0.0)

SAID = [
    ("can't get access token: invalid_grant: Offline user session not found", "session_not_found"),
    ("can't get access token: invalid_grant: Offline session not active", "session_not_active"),
    ("can't get access token: invalid_grant: Session not active", "ordinary_session"),
    ("can't get access token: invalid_grant: Token is not active", "token_not_active"),
    ("can't get access token: invalid_grant: Invalid refresh token", "invalid_token"),
    (
        "invalid_grant: Invalid refresh token. Token client and authorized client don't match",
        "wrong_client",
    ),
    ("invalid_grant: Stale token", "stale_token"),
    ("invalid_grant: Stale refresh token", "stale_token"),
    ("invalid_grant: Maximum allowed refresh token reuse exceeded", "stale_token"),
    ("invalid_grant: Session doesn't have required client", "client_session_ended"),
    ("invalid_grant: Client session not active", "client_session_ended"),
    ("invalid_grant: Unmatching clients", "wrong_client"),
    ("invalid_grant: User disabled", "owner_disabled"),
    ("can't get access token: invalid_request: No refresh token", "no_token"),
    ("can't get access token: unauthorized_client: Invalid client or Invalid client credentials", "client_refused"),
    ("can't get access token: invalid_client: Invalid client or Invalid client credentials", "client_refused"),
    ("can't get access token: invalid_grant: something new", "refused"),
    ('{"error":"invalid_grant","error_description":"Offline user session not found"}', "session_not_found"),
    ("CAN’T GET ACCESS TOKEN: INVALID_GRANT:\n   offline user\n session not found", "session_not_found"),
]


def subject(text: str = "", *alerts: Alert) -> Subject:
    return Subject(incident="i-a", key="", alerts=alerts, text=text, began=0.0)


@pytest.mark.parametrize(("text", "verdict"), SAID)
def test_each_refusal_is_known(text: str, verdict: str) -> None:
    """Each of the server's answers gets its own verdict, in the middle of a log and in whatever case."""
    log = f"[2026-01-02] step 7\nlevel=error msg={text}\nexit status 1"
    assert HANDLER.recognises(log)
    found = diagnose(subject(log), Settings(), TOOLS)
    assert (found.verdict, found.mood, found.over) == (verdict, Mood.BAD, False)
    assert found.steps[-1].name == "run-again"


@pytest.mark.parametrize(
    "text", ["", "all quiet", "session not active", "401 Unauthorized from hive", "invalid_client"]
)
def test_other_texts_are_left_alone(text: str) -> None:
    """Words that other logs have too are not taken for a refusal."""
    assert not HANDLER.recognises(text)


def test_the_table_of_the_runbook() -> None:
    """Every description in the runbook's table is recognised, and every refusal of the code has its row."""
    rows = [line.split("|")[1:4] for line in RUNBOOK.splitlines() if line.startswith("| invalid") or "| unauth" in line]
    found = {
        one.verdict
        for error, descriptions, _ in rows
        for error in error.split(",")
        for description in descriptions.split(";")
        if (one := which(f"can't get access token: {error.strip()}: {description.strip()}"))
    }
    assert found == {one.verdict for one in REFUSALS} - {"refused"}


def test_an_alert_is_read_too() -> None:
    """The words may stand in an annotation; when it is resolved the story is over."""
    said = {"description": SAID[0][0]}
    firing = Alert(identity="a", status="firing", annotations=said, starts_at=0.0)
    assert diagnose(subject("", firing), Settings(), TOOLS).verdict == "session_not_found"
    over = diagnose(subject("", firing.model_copy(update={"status": "resolved"})), Settings(), TOOLS)
    assert (over.mood, over.over) == (Mood.WATCH, True)


def test_the_cure_is_offered_where_there_is_one() -> None:
    """A button if its command is enabled; else the runbook's step, to be ticked."""
    (renew, *_) = diagnose(subject(SAID[0][0]), Settings(), TOOLS).steps
    assert renew.offer is None
    assert renew.text.startswith("Get a new offline token")
    able = replace(TOOLS, commands=frozenset({"fix-offline-session"}))
    (renew, *_) = diagnose(subject(SAID[0][0]), Settings(), able).steps
    assert renew.offer is not None
    assert renew.offer.command == "fix-offline-session"


def test_nothing_of_the_log_is_repeated(canary: Any) -> None:
    """A log may hold the token: not a word of it is shown."""
    token = canary("offline token in a log")
    found = diagnose(subject(f"{SAID[0][0]} refresh_token={token}"), Settings(), TOOLS)
    assert token not in found.model_dump_json()


def test_what_is_not_recognised() -> None:
    """An alert of ours without the words is said to be unknown, not guessed at."""
    found = diagnose(subject("nothing of the kind"), Settings(), TOOLS)
    assert (found.verdict, found.mood, found.over) == ("not_recognised", Mood.UNKNOWN, False)


@given(st.text(max_size=300), st.sampled_from([text for text, _ in SAID]), st.text(max_size=300))
def test_whatever_stands_around_it(before: str, text: str, after: str) -> None:
    """A refusal stays recognised in any company, and any text gets a diagnosis."""
    assert HANDLER.recognises(f"{before}\n{text}\n{after}")
    assert diagnose(subject(before + after), Settings(), TOOLS).title
