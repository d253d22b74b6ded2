"""Figures that handlers make of what they remember, for /metrics."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from bot.core.errors import Told
from bot.core.grid import Figure
from bot.core.handler import Handler
from bot.core.ports import ReadTools
from bot.core.side_by_side import each


def of(handlers: Mapping[str, Handler], tools: ReadTools, store: Any) -> tuple[Figure, ...]:
    """All of them now. Of a handler that cannot say there are none."""
    from bot.engine.records import StoredReader

    remembering = replace(tools, records=StoredReader(lambda: store))
    asked = tuple(one.figures for one in handlers.values() if one.figures is not None)
    found = each(lambda figures: figures(remembering), asked)
    return tuple(one for some in found if not isinstance(some, Told) for one in some)
