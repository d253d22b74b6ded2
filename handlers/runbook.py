"""/runbook: list, search or walk through runbooks (runbook beside this file). Changes nothing by itself."""

from __future__ import annotations

import difflib
import re

from pydantic import Field

from bot.core.checklist import Offer, RunbookStep
from bot.core.errors import Refused
from bot.core.handler import Ask, Handler, HandlerSettings
from bot.core.plan import Answer, Note, Table
from bot.core.ports import ReadTools
from bot.core.runbook import Item, Runbook, named

COMMAND = "runbook"
LISTED = 40  # runbooks in one answer
CUT = 300  # characters of one line
NAMED = re.compile(r"(?<![\w/.])/([a-z][a-z0-9-]{1,31})(?![\w/-]|\.\w)")  # a command, as people write it


class ShowRunbook(Ask):
    """What a person types after /runbook."""

    name: str = Field(
        default="",
        max_length=200,
        description="Name of a runbook, or words to search for; all of them if left out.",
        json_schema_extra={"positional": True},
    )


class Settings(HandlerSettings):
    """Nothing of its own: the organisation's folder is in `runbooks.folder`."""


def plan(ask: ShowRunbook, settings: Settings, tools: ReadTools) -> Answer:  # noqa: ARG001  one signature for all handlers
    """One runbook as steps if there is one of that name, else those in which all the words occur."""
    names = tools.runbooks.names()
    wanted = named(ask.name.strip())
    if wanted in names and (book := tools.runbooks.find(wanted)):
        return show(book, tools.commands)
    found = tuple(book for book in tools.runbooks.all() if matches(book, ask.name))
    if len(found) == 1 and wanted:
        return show(found[0], tools.commands)
    if not found:
        raise Refused(f"No runbook has all of these words: {ask.name.strip()[:60]}.", _nearest(wanted, names))
    return listed(found, ask.name.strip())


def _nearest(wanted: str, names: tuple[str, ...]) -> str:
    near = difflib.get_close_matches(wanted, names, n=3)
    return f"Did you mean {' or '.join(near)}?" if near else "Type /runbook for the list."


def matches(book: Runbook, words: str) -> bool:
    """Do all the words occur, in whatever case, in its name, title, front matter, headings or steps?"""
    texts = (
        book.name,
        book.title,
        *book.front.values(),
        *(s.title for s in book.sections),
        *(s.text for s in book.steps),
    )
    everything = " ".join(texts).casefold()
    return all(word in everything for word in words.casefold().split())


def listed(books: tuple[Runbook, ...], words: str) -> Answer:
    count = f"{len(books)} runbook{'' if len(books) == 1 else 's'}"
    rows = tuple((book.name, book.title[:CUT], str(len(book.steps))) for book in books[:LISTED])
    more = len(books) - LISTED
    return Answer(
        command=COMMAND,
        title=f"{count} with {words[:80]}" if words else count,
        text=("Type /runbook NAME to walk through one.",),
        table=Table(head=("name", "title", "steps"), rows=rows),
        warnings=(f"{more} more are not shown: search with a word.",) if more > 0 else (),
    )


def show(book: Runbook, commands: frozenset[str]) -> Answer:
    """A runbook as what it is about and its steps, in order, to be ticked; code blocks follow, for they are to be
    copied. `commands`: what a step may offer to ask for."""
    about = next((section.text[0] for section in book.sections if section.text), "")
    codes = tuple(Note(label=code.language or "Code", text=code.text.strip()[:CUT]) for code in book.codes[:8])
    return Answer(
        command=COMMAND,
        title=book.title[:150],
        text=(about[:1000],) if about else (),
        notes=codes,
        warnings=book.warnings[:10],
        checklist=tuple(
            RunbookStep(name=f"item-{n}", text=told(step), section=step.section[:150], offer=offer(step, commands))
            for n, step in enumerate(book.steps, 1)
        ),
    )


def offer(step: Item, commands: frozenset[str]) -> Offer | None:
    """A step that names one of the bot's commands, in its marker or as people write it, offers that one."""
    named_by = (step.name, *NAMED.findall(" ".join((step.text, *step.details))))
    command = next((name for name in named_by if name in commands and name != COMMAND), None)
    return Offer(label=f"/{command}", command=command) if command else None


def told(step: Item) -> str:
    """The step and the points below it, as one text."""
    return " ".join(part for part in (step.text, *(f"• {point}" for point in step.details)))[:1500]


HANDLER = Handler(
    name=COMMAND,
    summary="List runbooks, search them, or walk through one step by step.",
    ask=ShowRunbook,
    settings=Settings,
    plan=plan,
    example="diagnose-redhat-auth",
)
