"""Asking again at a terminal."""

from __future__ import annotations

import json
from typing import Any


def test_a_denied_plan_is_asked_for_again(terminal: Any, run: str) -> None:
    """By whoever is at the terminal; the new plan waits (status 4), and asking once more finds it under way."""
    terminal.type("deny", run, "--reason", "Not tonight.", by="U0APPROVER")
    said = terminal.type("again", run, "--no-wait", "--json")
    view = json.loads(said.splitlines()[-1])
    assert (terminal.code, view["state"], view["asker"]) == (4, "proposed", "U0ASKER")
    assert view["id"] != run
    assert json.loads(terminal.type("again", run, "--no-wait", "--json").splitlines()[-1])["id"] == view["id"]


def test_only_what_has_ended_badly_is_asked_for_again(terminal: Any, run: str) -> None:
    """A plan that still waits is refused with status 1, and so is a run that there is not; the person reads why."""
    for name in (run, "r-nowhere"):
        terminal.type("again", name)
        assert terminal.code == 1
        assert terminal.told.strip()
