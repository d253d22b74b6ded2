"""What the listeners work with, and how they answer in time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from bot.core.desk import Desk
from bot.core.errors import Refused, Told, Transient
from bot.edges import render, whisper
from bot.edges.metrics import Metrics
from bot.edges.render import Message
from bot.edges.threads import Threads
from bot.edges.whisper import Whisper

Call = Callable[..., Awaitable[Any]]  # Bolt's ack and respond
IN_TIME = 2.2  # seconds until Slack is answered in any case; it gives up at three
LATE = "This takes longer than usual. It is still being worked on, and what came of it will be told here."


@dataclass(frozen=True)
class Parts:
    desk: Desk
    threads: Threads
    whisper: Whisper
    metrics: Metrics
    team: Callable[[], str | None] = lambda: None  # the workspace the bot belongs to, once Slack has said which
    ours: Callable[[], frozenset[str]] = frozenset  # the ids the bot posts under, likewise


async def show(ack: Call, message: Message) -> None:
    """Answer a command with something that only the person sees."""
    await ack(text=message.text, blocks=message.blocks, response_type="ephemeral")


async def timely(parts: Parts, ack: Call, respond: Call, work: Coroutine[Any, Any, Message]) -> None:
    """Answer with the result, or within Slack's three seconds with a promise that is then kept."""
    task = parts.threads.start(work)
    done, _ = await asyncio.wait({task}, timeout=IN_TIME)
    if done:
        return await show(ack, task.result())
    await show(ack, render.ephemeral(LATE))
    parts.threads.start(_later(task, respond))
    return None


async def _later(task: asyncio.Task[Message], respond: Call) -> None:
    try:
        message = await task
    except Exception as error:  # it is in the log already; what was promised is kept
        message = render.error_message(unforeseen(error))
    await whisper.respond(respond, message)


def unforeseen(error: Exception) -> Told:
    """For an error that is a fault of ours: its class, and where to look."""
    return Refused(
        f"The bot failed in a way nobody foresaw ({type(error).__name__}).",
        "Whether something was started shows /hivekeeper runs; the bot's log has more.",
    )


def unstored(error: Told) -> Told:
    """What a person must know when the store did not take a request: that nothing was started."""
    if not isinstance(error, Transient):
        return error
    if error.unheard:
        now = f"{error.what} Look whether it shows up before you ask again."
        return Transient("Whether your request is stored is not known.", now)
    return Transient("I could not store your request; nothing was started.", f"{error.what} Try again in a minute.")


def undecided(error: Told) -> Told:
    """The same for a decision."""
    return _lost(error, "your decision")


def unkept(error: Told) -> Told:
    """The same for whatever else is pressed."""
    return _lost(error, "that")


def _lost(error: Told, what: str) -> Told:
    if not isinstance(error, Transient):
        return error
    if error.unheard:
        return Transient(f"Whether {what} is stored is not known.", f"{error.what} Press it again: it counts once.")
    return Transient(f"I could not store {what}; nothing was changed.", f"{error.what} Press it again.")
