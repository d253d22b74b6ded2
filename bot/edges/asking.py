"""An offer that a person took becomes a request of theirs, or a form where it does not say enough."""

from __future__ import annotations

from pydantic import ValidationError

from bot.core import ask as asks
from bot.core.checklist import Offer
from bot.core.errors import Refused
from bot.core.handler import Ask, Handler
from bot.core.intake import Request
from bot.edges import commands, modal, render
from bot.edges.parts import Parts
from bot.edges.payloads import AskPlace, Click
from bot.edges.render import Message


async def take(parts: Parts, click: Click, offer: Offer) -> Message | None:
    """What to tell the person; nothing if a form opened. `offer` comes from the store. Raises Told."""
    handler = parts.desk.handlers.get(offer.command)
    if handler is None:
        raise Refused(f"The command /{asks.echo(offer.command)} is not switched on here.", "Do it by hand.")
    try:
        ask = handler.ask.model_validate(offer.ask)
    except ValidationError:
        return await _form(parts, click, handler, offer)
    run = await commands.store(parts, _request(click, handler, ask))
    return render.ephemeral(commands.accepted(run, here=click.place is not None))


async def _form(parts: Parts, click: Click, handler: Handler, offer: Offer) -> Message | None:
    """The command needs more than the offer knows: the person fills it in."""
    if click.place is None:
        raise Refused(f"/{handler.name} needs parameters.", "Type it in a channel.")
    place = AskPlace(command=handler.name, channel=click.place).model_dump_json()
    error = await parts.whisper.open(click.trigger_id, modal.ask_modal(handler, offer.ask, place))
    return render.error_message(error) if error else None


def _request(click: Click, handler: Handler, ask: Ask) -> Request:
    return Request(
        key=click.key,
        command=handler.name,
        ask=ask.model_dump(mode="json"),
        text=asks.spell(ask, handler),
        asker=click.user.id,
        channel=click.place,
    )
