"""Runs from a terminal: shown, approved, denied, cancelled, and the audit log about it."""

from __future__ import annotations

import json
import os
import pwd
from typing import Any

import pytest
import sqlalchemy as sa

APPROVER, LOGIN = "U0APPROVER", pwd.getpwuid(os.getuid()).pw_name


def test_a_run_is_listed_and_shown(terminal: Any, run: str) -> None:
    """A line in the list; in full its changes, its steps, what a failure means, and until when it waits."""
    assert f"{run}  proposed  /rotate-hive-tokens" in terminal.type("runs", "--open")
    shown = terminal.type("show", run.upper())
    assert "If a step fails, what was done is put back. Before the first step" in shown
    assert "2.1 Replace hive › clusters › 0 › frontend_token" in shown
    assert "waits for approval until" in shown
    assert json.loads(terminal.type("show", run, "--json"))["state"] == "proposed"
    terminal.type("show", "r-nowhere")
    assert (terminal.code, "There is no run" in terminal.told) == (1, True)


def test_only_others_in_the_group_may_approve(terminal: Any, run: str) -> None:
    """The asker, a stranger and a login that the settings do not map are refused with status 1; the approver is not."""
    for who in ("U0ASKER", "U0STRANGER"):
        assert "may not decide" in terminal.type("approve", run, by=who)
        assert terminal.code == 1
    path = terminal.settings("unmapped", people={})
    refused = terminal.call("approve", run, "--settings", str(path))
    assert "may not decide" in refused
    assert f"At this terminal you are cli:{LOGIN}; `people` in the settings" in refused
    assert "Approved. It starts now." in terminal.type("approve", run, by=APPROVER)
    assert terminal.code == 0
    assert "approved already" in terminal.type("approve", run, by=APPROVER)
    assert terminal.code == 1


def test_the_login_is_not_what_the_environment_says(terminal: Any, run: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """$USER and $LOGNAME are anybody's to set: they make nobody an approver."""
    for name in ("USER", "LOGNAME", "USERNAME", "SUDO_USER"):
        monkeypatch.setenv(name, "boss")
    path = terminal.settings("boss", people={"boss": APPROVER})
    assert "may not decide" in terminal.call("approve", run, "--settings", str(path))


def test_another_digest_is_not_approved(terminal: Any, run: str) -> None:
    """Who names what was read gets exactly that or nothing."""
    outcome = json.loads(terminal.type("approve", run, "--digest", "0" * 64, "--json", by=APPROVER))
    assert (terminal.code, outcome["accepted"]) == (1, False)


def test_a_denial_gives_its_reason(terminal: Any, run: str) -> None:
    """Without one it is wrong usage (2); with one it is shown, in one line whatever it holds."""
    terminal.type("deny", run, by=APPROVER)
    assert terminal.code == 2
    assert "Denied" in terminal.type("deny", run, "--reason", "not\ntonight \x1b[2J", by=APPROVER)
    assert f"deny by {APPROVER}, " in terminal.type("show", run)
    assert "not tonight �[2J" in terminal.type("show", run)


def test_the_asker_can_take_it_back(terminal: Any, run: str) -> None:
    """Cancelled by the asker, who is told so when denying it is refused; a stranger cannot."""
    assert f"/hivekeeper cancel {run} takes it back" in terminal.type("deny", run, "--reason", "not now")
    assert "Only the asker or an approver" in terminal.type("cancel", run, by="U0STRANGER")
    assert "Cancelled." in terminal.type("cancel", run)
    assert terminal.code == 0


def test_the_audit_log_is_proven_and_exported(terminal: Any, run: str) -> None:
    """Every entry as a JSON line; a change made behind our back ends `verify` with status 1."""
    terminal.type("approve", run, by="U0STRANGER")
    entries = [json.loads(line) for line in terminal.type("audit", "export").splitlines()]
    assert [entry["what"] for entry in entries] == ["asked", "proposed", "refused_decision"]
    assert "All 3 entries" in terminal.type("audit", "verify")
    assert json.loads(terminal.type("audit", "verify", "--json")) | {"told": ""} == {
        "ok": True, "entries": 3, "first_bad": None, "told": "",
    }  # fmt: skip
    engine = sa.create_engine(f"sqlite:///{terminal.folder}/data/hivekeeper.sqlite")
    with engine.begin() as conn:
        conn.exec_driver_sql("DROP TRIGGER audit_no_update")
        conn.exec_driver_sql("UPDATE audit SET who = 'somebody else' WHERE number = 2")
    engine.dispose()
    assert "Entry 2" in terminal.type("audit", "verify")
    assert terminal.code == 1
