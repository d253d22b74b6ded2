"""Runbooks as handlers read them: the organisation's own where there is one, else the one beside the handler."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from bot.core.errors import Refused
from bot.core.ports import ReadTools
from bot.core.runbook import Item, Runbook, parse


@cache
def ours(name: str) -> Runbook:
    """The runbook beside the handler of this name."""
    path = Path(__file__).with_name(f"{name.replace('-', '_')}.md")
    return parse(name, path.read_text(encoding="utf-8"))


def book(tools: ReadTools, name: str) -> Runbook:
    try:
        found = tools.runbooks.find(name)
    except Refused:
        found = None
    return found or ours(name)


def step(tools: ReadTools, name: str, marker: str) -> Item:
    """A step of a runbook by its marker. An organisation's runbook may leave steps out; then ours is told."""
    found = book(tools, name).step(marker) or ours(name).step(marker)
    assert found is not None, f"{name} has no step {marker}"  # a test reads every marker
    return found
