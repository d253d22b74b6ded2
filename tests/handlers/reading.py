"""The same tools for one who only looks."""

from __future__ import annotations

from typing import Any

from bot.core.ports import ReadTools, Tools


def reading(tools: Tools) -> ReadTools:
    """With the reader of the clusters in place of who may change them."""
    kubernetes: Any = tools.kubernetes
    others = {name: getattr(tools, name) for name in ReadTools.__dataclass_fields__ if name != "kubernetes"}
    return ReadTools(kubernetes=kubernetes.reader, **others)
