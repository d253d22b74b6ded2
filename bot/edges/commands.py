"""Slash commands: what a person typed becomes a request in the store, then Slack is answered."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from bot.core import ask as asks
from bot.core.errors import Refused, Told
from bot.core.handler import Ask, Handler
from bot.core.intake import Request
from bot.edges import keeper, modal, render, tab, whisper
from bot.edges.parts import Call, Parts, show, timely, unstored
from bot.edges.payloads import AskPlace, Command
from bot.edges.render import Message

KEPT_TEXT = 1000  # characters of what was typed that are stored for people to read


async def handle(parts: Parts, command: Command, ack: Call, respond: Call) -> None:
    handler = parts.desk.handlers.get(command.name)
    if command.name == keeper.NAME:
        await timely(parts, ack, respond, _keep(parts, command))
    elif handler is None:
        await show(ack, render.error_message(_unknown(command.name, parts.desk.handlers)))
    elif asks.missing(handler, command.text):
        await ack()
        parts.threads.start(_open_form(parts, handler, command, respond))
    else:
        await timely(parts, ack, respond, _ask(parts, handler, command, respond))


async def _keep(parts: Parts, command: Command) -> Message:
    try:
        message = await parts.threads.call(keeper.answer, parts.desk, command)
    except Told as error:
        return render.error_message(error)
    parts.threads.start(tab.refresh(parts, command.user_id))
    return message


async def _ask(parts: Parts, handler: Handler, command: Command, respond: Call) -> Message:
    try:
        ask = asks.parse(command.text, handler)
        run = await store(parts, request(command, handler, ask))
    except Told as error:
        return render.error_message(error)
    parts.threads.start(_warn_if_not_there(parts, command.channel_id, run, respond))
    return render.ephemeral(accepted(run))


async def store(parts: Parts, asked: Request) -> str:
    """The id of the stored run. Raises Told; what the store says is completed with what it means."""
    try:
        return await parts.threads.call(parts.desk.ask, asked)
    except Told as error:
        raise unstored(error) from None


def request(command: Command, handler: Handler, ask: Ask) -> Request:
    return Request(
        key=command.key,
        command=handler.name,
        ask=ask.model_dump(mode="json"),
        text=command.text[:KEPT_TEXT],
        asker=command.user_id,
        channel=command.channel_id,
    )


def accepted(run: str, *, here: bool = True) -> str:
    where = "in this channel" if here else "in the channel where I post by myself"
    return f"Looking into it as run {run}. The answer appears {where}; nothing changes before it is approved."


async def _warn_if_not_there(parts: Parts, channel: str, run: str, respond: Call) -> None:
    """The request is stored, but its plan could not be shown: say so where Slack lets anybody answer."""
    if not await parts.whisper.may_post(channel):
        error = Refused(
            f"I am not in this channel, so run {run} cannot be shown here.",
            f"Invite me with /invite @hivekeeper, or type /hivekeeper show {run} to see it now.",
        )
        await whisper.respond(respond, render.error_message(error))


async def _open_form(parts: Parts, handler: Handler, command: Command, respond: Call) -> None:
    place = AskPlace(command=handler.name, channel=command.channel_id).model_dump_json()
    view = modal.ask_modal(handler, asks.given(handler, command.text), place)
    if error := await parts.whisper.open(command.trigger_id, view):
        await whisper.respond(respond, render.error_message(error))


def _unknown(name: str, known: Iterable[str]) -> Told:
    """The app's manifest offers a command that this bot does not have: switched off, or another version."""
    close = get_close_matches(name[:40], [*known, keeper.NAME], n=1)
    hint = f"Did you mean /{close[0]}? " if close else ""
    return Refused(f"The command /{asks.echo(name)} is not switched on here.", f"{hint}/hivekeeper help lists them.")
