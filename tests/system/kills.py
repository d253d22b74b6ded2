"""Killing the bot at a chosen instant (loaded by the fixture `kills`)."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import sqlalchemy as sa


def at(scene: Any, path: str, when: str, nth: int = 1) -> threading.Event:
    """Kill the bot "before" or "after" the nth write to this path (or to paths that begin so, if it ends with a
    dash). Killed before, it does not write: the request is lost."""
    killed, seen = threading.Event(), [0]

    def hook(at: str, moment: str) -> None:
        at = at.replace("/data/", "/")
        seen[0] += moment == when and (at.startswith(path) if path.endswith("-") else at == path)
        if not killed.is_set() and seen[0] == nth:
            scene.kill()
            killed.set()
            if when == "before":
                raise ConnectionAbortedError

    scene.vault.on_write = hook
    return killed


def when_slack(scene: Any, wanted: Callable[[dict[str, Any]], bool]) -> threading.Event:
    """Kill the bot, once, when Slack has done what is wanted (an entry of its traffic) and has not answered yet."""
    killed, told = threading.Event(), scene.space.traffic.told

    def tell(entry: dict[str, Any]) -> None:
        if entry["direction"] == "to_slack" and not killed.is_set() and wanted(entry):
            killed.set()
            scene.demo.bot.kill()
            scene.space.traffic.told = told
        told(entry)

    scene.space.traffic.told = tell
    return killed


def when_vault(scene: Any, wanted: Callable[[str, str], bool]) -> threading.Event:
    """Kill the bot, once, when Vault has done what is wanted (method, path) and has not answered yet."""
    killed, told = threading.Event(), scene.vault.on_request

    def tell(entry: Any) -> None:
        if not killed.is_set() and wanted(entry.method, entry.path.replace("/data/", "/")):
            killed.set()
            scene.demo.bot.kill()
            scene.vault.on_request = told
        if told:
            told(entry)

    scene.vault.on_request = tell
    return killed


def age_the_dead(scene: Any) -> None:
    """On PostgreSQL a replica counts as dead after forty seconds: let them have passed for those that are gone."""
    if scene.store:
        with scene.db.begin() as conn:
            conn.execute(sa.text("UPDATE replica SET seen = seen - 1000"))
