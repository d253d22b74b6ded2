"""A runbook at a terminal: walked through by number."""

from __future__ import annotations

import json
from typing import Any


def test_a_runbook_is_walked_through(terminal: Any) -> None:
    """Shown with its steps, ticked by one person, not taken back by another; what is no step is refused."""
    with terminal.bot():
        said = terminal.type("run", "runbook", "open-cie")
        assert "[ ] 1. PagerDuty is called." in said
        run = json.loads(terminal.type("runs", "--json").splitlines()[0])["id"]
        assert "Ticked." in terminal.type("tick", run, "2")
        assert terminal.code == 0
        shown = terminal.type("show", run)
        assert "[x] 2. An issue is opened" in shown
        assert "done by U0ASKER" in shown
        assert "1 of 4 done." in shown
        assert "Somebody else ticked it" in terminal.type("tick", run, "2", "--undo", by="U0APPROVER")
        assert terminal.code == 1
        assert "taken back" in terminal.type("tick", run, "2", "--undo")
        terminal.type("tick", run, "9")
        assert (terminal.code, "has no step 9" in terminal.told) == (1, True)
