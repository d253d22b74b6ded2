"""Standing approvals: which one, if any, covers what a schedule asks for. A pure rule over the settings."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from bot.core.value import canonical
from bot.settings import Standing

DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


def covering(standings: Mapping[str, Standing], command: str, ask: dict[str, Any], now: float) -> str | None:
    """The name of the standing approval for exactly this command with exactly these parameters that has not ended
    by `now` (seconds since the epoch); the one that lasts longest if there are several. None if none does."""
    lasting = [
        (end, name)
        for name, standing in standings.items()
        if standing.command == command and same(standing.ask, ask) and (end := ends(standing.until)) > now
    ]
    return max(lasting)[1] if lasting else None


def ends(until: str) -> float:
    """When the last day ends, UTC, in seconds since the epoch; the epoch itself for what is no date, so that a
    misspelt date covers nothing."""
    if not DAY.fullmatch(until):
        return 0
    try:
        day = datetime.fromisoformat(until).replace(tzinfo=UTC)
        return (day + timedelta(days=1)).timestamp()
    except (ValueError, OverflowError):
        return 0


def same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Equal as JSON, where 1, 1.0 and true are three things. What is no JSON equals nothing."""
    try:
        return canonical(one) == canonical(other)
    except (TypeError, ValueError):
        return False
