"""Whether a node is up, by the program ping."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bot.tools import nodes_ping


@pytest.mark.parametrize(("status", "up"), [(0, True), (1, False), (2, False)])
def test_the_program_decides(tmp_path: Path, status: int, up: bool) -> None:
    """Up is what ping ends with 0 for; it is given the host as its last word, once, with a time limit."""
    ping = tmp_path / "ping"
    ping.write_text(f"#!/bin/sh\necho called with $* > {tmp_path}/said\nexit {status}\n")
    ping.chmod(0o755)
    assert nodes_ping.pings("n1.example.com", {"PATH": f"{tmp_path}:/usr/bin:/bin"}) is up
    assert (tmp_path / "said").read_text() == "called with -n -c 1 -W 5 n1.example.com\n"


def test_without_the_program_nothing_is_up(tmp_path: Path) -> None:
    """No ping installed: not up, and no error, as it is a guess."""
    assert nodes_ping.pings("n1.example.com", {"PATH": str(tmp_path)}) is False


def test_the_settings_choose_the_program(grid: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """With `icmp` the port is not looked at: without the program the node counts as down, though its sshd listens."""
    monkeypatch.setenv("PATH", str(tmp_path))
    assert not grid.tool(ping="icmp").reachable("n1.example.com")
    assert grid.tool().reachable("n1.example.com")
