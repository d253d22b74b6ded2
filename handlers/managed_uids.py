"""What an account's UID was, as far as it is remembered."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from itertools import groupby
from typing import Any

from bot.core.ports import ReadTools
from handlers.managed_tokens import UID, unusable

SHOWN = 4  # past values


def past(account: str, tools: ReadTools) -> str:
    """What is remembered of it now and before, newest first, each with the day since when."""
    alike = groupby(tools.records.history(UID, account), lambda one: state(one.value))
    told = [f"{what} since {_day([*some][-1].since)}" for what, some in alike]
    return f"{'; before: '.join(told[:SHOWN])}{' …' if len(told) > SHOWN else ''}" or "not known"


def state(value: Mapping[str, Any]) -> str:
    uid = "no UID" if value.get("uid") is None else f"UID {value['uid']}"
    if unusable("", value) is None:
        return uid
    words = (
        (not value.get("known"), "not known to FERRY"),
        (value.get("banned"), "banned"),
        (not value.get("active"), "not active"),
        (value.get("becomes") is not None, f"FERRY says {value.get('becomes')}"),
    )
    return ", ".join((uid, *[word for so, word in words if so][:1]))


def _day(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d")
