"""Runs to render, and what can be read and pressed of what was rendered."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

from bot.core.plan import Plan, Premise, Stage, Step
from bot.core.view import RunView, State
from bot.edges import blocks, render


class Write(Step):
    kind: Literal["test.write"] = "test.write"
    text: str

    def says(self) -> str:
        return self.text

    def undo(self, tools: object, run: object) -> None:
        """Nothing to put back."""


class Burn(Write):
    kind: Literal["test.burn"] = "test.burn"  # type: ignore[assignment] # another kind of the same shape
    undo = Step.undo


class Stands(Premise):
    kind: Literal["test.stands"] = "test.stands"
    text: str

    def says(self) -> str:
        return self.text


def run(state: State, **more: Any) -> RunView:
    basic = {"id": "r-abc2345", "revision": 1, "command": "try-it", "asker": "U123", "source": "slack", "asked_at": 1e9}
    return RunView.model_validate({**basic, "state": state, **more})


def plan(*says: str, **more: Any) -> Plan:
    stages = tuple(Stage(steps=(Write(text=text),)) for text in says)
    return Plan(**{"command": "try-it", "title": "Move 2 tokens", "subject": "s", "stages": stages, **more})


def shown(document: Any) -> str:
    """All that a person can read of it."""
    return "\n".join(blocks.texts(document.blocks if isinstance(document, render.Message) else document["blocks"]))


def buttons(document: Any) -> Iterator[dict[str, Any]]:
    listed = document.blocks if isinstance(document, render.Message) else document["blocks"]
    return (e for block in listed if block["type"] == "actions" for e in block["elements"])
