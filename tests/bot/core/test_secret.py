"""A Secret cannot be written down."""

from __future__ import annotations

import copy
import json
import logging
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import BaseModel, TypeAdapter, create_model

from bot.core.secret import Secret, SecretRef

WORD = "canary-of-this-file"

WAYS: dict[str, Callable[[Secret], Any]] = {
    "str": str,
    "format": lambda s: f"{s}",
    "format with a width": lambda s: f"{s:>20}",
    "percent": lambda s: "%s" % s,  # noqa: UP031 - the old way is one of the ways
    "percent repr": lambda s: "%r" % s,  # noqa: UP031
    "repr": repr,
    "ascii": ascii,
    "print": print,
    "bytes": bytes,
    "join": "".join,
    "list": list,
    "concatenate": lambda s: "x" + s,
    "json": json.dumps,
    "json of a dict": lambda s: json.dumps({"a": s}),
    "json with default=str": lambda s: json.dumps(s, default=str),
    "json with default=vars": lambda s: json.dumps(s, default=vars),
    "json with default=repr": lambda s: json.dumps(s, default=repr),
    "yaml": yaml.dump,
    "yaml safe": yaml.safe_dump,
    "pickle": pickle.dumps,
    "pickle protocol 0": lambda s: pickle.dumps(s, protocol=0),
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "vars": vars,
    "dict dump": lambda s: s.__dict__,
    "exception text": lambda s: str(ValueError(s)),
    "pydantic field": lambda s: create_model("M", a=(Secret, ...))(a=s).model_dump_json(),
    "pydantic any": lambda s: create_model("M", a=(Any, ...))(a=s).model_dump_json(),
    "pydantic any python dump": lambda s: repr(create_model("M", a=(Any, ...))(a=s)),
    "type adapter": lambda s: TypeAdapter(Any).dump_json(s),
    "hash": lambda s: {s},
    "equal": lambda s: s == WORD,
    "equal to itself": lambda s: s == s,
    "in a list": lambda s: WORD in [s],
    "less": lambda s: s < WORD,
    "length": len,
    "truth": bool,
    "index": lambda s: s[0],
    "set attribute": lambda s: setattr(s, "value", WORD),
}


@pytest.mark.parametrize("way", WAYS)
def test_no_way_of_writing_a_secret_down_works(way: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Each way either raises or yields nothing of the value; the error does not hold it either."""
    try:
        written = repr(WAYS[way](Secret(WORD)))
    except Exception as error:
        written = repr(error) + str(error.__context__)
    assert WORD not in written + "".join(capsys.readouterr())


def test_logging_a_secret_does_not_write_it(caplog: pytest.LogCaptureFixture) -> None:
    """A secret given to a logger as argument or as message does not reach the log."""
    logging.raiseExceptions, before = False, logging.raiseExceptions
    try:
        for message, arguments in (("%s", (Secret(WORD),)), ("%r", (Secret(WORD),)), (Secret(WORD), ())):
            try:
                logging.getLogger("canary").warning(message, *arguments)
            except TypeError:
                continue
    finally:
        logging.raiseExceptions = before
    assert WORD not in " ".join(repr(r.__dict__) for r in caplog.records)


def test_reveal_gives_the_value_back() -> None:
    """The one way out works, or the bot would be useless."""
    assert Secret(WORD).reveal() == WORD


def test_reveal_is_written_only_in_tools() -> None:
    """No module outside bot/tools (and the class itself) mentions reveal."""
    root = Path(__file__).parents[3]
    sources = [*root.glob("bot/**/*.py"), *root.glob("handlers/**/*.py")]
    allowed = (root / "bot" / "tools", root / "bot" / "core" / "secret.py")
    guilty = [
        str(path.relative_to(root))
        for path in sources
        if not any(path.is_relative_to(a) for a in allowed) and ".reveal" in path.read_text()
    ]
    assert not guilty


def test_a_reference_names_the_place_only() -> None:
    """A reference reads as place, field and the way into the document."""
    assert str(SecretRef(path="sd-uhc/sandbox", field="config", inside=("self", "token"))) == (
        "sd-uhc/sandbox (config › self › token)"
    )


def test_a_model_with_a_secret_field_cannot_be_made() -> None:
    """A pydantic model that declares a Secret is refused when the class is written, not at 3 a.m."""
    with pytest.raises(TypeError):

        class Leaky(BaseModel):
            token: Secret
