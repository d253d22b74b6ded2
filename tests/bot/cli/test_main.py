"""The command line as a whole: help, statuses, and errors that never become stacks."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[3]


def test_help_names_every_command_and_every_status(terminal: Any) -> None:
    """In one screen."""
    said = terminal.call("--help")
    assert terminal.code == 0
    for name in (
        "serve",
        "demo",
        "check",
        "plan",
        "run",
        "runs",
        "show",
        "approve",
        "deny",
        "cancel",
        "audit",
        "manifest",
    ):
        assert f"\n  {name} " in said
    assert "0 done, 1 refused or failed, 2 wrong usage, 3 an outside system did not answer, 4 waits" in " ".join(
        said.split()
    )


def test_help_explains_what_there_is_to_ask_for(terminal: Any) -> None:
    """`plan --help` lists the handlers' commands; behind one of them it tells that one's parameters, and asks nothing."""
    listed = terminal.call("plan", "--help")
    assert "\n  secret-consumers " in listed
    assert "COMMAND --help" in listed
    for words in (("run", "/rotate-hive-tokens", "--help"), ("plan", "rotate-hive-tokens", "only=x", "-h")):
        said = terminal.call(*words)
        assert (terminal.code, "Usage: " in said, "--handover-only" in said) == (0, True, True)
        assert "Just this token; both if left out." in said


@pytest.mark.parametrize("words", [("nonsense",), ("runs", "--limit", "0"), ("show",), ("--nonsense",),
                                   ("manifest", "--url", "https://bot.example.com"),
                                   ("manifest", "--url", "http://bot.example.com/slack/events")])  # fmt: skip
def test_wrong_usage_is_status_2(terminal: Any, words: tuple[str, ...]) -> None:
    """With the usage on standard error."""
    assert terminal.call(*words) == ""
    assert (terminal.code, "Usage:" in terminal.told) == (2, True)


@pytest.mark.parametrize("document", ["data_dir: [1", "slack: 5", 'data_dir: "/tmp/\\0"', "commands: {x: {}}"])
def test_settings_that_are_wrong_are_a_sentence(terminal: Any, document: str) -> None:
    """Status 1 and no stack, whatever is wrong, also what nobody foresaw."""
    path = terminal.folder / "wrong.yaml"
    path.write_text(document)
    assert terminal.call("runs", "--settings", str(path)) == ""
    assert terminal.code == 1
    assert "Traceback" not in terminal.told


def test_an_unforeseen_error_says_no_more_than_its_class(
    terminal: Any, canary: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its text may hold a secret: class and place have to do, for people and with --json."""
    word = canary("in the error")

    def fails(*_: object) -> None:
        raise LookupError(word)

    monkeypatch.setattr("bot.app.verify_audit", fails)
    assert terminal.type("audit", "verify") == ""
    assert (terminal.code, word in terminal.told) == (1, False)
    assert "LookupError, test_main.py:" in terminal.told
    assert "LookupError" in json.loads(terminal.type("audit", "verify", "--json"))["error"]


@pytest.mark.slow  # a process of its own
def test_a_reader_that_goes_away_is_no_error(terminal: Any) -> None:
    """`… | head -1` ends without a word: click's status for it is 1."""
    terminal.type("run", "secret-consumers", "sd-uhc/sandbox")
    path = str(terminal.settings("reader"))
    script = (
        "import os, sys; from bot.cli import main; r, w = os.pipe(); os.dup2(w, 1); os.close(r); os.close(w); main()"
    )
    done = subprocess.run([sys.executable, "-c", script, "audit", "export", "-s", path], capture_output=True, text=True,
                          check=False, cwd=ROOT)  # fmt: skip
    assert (done.returncode, done.stderr) == (1, "")


def test_the_manifest_is_the_one_in_the_repository(terminal: Any) -> None:
    """What people paste is what the bot expects; for HTTP mode it names the address."""
    assert terminal.call("manifest") == (ROOT / "manifest.yml").read_text(encoding="utf-8")
    address = "https://bot.example.com/slack/events"
    made = json.loads(terminal.call("manifest", "--json", "--url", address))
    assert address in yaml.safe_dump(made)
    assert made["settings"]["socket_mode_enabled"] is False


def test_the_doctor_ends_with_status_1_until_all_is_right(terminal: Any) -> None:
    """Slack is missing here: it is named, and the rest is right."""
    said = terminal.type("check")
    assert terminal.code == 1
    assert "✘ slack: The environment variable SLACK_BOT_TOKEN is not set." in said
    assert "✔ vault: logged in" in said
    findings = [json.loads(line) for line in terminal.type("check", "--json").splitlines()]
    wrong = {finding["subject"] for finding in findings if finding["good"] is False}
    assert {"slack", "slack socket"} <= wrong
    assert not wrong & {"settings", "store", "vault", "/rotate-hive-tokens"}
