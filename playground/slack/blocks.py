"""Block Kit: the blocks, where each may stand, and what Slack refuses about them.

Kinds whose rules are not documented well enough to copy (card, carousel, container, alert, data_table, …) are refused:
a bot that is to work everywhere does not use them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from playground.slack.elements import (
    IN_ACTIONS,
    IN_CONTEXT,
    IN_INPUT,
    IN_SECTION,
    Check,
    Problems,
    amount,
    each,
    element,
    keys,
    length,
    optional,
    picture,
    plain,
    text,
)

MOST = {"message": 50, "modal": 100, "home": 100}
EVERYWHERE = frozenset(MOST)
MARKDOWN_TOTAL = 12_000
RICH = frozenset({"rich_text_section", "rich_text_list", "rich_text_preformatted", "rich_text_quote"})
RICH_INLINE = frozenset({"text", "link", "user", "usergroup", "channel", "emoji", "date", "broadcast", "color", "team"})


def section(block: dict[str, Any], at: str) -> Problems:
    yield from keys(block, at, "", "block_id text fields accessory expand")
    if "text" not in block and "fields" not in block:
        yield at, "missing required field: text"
    if "text" in block:
        yield from text(block["text"], f"{at}/text", 3000)
    if "fields" in block:
        yield from amount(block["fields"], f"{at}/fields", 10)
        yield from each(block["fields"], f"{at}/fields", lambda thing, place: text(thing, place, 2000))
    if "accessory" in block:
        yield from element(block["accessory"], f"{at}/accessory", IN_SECTION)


def divider(block: dict[str, Any], at: str) -> Problems:
    yield from keys(block, at, "", "block_id")


def header(block: dict[str, Any], at: str) -> Problems:
    yield from keys(block, at, "text", "block_id level")
    yield from plain(block.get("text"), f"{at}/text", 150)


def image(block: dict[str, Any], at: str) -> Problems:
    yield from keys(block, at, "alt_text", "block_id image_url slack_file title")
    yield from length(block.get("alt_text"), f"{at}/alt_text", 2000)
    yield from picture(block, at)
    if "title" in block:
        yield from plain(block["title"], f"{at}/title", 2000)


def context(block: dict[str, Any], at: str) -> Problems:
    yield from keys(block, at, "elements", "block_id")
    yield from amount(block.get("elements"), f"{at}/elements", 10)
    yield from each(block.get("elements"), f"{at}/elements", lambda thing, place: element(thing, place, IN_CONTEXT))


def actions(block: dict[str, Any], at: str) -> Problems:
    yield from keys(block, at, "elements", "block_id")
    yield from amount(block.get("elements"), f"{at}/elements", 25)
    yield from each(block.get("elements"), f"{at}/elements", lambda thing, place: element(thing, place, IN_ACTIONS))


def input_block(block: dict[str, Any], at: str) -> Problems:
    yield from keys(block, at, "label element", "block_id hint optional dispatch_action")
    yield from plain(block.get("label"), f"{at}/label", 2000)
    if "hint" in block:
        yield from plain(block["hint"], f"{at}/hint", 2000)
    yield from element(block.get("element"), f"{at}/element", IN_INPUT)


def markdown(block: dict[str, Any], at: str) -> Problems:
    yield from keys(block, at, "text", "block_id")
    yield from length(block.get("text"), f"{at}/text", MARKDOWN_TOTAL)


def rich_text(block: dict[str, Any], at: str) -> Problems:
    yield from keys(block, at, "elements", "block_id")
    yield from amount(block.get("elements"), f"{at}/elements", 3000)
    yield from each(block.get("elements"), f"{at}/elements", rich_part)


def rich_part(part: dict[str, Any], at: str) -> Problems:
    kind = part.get("type")
    if kind not in RICH:
        yield f"{at}/type", f"unsupported type: {kind}"
        return
    yield from keys(part, at, "elements", "style indent offset border language")
    inner: Check = rich_part if kind == "rich_text_list" else rich_inline
    if not isinstance(part.get("elements"), list):
        yield f"{at}/elements", "must be an array"
    yield from each(part.get("elements"), f"{at}/elements", inner)


def rich_inline(part: dict[str, Any], at: str) -> Problems:
    if part.get("type") not in RICH_INLINE:
        yield f"{at}/type", f"unsupported type: {part.get('type')}"
    elif part["type"] == "text":
        yield from length(part.get("text"), f"{at}/text", 12_000)


def table(block: dict[str, Any], at: str) -> Problems:
    yield from keys(block, at, "rows", "block_id column_settings")
    yield from amount(block.get("rows"), f"{at}/rows", 100)
    for n, row in enumerate(block["rows"] if isinstance(block.get("rows"), list) else []):
        yield from amount(row, f"{at}/rows/{n}", 20)
        yield from each(row, f"{at}/rows/{n}", cell)
    if "column_settings" in block:
        yield from amount(block["column_settings"], f"{at}/column_settings", 20, 0)


def cell(thing: dict[str, Any], at: str) -> Problems:
    kind = thing.get("type")
    if kind == "raw_text":
        yield from keys(thing, at, "text")
        yield from length(thing.get("text"), f"{at}/text", 3000, 0)
    elif kind == "rich_text":
        yield from rich_text(thing, at)
    elif kind != "raw_number":
        yield f"{at}/type", f"unsupported type: {kind}"


BLOCKS: dict[str, tuple[frozenset[str], Check]] = {
    "section": (EVERYWHERE, section),
    "divider": (EVERYWHERE, divider),
    "header": (EVERYWHERE, header),
    "image": (EVERYWHERE, image),
    "context": (EVERYWHERE, context),
    "actions": (EVERYWHERE, actions),
    "input": (EVERYWHERE, input_block),
    "rich_text": (EVERYWHERE, rich_text),
    "markdown": (frozenset({"message"}), markdown),
    "table": (frozenset({"message", "home"}), table),
}


def problems(blocks: Any, surface: str, at: str = "/blocks") -> Problems:
    """All that Slack would refuse about these blocks on this surface ("message", "modal" or "home")."""
    yield from amount(blocks, at, MOST[surface], 0)
    if not isinstance(blocks, list):
        return
    for n, block in enumerate(blocks):
        yield from _block(block, surface, f"{at}/{n}")
    found = [block for block in blocks if isinstance(block, dict)]
    yield from _repeated(found, at)
    yield from _totals(found, at)


def _block(block: Any, surface: str, at: str) -> Problems:
    kind = block.get("type") if isinstance(block, dict) else None
    surfaces, check = BLOCKS.get(str(kind), (frozenset(), divider))
    if surface not in surfaces:
        yield f"{at}/type", f"unsupported type: {kind}"
        return
    yield from check(block, at)
    yield from optional(block, "block_id", at, 255)


def _repeated(blocks: list[dict[str, Any]], at: str) -> Problems:
    seen: set[str] = set()
    for n, block in enumerate(blocks):
        name = block.get("block_id")
        if name is not None and str(name) in seen:
            yield f"{at}/{n}/block_id", f"`block_id` already exists: {name}"
        seen.add(str(name))
        names = [str(e["action_id"]) for e in elements(block) if "action_id" in e]
        if len(names) != len(set(names)):
            yield f"{at}/{n}", "`action_id` already exists in this block"


def _totals(blocks: list[dict[str, Any]], at: str) -> Problems:
    if sum(len(str(block.get("text", ""))) for block in blocks if block.get("type") == "markdown") > MARKDOWN_TOTAL:
        yield at, f"markdown blocks must be less than {MARKDOWN_TOTAL + 1} characters in total"
    if sum(block.get("type") == "table" for block in blocks) > 1:
        yield at, "only_one_table_allowed"


def elements(block: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The elements of a block that a person can act on."""
    inside = block.get("elements") if block.get("type") == "actions" else None
    found = [*(inside if isinstance(inside, list) else []), block.get("accessory"), block.get("element")]
    yield from (thing for thing in found if isinstance(thing, dict) and thing.get("type") != "image")
