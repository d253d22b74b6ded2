"""The parameters of a command are described from its model alone."""

from __future__ import annotations

from enum import IntEnum
from typing import Annotated, Literal

from pydantic import Field

from bot.core.fields import FieldView, choices, fields
from bot.core.handler import Ask, Handler, HandlerSettings
from bot.core.plan import Answer


class Level(IntEnum):
    LOW = 1
    HIGH = 2


class Sample(Ask):
    path: str = Field(description="Where.", title="Vault path", json_schema_extra={"positional": True})
    jobs: list[Literal["a", "b"]] = Field(default_factory=lambda: ["a"], description="Which.")
    level: Level | None = Field(default=None, description="How.")
    most: Annotated[int, Field(gt=0)] = Field(default=7, description="How many.")
    dry_run: bool = Field(default=True, description="Only look.")
    odd: int | str = Field(default=1, description="Either.")


SAMPLE = Handler(
    name="sample",
    summary="Sample.",
    ask=Sample,
    settings=HandlerSettings,
    plan=lambda *_: Answer(command="sample", title="Done"),
)


def test_each_field_is_seen_for_what_it_is() -> None:
    """Type, options, default and place come from the annotations; Optional, Annotated and lists are looked into."""
    assert fields(SAMPLE) == (
        FieldView(name="path", label="Vault path", help="Where.", required=True, positional=True),
        FieldView(name="jobs", label="Jobs", help="Which.", type="choice", options=("a", "b"), default="a", many=True),
        FieldView(name="level", label="Level", help="How.", type="choice", options=("1", "2")),
        FieldView(name="most", label="Most", help="How many.", type="integer", default="7"),
        FieldView(name="dry_run", label="Dry run", help="Only look.", type="flag", default="true"),
        FieldView(name="odd", label="Odd", help="Either.", default="1"),
    )


def test_choices_keep_their_values() -> None:
    """The word a person types leads to the value of the model, not to a text of it."""
    assert choices(SAMPLE, "level") == {"1": Level.LOW, "2": Level.HIGH}
    assert choices(SAMPLE, "path") == {}
