"""Asking from a terminal: `plan` only looks, `run` proposes and follows."""

from __future__ import annotations

import json
import os
import pwd
import subprocess
import sys
from typing import Any

import pytest

from playground.ci_jobs import NINE
from playground.world import ACCOUNTS, HANDOVER
from tests.waiting import until

APPROVER, LOGIN = "U0APPROVER", pwd.getpwuid(os.getuid()).pw_name


def handed_over(terminal: Any) -> bool:
    there = terminal.vault.vault.get(HANDOVER)
    produced = [terminal.vault.vault.get(account.source)["token"] for account in ACCOUNTS]
    return [there[account.handover_field] for account in ACCOUNTS] == produced


def test_a_plan_is_shown_and_nothing_is_stored(terminal: Any) -> None:
    """Each step and fingerprint for a person, the digest with --json; no run, no change in Vault."""
    said = terminal.type("plan", "rotate-hive-tokens", "hive-frontend")
    assert terminal.code == 0
    assert "hive-frontend (system:serviceaccount:hive:hive-frontend): " in said
    assert "1.1 Write hive-frontend-token to sd-uhc/sandbox-tokens" in said
    made = json.loads(terminal.type("plan", "/rotate-hive-tokens", "only=hive-frontend", "--json"))
    assert len(made["digest"]) == 64
    for words in (("runs",), ("audit", "verify"), ("approve", "r-aaaaaaa")):  # nor does asking make a store
        assert terminal.type(*words) == ""
        assert (terminal.code, "There is no store at " in terminal.told) == (1, True)
    assert not handed_over(terminal)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("rotate-bees",), "There is no command"),
        (("rotate-hive-tokens", "only=bees"), "only must be hive-frontend or aws-account-operator"),
        (("rotate-hive-tokens", "bees=1"), "I do not know what to do with"),
        (("secret-consumers",), "path is missing"),
    ],
)
def test_what_cannot_be_read_is_refused_with_status_1(terminal: Any, words: tuple[str, ...], told: str) -> None:
    """By `plan` and by `run` alike, in words, and with --json as one document on standard output."""
    assert terminal.type("run", *words) == ""
    assert (terminal.code, told in terminal.told) == (1, True), terminal.told
    error = json.loads(terminal.type("plan", *words, "--json"))
    assert (terminal.code, told in f"{error['error']} {error['now']}", terminal.told) == (1, True, "")


def test_a_vault_that_is_away_is_status_3(terminal: Any) -> None:
    """Nobody has to read the sentence to know that trying again may help."""
    terminal.document["vault"]["address"] = "http://127.0.0.1:9"
    terminal.type("plan", "rotate-hive-tokens")
    assert (terminal.code, "connection to Vault" in terminal.told) == (3, True)


def test_a_question_is_answered_alone_and_beside_a_bot(terminal: Any) -> None:
    """The nine jobs, with status 0, whoever does the work; one line a job where no person looks."""
    alone = terminal.type("run", "secret-consumers", "sd-uhc/sandbox")
    assert terminal.code == 0
    with terminal.bot():
        beside = terminal.type("run", "secret-consumers", "sd-uhc/sandbox")
    assert terminal.code == 0
    for said in (alone, beside):
        assert all(any(line.startswith(name) for line in said.splitlines()) for name in NINE)


@pytest.mark.slow  # a process of its own
def test_a_run_alone_is_carried_out_when_somebody_approves(terminal: Any) -> None:
    """Its own process does the work, another terminal approves; what it writes is one JSON document a line."""
    path = terminal.settings("asker", people={LOGIN: "U0ASKER"})
    command = [sys.executable, "-m", "bot", "run", "rotate-hive-tokens", "--json", "--settings", str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as asking:
        try:
            terminal.type("approve", proposed(terminal, asking), by=APPROVER)
            out, err = asking.communicate(timeout=60)
        finally:
            asking.kill()
    states = [json.loads(line)["state"] for line in out.splitlines()]
    assert (asking.returncode, err, states[-1]) == (0, "", "done")
    assert handed_over(terminal)


def test_a_run_beside_a_bot_is_the_bot_s(terminal: Any) -> None:
    """--no-wait ends with status 4 while the plan waits; the bot carries it out later, also if it was away meanwhile."""
    said = terminal.type("run", "rotate-hive-tokens", "handover_only=yes", "--no-wait")
    assert terminal.code == 4
    assert "waits for approval until" in said
    run = proposed(terminal)
    assert "Approved." in terminal.type("approve", run, by=APPROVER)
    assert not handed_over(terminal)
    with terminal.bot():
        until(lambda: f"{run}  done" in terminal.type("show", run))
    assert handed_over(terminal)


def proposed(terminal: Any, asking: subprocess.Popen[str] | None = None) -> str:
    """The only run, once it waits for approval; it never does when the process that asks has ended."""

    def look() -> Any:
        assert asking is None or asking.poll() is None, asking.communicate()
        views = [json.loads(line) for line in terminal.type("runs", "--json").splitlines()]  # before there is a store:
        return [view["id"] for view in views if view.get("state") == "proposed"]  # an error, which has no state

    return str(until(look)[0])
