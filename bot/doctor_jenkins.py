"""`hivekeeper check` about Jenkins: nothing is started."""

from __future__ import annotations

from collections.abc import Iterator

from bot.app import Parts
from bot.findings import Finding, looked


def jenkins(parts: Parts) -> Iterator[Finding]:
    """Does it take the bot's login, and show its jobs?"""
    from bot.tools.jenkins import check

    if known := parts.settings.jenkins:
        yield from looked("jenkins", lambda: check(known, parts.resolve))
