"""The parameters of a command as people see them, read from its `Ask` model."""

from __future__ import annotations

import types
from collections.abc import Mapping
from enum import Enum
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic.fields import FieldInfo

from bot.core.handler import Handler
from bot.core.value import Value

FieldType = Literal["text", "integer", "number", "flag", "choice"]
_MANY = (list, tuple, set, frozenset)


class FieldView(Value):
    """One parameter. `options` are the allowed words of a choice, `default` is spelled as a person would type it,
    `many` may be given several times, `positional` needs no name."""

    name: str
    label: str
    help: str = ""
    type: FieldType = "text"
    options: tuple[str, ...] = ()
    required: bool = False
    default: str | None = None
    many: bool = False
    positional: bool = False

    @property
    def flag(self) -> str:
        """How it is spelled as a flag: --handover-only."""
        return "--" + self.name.replace("_", "-")


def fields(handler: Handler) -> tuple[FieldView, ...]:
    """The parameters of a command in the order of its model."""
    return tuple(_view(name, info) for name, info in handler.ask.model_fields.items())


def choices(handler: Handler, name: str) -> Mapping[str, Any]:
    """The values of a choice by the word a person types; empty for other fields."""
    return _choices(_bare(handler.ask.model_fields[name].annotation)[0])


def _view(name: str, info: FieldInfo) -> FieldView:
    kind, many = _bare(info.annotation)
    extra = info.json_schema_extra if isinstance(info.json_schema_extra, dict) else {}
    return FieldView(
        name=name,
        label=info.title or name.replace("_", " ").capitalize(),
        help=info.description or "",
        type=_type(kind),
        options=tuple(_choices(kind)),
        required=info.is_required(),
        default=_default(info),
        many=many,
        positional=extra.get("positional") is True,
    )


def _bare(annotation: Any) -> tuple[Any, bool]:
    """The type inside Optional, Annotated and containers, and whether there was a container."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _bare(arguments[0])
    if origin in (Union, types.UnionType):
        rest = [a for a in arguments if a is not type(None)]
        return _bare(rest[0]) if len(rest) == 1 else (str, False)
    if origin in _MANY and arguments:
        return _bare(arguments[0])[0], True
    return annotation, annotation in _MANY


def _type(kind: Any) -> FieldType:
    if _choices(kind):
        return "choice"
    names: dict[Any, FieldType] = {bool: "flag", int: "integer", float: "number"}
    return names.get(kind, "text")


def _choices(kind: Any) -> dict[str, Any]:
    if get_origin(kind) is Literal:
        return {str(value): value for value in get_args(kind) if value is not None}
    if isinstance(kind, type) and issubclass(kind, Enum):
        return {str(member.value): member for member in kind}
    return {}


def _default(info: FieldInfo) -> str | None:
    value = None if info.is_required() else info.get_default(call_default_factory=True, validated_data={})
    if isinstance(value, _MANY):
        return ",".join(_word(v) for v in value) or None
    return None if value is None else _word(value)


def _word(value: Any) -> str:
    if isinstance(value, Enum):
        value = value.value
    return str(value).lower() if isinstance(value, bool) else str(value)
