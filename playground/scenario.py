"""A button that changes or breaks the demo's world."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Scenario:
    """`deed` does it, may block, and returns what to tell. `confirm` is asked before, if set."""

    name: str
    label: str
    help: str
    group: str
    deed: Callable[[], str]
    danger: bool = False
    confirm: str = ""

    @property
    def button(self) -> dict[str, Any]:
        return {key: getattr(self, key) for key in ("name", "label", "help", "group", "danger", "confirm")}
