"""The inventory at a terminal: what needs somebody is seen by people and by scripts."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bot.cli.inventory import status
from bot.cli.show import Paper
from bot.core.inventory import Credential, Freshness, Holding


def held(state: Freshness, trouble: str = "") -> Holding:
    credential = Credential(name="dev/ecr", state=state, expires_at=1e9, told="Refresh it.\nforged line")
    return Holding(command="refresh-demo", credential=credential, looked_at=1e9, trouble=trouble)


@pytest.mark.parametrize(
    ("holdings", "code"),
    [
        ([], 0),
        ([held("fresh"), held("due")], 0),
        ([held("fresh"), held("expired")], 5),
        ([held("missing")], 5),
        ([held("degraded"), held("unknown")], 5),
        ([held("fresh"), held("unknown")], 3),
        ([held("fresh", trouble="The cluster did not answer.")], 3),
    ],
)
def test_the_exit_status_tells_whether_somebody_is_needed(holdings: list[Holding], code: int) -> None:
    """5 for what a person must mend, 3 for what nobody could look at: neither counts as well."""
    assert status(holdings) == code


def test_a_credential_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    """State in words, whose it is, when it expires, why; and as JSON all of it."""
    Paper(as_json=False).inventory([held("expired", trouble="No answer.")], "")
    _, row = capsys.readouterr().out.splitlines()
    for words in (
        "✘ expired",
        "/refresh-demo",
        "dev/ecr",
        "2001-09-09 01:46:40 UTC",
        "Refresh it. forged line",
        "No an",
    ):
        assert words in row
    Paper(as_json=True).inventory([held("missing")], "")
    assert json.loads(capsys.readouterr().out)["credential"]["state"] == "missing"


def test_the_store_s_inventory_is_listed(terminal: Any, run: str) -> None:
    """Before the first look that is said; a command that there is not is refused with the known ones."""
    assert "No credential has been looked at yet" in terminal.type("inventory")
    assert terminal.code == 0
    terminal.type("inventory", "no-such-command")
    assert (terminal.code, "There is no command" in terminal.told) == (1, True)
