"""Slack's documented limits of Block Kit, checked over the final document.

Slack refuses a whole message for one limit passed, and its SDK checks about half of them. Source of the figures:
docs.slack.dev, reference of blocks and composition objects, as of 2026-08; the total is a budget below the point where
`msg_blocks_too_long` was seen.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from bot.edges.text import size

Block = dict[str, Any]
Surface = Literal["message", "modal", "home"]

COUNT = {"message": 50, "modal": 100, "home": 100}
TOTAL = {"message": 10_000, "modal": 40_000, "home": 40_000}
VIEW = 250_000  # bytes of a view as JSON
ROWS, COLUMNS = 100, 20
_SURFACES: dict[str, tuple[str, ...]] = {
    "section": ("message", "modal", "home"),
    "header": ("message", "modal", "home"),
    "context": ("message", "modal", "home"),
    "divider": ("message", "modal", "home"),
    "actions": ("message", "modal", "home"),
    "input": ("message", "modal", "home"),
    "table": ("message", "home"),
}


@dataclass(frozen=True)
class Message:
    """What is sent: the blocks, and a text that tells the same in a sentence or two (notifications, screen readers).

    Send both always: Slack keeps the old blocks, buttons included, where an update carries only a text.
    """

    text: str
    blocks: list[Block]


class Unfit(ValueError):
    """A document that Slack would refuse; says where and which limit."""


def check(document: Message | Mapping[str, Any], surface: Surface) -> None:
    """Raises Unfit unless Slack would take it. A view is given as its dict."""
    if isinstance(document, Message):
        _need(surface == "message", f"a message as a {surface}")
        _within("text", document.text, 1, 3000)
        blocks = document.blocks
    else:
        _view(document, surface)
        blocks = document["blocks"]
    _need(1 <= len(blocks) <= COUNT[surface], f"{len(blocks)} blocks")
    for index, block in enumerate(blocks):
        _block(f"blocks[{index}]", block, surface)
    _unique("block_id", [b["block_id"] for b in blocks if "block_id" in b])
    _need(sum(b["type"] == "table" for b in blocks) <= 1, "more than one table")
    total = sum(map(size, texts(blocks)))
    _need(total <= TOTAL[surface], f"{total} characters in all")


def texts(part: Any) -> Iterator[str]:
    """Every text that a person sees, anywhere inside."""
    if isinstance(part, Mapping):
        for key, value in part.items():
            if isinstance(value, str):
                if key in ("text", "alt_text", "initial_value"):
                    yield value
            else:
                yield from texts(value)
    elif isinstance(part, Sequence) and not isinstance(part, str):
        for one in part:
            yield from texts(one)


def _view(view: Mapping[str, Any], surface: Surface) -> None:
    _need(view.get("type") == surface, f"a {view.get('type')} view as a {surface}")
    _need(len(json.dumps(view)) <= VIEW, "a view of more than 250,000 bytes")
    _within("private_metadata", view.get("private_metadata", ""), 0, 3000)
    _within("callback_id", view.get("callback_id", ""), 0, 255)
    if surface == "modal":
        for key in ("title", "submit", "close"):
            if key in view or key == "title":
                _text(key, view.get(key), 24, "plain_text")
        inputs = any(b["type"] == "input" for b in view["blocks"])
        _need("submit" in view or not inputs, "an input without submit")


def _block(where: str, block: Block, surface: Surface) -> None:
    kind = block.get("type", "")
    _need(surface in _SURFACES.get(kind, ()), f"{where}: {kind!r} in a {surface}")
    if "block_id" in block:
        _within(f"{where}.block_id", block["block_id"], 1, 255)
    rules: dict[str, Callable[[str, Block], None]] = {
        "section": _section, "header": _header, "context": _context, "actions": _actions, "input": _input,
        "table": _table,
    }  # fmt: skip
    if kind in rules:
        rules[kind](where, block)


def _section(where: str, block: Block) -> None:
    _need("text" in block or "fields" in block, f"{where}: neither text nor fields")
    if "text" in block:
        _text(where, block["text"], 3000)
    if "fields" in block:
        _need(1 <= len(block["fields"]) <= 10, f"{where}: {len(block['fields'])} fields")
        for field in block["fields"]:
            _text(where, field, 2000)
    if "accessory" in block:
        _element(f"{where}.accessory", block["accessory"])


def _header(where: str, block: Block) -> None:
    _text(where, block.get("text"), 150, "plain_text")


def _context(where: str, block: Block) -> None:
    _need(1 <= len(block["elements"]) <= 10, f"{where}: {len(block['elements'])} elements")
    for element in block["elements"]:
        _text(where, element, 3000)


def _actions(where: str, block: Block) -> None:
    elements = block["elements"]
    _need(1 <= len(elements) <= 25, f"{where}: {len(elements)} elements")
    _unique(f"{where}: action_id", [e["action_id"] for e in elements])
    for element in elements:
        _element(where, element)


def _input(where: str, block: Block) -> None:
    _text(f"{where}.label", block.get("label"), 2000, "plain_text")
    if "hint" in block:
        _text(f"{where}.hint", block["hint"], 2000, "plain_text")
    _element(where, block["element"])


def _element(where: str, element: Block) -> None:
    _within(f"{where}.action_id", element["action_id"], 1, 255)
    if "placeholder" in element:
        _text(f"{where}.placeholder", element["placeholder"], 150, "plain_text")
    if "confirm" in element:
        _confirm(where, element["confirm"])
    if element["type"] == "button":
        _button(where, element)
    elif element["type"] == "plain_text_input":
        longest = element.get("max_length", 3000)
        _need(1 <= longest <= 3000, f"{where}: max_length {longest}")
        _within(f"{where}.initial_value", element.get("initial_value", ""), 0, longest)
    else:
        _options(where, element)


def _button(where: str, button: Block) -> None:
    _text(f"{where}.text", button.get("text"), 75, "plain_text")
    _within(f"{where}.value", button.get("value", ""), 0, 2000)
    _within(f"{where}.accessibility_label", button.get("accessibility_label", ""), 0, 75)
    _need(button.get("style", "primary") in ("primary", "danger"), f"{where}: style {button.get('style')!r}")


def _confirm(where: str, confirm: Block) -> None:
    _text(f"{where}.confirm.title", confirm["title"], 100, "plain_text")
    _text(f"{where}.confirm.text", confirm["text"], 300)
    _text(f"{where}.confirm.confirm", confirm["confirm"], 30, "plain_text")
    _text(f"{where}.confirm.deny", confirm["deny"], 30, "plain_text")


def _options(where: str, element: Block) -> None:
    kinds = {"static_select": 100, "multi_static_select": 100, "checkboxes": 10, "radio_buttons": 10}
    _need(element["type"] in kinds, f"{where}: element {element['type']!r}")
    _need(1 <= len(element["options"]) <= kinds[element["type"]], f"{where}: {len(element['options'])} options")
    for option in element["options"]:
        _text(f"{where}.option", option["text"], 75)
        _within(f"{where}.option.value", option["value"], 1, 150)
        if "description" in option:
            _text(f"{where}.option.description", option["description"], 75)
    first = [element["initial_option"]] if "initial_option" in element else element.get("initial_options", [])
    _need(all(option in element["options"] for option in first), f"{where}: an initial option that is no option")
    _need("initial_options" not in element or bool(first), f"{where}: empty initial_options")


def _table(where: str, table: Block) -> None:
    _need(1 <= len(table["rows"]) <= ROWS, f"{where}: {len(table['rows'])} rows")
    for row in table["rows"]:
        _need(1 <= len(row) <= COLUMNS, f"{where}: {len(row)} columns")
        for cell in row:
            _need(cell["type"] == "raw_text" and bool(cell["text"]), f"{where}: a cell without text")


def _text(where: str, text: Any, limit: int, kind: str | None = None) -> None:
    _need(isinstance(text, Mapping) and text.get("type") in ("plain_text", "mrkdwn"), f"{where}: not a text object")
    _need(kind is None or text["type"] == kind, f"{where}: must be {kind}")
    # An mrkdwn text that is not verbatim turns foreign addresses and @names into links and mentions.
    _need(text["type"] == "plain_text" or text.get("verbatim") is True, f"{where}: mrkdwn without verbatim")
    _within(where, text["text"], 1, limit)


def _within(where: str, text: str, least: int, most: int) -> None:
    _need(least <= size(text) <= most, f"{where}: {size(text)} characters, not {least} to {most}")


def _unique(what: str, names: list[str]) -> None:
    _need(len(names) == len(set(names)), f"{what} not unique")


def _need(holds: bool, told: str) -> None:
    if not holds:
        raise Unfit(told)
