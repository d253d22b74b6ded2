"""Block Kit documents from texts that are already safe (bot.edges.text). Foreign text never comes in here raw."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from bot.core.plan import Note, Table
from bot.core.view import RunView
from bot.edges.blocks import COLUMNS, ROWS, Block
from bot.edges.text import moment, mrkdwn, plain, size

NOTHING = "–"


def words(text: str) -> Block:
    """A plain_text object. Emoji names stay text, because the text may be foreign."""
    return {"type": "plain_text", "text": text or NOTHING, "emoji": False}


def marked(text: str) -> Block:
    """A mrkdwn object in which Slack looks for nothing by itself."""
    return {"type": "mrkdwn", "text": text or NOTHING, "verbatim": True}


def header(block_id: str, text: str) -> Block:
    return {"type": "header", "block_id": block_id, "text": words(plain(text, 150))}


def section(block_id: str, text: str) -> Block:
    """A paragraph that Slack does not fold: what stands under "see more" is not read before it is approved."""
    return {"type": "section", "block_id": block_id, "expand": True, "text": marked(text)}


def context(block_id: str, *texts: str) -> Block:
    """One line of small print; its parts in one element, so that a phone wraps them as one sentence."""
    return {"type": "context", "block_id": block_id, "elements": [marked(" · ".join(filter(None, texts)))]}


def sections(block_id: str, head: str, lines: Sequence[str], budget: int, more: str, *, gap: str = "") -> list[Block]:
    """Lines under a heading, in as few sections as it takes, not longer than the budget in all.

    Lines that do not fit are counted: "… and 7 more: press Details". A line is at most 2,500 long;
    `gap` stands between lines that are paragraphs.
    """
    texts = [head]
    for line in fitting(lines, budget - size(head), more):
        if size(texts[-1]) + size(line) + 2 > 2900:
            texts.append("")
        texts[-1] = f"{texts[-1]}\n{line}" if texts[-1] in ("", head) else f"{texts[-1]}\n{gap}{line}"
    return [section(f"{block_id}-{n}" if n else block_id, text) for n, text in enumerate(map(str.strip, texts)) if text]


def fitting(lines: Sequence[str], budget: int, more: str) -> list[str]:
    """The first lines, as many as the budget holds, and one that counts the rest."""
    left, taken = budget - size(more) - 30, 0
    while taken < len(lines) and left >= size(lines[taken]) + 2:
        left -= size(lines[taken]) + 2
        taken += 1
    rest = len(lines) - taken
    return [*lines[:taken], *([f"… and {rest} more{more}"] if rest else [])]


def noted(note: Note, limit: int) -> str:
    """A note's text (mrkdwn), and its time if it has one."""
    return f"{mrkdwn(note.text, limit)} {moment(note.at) if note.at is not None else ''}".strip()


def button(action_id: str, label: str, value: str, **more: Any) -> Block:
    return {"type": "button", "action_id": action_id, "text": words(label), "value": value, **more}


def token(view: RunView) -> str:
    """What a button carries: which run, and what the person saw of it. To be treated as untrusted on its way back."""
    return json.dumps({"run": view.id, "digest": view.digest or ""}, separators=(",", ":"))


def table(block_id: str, content: Table, budget: int) -> tuple[Block | None, int]:
    """A table and how many rows had to be left out; None if there is nothing to show."""
    columns = len(content.head[:COLUMNS])
    if not columns:
        return None, 0
    rows = [_row(content.head, columns)]
    left = budget - sum(size(c["text"]) for c in rows[0])
    for given in content.rows[: ROWS - 1]:
        row = _row(given, columns)
        left -= sum(size(c["text"]) for c in row)
        if left < 0:
            break
        rows.append(row)
    return {"type": "table", "block_id": block_id, "rows": rows}, len(content.rows) - len(rows) + 1


def _row(cells: Sequence[str], columns: int) -> list[Block]:
    padded = [*cells, *[""] * columns][:columns]
    return [{"type": "raw_text", "text": plain(cell, 200) or NOTHING} for cell in padded]


def option(text: str, value: str) -> Block:
    return {"text": words(plain(text, 75)), "value": value}
