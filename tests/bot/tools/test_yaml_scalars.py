"""Generated documents: every value is found, and replacing some changes those and nothing else."""

import base64
import io
import secrets
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from bot.core.errors import Refused
from bot.core.ports import Inside
from bot.core.secret import Secret
from bot.tools.documents import Base64Yaml
from bot.tools.yaml_scalars import located, parsed, spliced
from playground import tokens

Documents = Base64Yaml()


def replaced(text: str, *values: tuple[Inside, str]) -> str:
    document = Secret(base64.b64encode(text.encode()).decode())
    after = Documents.replace(document, {inside: Secret(value) for inside, value in values})
    return base64.b64decode(after.reveal(), validate=True).decode()


def found(text: str, *inside: str | int) -> str | None:
    events = parsed(text)
    number = located(events, (inside,)).get(inside)
    return None if number is None else str(events[number].value)


def loaded(text: str) -> Any:
    """What another parser (YAML 1.2) makes of it."""
    return YAML(typ="safe", pure=True).load(io.StringIO(text))


WORD = st.from_regex(r"[a-z]{1,8}", fullmatch=True)
COMMENT = st.none() | WORD.map(lambda word: f"  # {word}: 'no value'")


@st.composite
def scalar(draw: st.DrawFn, indent: str) -> tuple[str, str]:
    """A scalar as it is written, and what it means."""
    value = draw(WORD)
    style = draw(st.sampled_from(["plain", "single", "double", "literal", "folded", "empty"]))
    if style in ("literal", "folded"):
        sign = "|" if style == "literal" else ">"
        keep = draw(st.sampled_from(["-", ""]))
        return f" {sign}{keep}{draw(COMMENT) or ''}\n{indent}  {value}\n", value + ("" if keep else "\n")
    written = {"plain": f" {value}", "single": f"  '{value}'", "double": f' "{value}"', "empty": ""}[style]
    return written + (draw(COMMENT) or "") + "\n", "" if style == "empty" else value


@st.composite
def document(draw: st.DrawFn, depth: int = 0, indent: str = "") -> tuple[str, dict[Inside, str]]:
    """The text of a mapping or a list with comments and blank lines, and all its scalars by place."""
    is_list = depth > 0 and draw(st.booleans())
    names = draw(st.lists(WORD, min_size=1, max_size=4, unique=True))
    text, scalars = "", {}
    for number, name in enumerate(names):
        step = number if is_list else name
        text += draw(st.sampled_from(["", "\n", f"{indent}# a remark\n"]))
        text += f"{indent}-" if is_list else f"{indent}{name}:"
        if depth < 3 and draw(st.integers(0, 2)) == 0:
            inner, places = draw(document(depth + 1, indent + "  "))
            text += "\n" + inner
            scalars.update({(step, *place): value for place, value in places.items()})
        else:
            written, value = draw(scalar(indent))
            text += written
            scalars[(step,)] = value
    return text, scalars


@settings(max_examples=settings.default.max_examples * 4 // 5, deadline=None)
@given(document(), st.data())
def test_generated_documents(made: tuple[str, dict[Inside, str]], data: st.DataObject) -> None:
    """In generated documents every scalar is found, and replacing some changes those and not one line more."""
    text, scalars = made
    chosen = data.draw(st.lists(st.sampled_from(sorted(scalars, key=str)), min_size=1, max_size=3, unique=True))
    new = {place: tokens.signed({"sub": secrets.token_hex(4)}) for place in chosen}
    assert all(found(text, *place) == value for place, value in scalars.items())
    after = replaced(text, *new.items())
    assert all(found(after, *place) == new.get(place, value) for place, value in scalars.items())
    kept = [line for line in after.splitlines() if not any(value in line for value in new.values())]
    lines = iter(text.splitlines())
    assert all(line in lines for line in kept), "the other lines stand in the same order"
    assert after.count("#") == text.count("#"), "no comment is lost"
    assert _at(loaded(after), new) == new, "another parser reads the same"
    assert replaced(after, *new.items()) == after


def _at(tree: Any, places: dict[Inside, str]) -> dict[Inside, Any]:
    values = {}
    for place in places:
        node = tree
        for step in place:
            node = node[step]
        values[place] = node
    return values


@settings(max_examples=settings.default.max_examples * 3, deadline=None)
@given(st.text(alphabet="ab:-?[]{},&*!|>'\"%@`#<= \n\t0.~", max_size=30), st.text(max_size=10))
def test_any_text_is_replaced_or_refused(text: str, value: str) -> None:
    """Text of nothing but YAML's signs either reads afterwards as it should, or is refused; it never fails otherwise."""
    try:
        events = parsed(text)
        numbers = located(events, (("a",), ("b", 0)))
        after = spliced(text, events, dict.fromkeys(numbers.values(), value))
    except Refused as refusal:
        assert refusal.now
    else:
        assert all(found(after, *place) == value for place in numbers)
