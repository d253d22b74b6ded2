"""What a handler saw after its plan was applied: how things are now, and what is offered about it."""

from __future__ import annotations

from collections.abc import Sequence

from bot.core.checklist import Offer
from bot.core.plan import Report, Table
from bot.core.view import RunView
from bot.edges import again, offers, proposal
from bot.edges.blocks import COLUMNS, Block
from bot.edges.elements import NOTHING, button, context, noted, sections, table
from bot.edges.text import count, mrkdwn, plain, size

OFFER = "report-offer"  # action id, numbered after the first
HEAD = "*What is there now*"
ROWS, ALL = 10, 99  # of the table: in the channel, for one person who wants to see them
_OFFERS = 5  # with a button
_CELL = 200  # characters of one cell of a table
_LINE = 1500  # characters of a row in words


def blocks(view: RunView, room: int, rows: int = ROWS) -> list[Block]:
    """In not more than `room` characters: warnings, notes, the table (so many rows of it), the offers."""
    given = view.report
    if given is None:
        return []
    pressed = buttons(view.id, _offered(view, given))
    left = room - sum(size(element["text"]["text"]) for block in pressed for element in block["elements"])
    said = sections("report", HEAD, lines(given), min(1500, left // 2), proposal.more(view)) if left > 300 else []
    left -= sum(size(block["text"]["text"]) for block in said)
    return [*said, *_table(view, given.table, min(4000, left), rows), *pressed]


def in_words(view: RunView, budget: int) -> list[Block]:
    """The same for where Slack takes no table."""
    if view.report is None:
        return []
    rows = rows_in_words(view.report.table) if view.report.table else []
    return sections("report", HEAD, [*lines(view.report), *rows], budget, ", too many to show here")


def lines(given: Report) -> list[str]:
    """Warnings, then notes (mrkdwn)."""
    warned = [f"⚠️ {mrkdwn(text, 400)}" for text in given.warnings]
    return warned + [f"• *{mrkdwn(note.label, 100)}*: {noted(note, 400)}" for note in given.notes]


def rows_in_words(given: Table) -> list[str]:
    """A line for each row: its first cell, then each other one with the head of its column (mrkdwn)."""
    return [_row(given.head, row) for row in given.rows]


def _row(head: Sequence[str], row: Sequence[str]) -> str:
    line = f"*{mrkdwn(row[0], 150) or NOTHING}*" if row else NOTHING
    for name, cell in zip(head[1:], row[1:], strict=False):
        more = f" · {mrkdwn(name, 60)}: {mrkdwn(cell, 400)}"
        if cell and size(line) + size(more) <= _LINE:
            line += more
    return line


def _table(view: RunView, given: Table | None, budget: int, rows: int) -> list[Block]:
    """As a table if all of its columns and each of its cells fit into one, else in words."""
    if given is None or not given.rows or budget < 200:
        return []
    if len(given.head) > COLUMNS or any(size(cell) > _CELL for row in given.rows for cell in row):
        return sections("report-rows", "", rows_in_words(given), budget, proposal.more(view))
    block, left_out = table("report-table", given.model_copy(update={"rows": given.rows[:rows]}), budget - 120)
    left_out += len(given.rows[rows:])
    rest = f"… and {count(left_out, 'more row')}{proposal.more(view)}"
    return [*([block] if block else []), *([context("report-more", rest)] if left_out else [])]


def _offered(view: RunView, given: Report) -> tuple[Offer, ...]:
    """All but what the button that asks again asks for."""
    there = view.state in again.OFFERED and given.again is not None
    return tuple(one for one in given.offers if not (there and (one.command, one.ask) == (view.command, given.again)))


def buttons(run: str, given: Sequence[Offer]) -> list[Block]:
    """What is offered in a run's report, or in its answer."""
    elements = [
        button(
            f"{OFFER}-{n}" if n else OFFER,
            plain(offer.label, 75),
            offers.of_report(run, offer),
            **({"style": "danger"} if offer.danger else {}),
        )
        for n, offer in enumerate(given[:_OFFERS])
    ]
    return [{"type": "actions", "block_id": "report-offers", "elements": elements}] if elements else []
