"""Buttons of an incident: take it on, tick a step, look again, close it, or ask for what an offer offers.

Whoever sees the message can press them. The desk decides whether it counts; an offer becomes a request by the person
who pressed, with the rule of its command.
"""

from __future__ import annotations

import asyncio
import logging
import re
from typing import Literal, cast

from pydantic import ValidationError

from bot.core import ask as asks
from bot.core.desk import Desk
from bot.core.diagnosis import Offer
from bot.core.errors import Refused, Told, Transient
from bot.core.handler import Ask, Handler
from bot.core.incident import IncidentState, IncidentView
from bot.core.intake import Request
from bot.edges import offers, render
from bot.edges.parts import IN_TIME, Call, Parts, unforeseen, unkept, unstored
from bot.edges.payloads import About, Click, Foreign
from bot.edges.render import Message

OURS = re.compile(r"take|look|close|tick|offer(-\d{1,2})?")  # action ids; of several offers in a row, numbered
Action = Literal["take", "tick", "look", "close"]
log = logging.getLogger(__name__)


async def handle(parts: Parts, click: Click, ack: Call) -> None:
    """Raises Foreign for a value that is not one we made."""
    pressed = click.actions[0]
    about, doing = About.of(pressed.value), pressed.action_id.partition("-")[0]
    if bool(about.offer) != (doing == "offer") or bool(about.step) != (doing == "tick"):
        raise Foreign("value of another button")
    await asyncio.wait({parts.threads.start(_attend(parts, click, about, doing))}, timeout=IN_TIME)
    await ack()


async def _attend(parts: Parts, click: Click, about: About, doing: str) -> None:
    """Do it, and tell this person alone what came of it."""
    try:
        message = await parts.threads.call(_done, parts, click, about, doing)
    except Told as error:
        message = render.error_message(error)
    except Exception as error:  # Slack is answered whatever happens, so the person must hear of it here
        log.error("a button of an incident failed", extra={"error": type(error).__name__})
        message = render.error_message(unforeseen(error))
    parts.threads.start(parts.whisper.answer(click, message))


def _done(parts: Parts, click: Click, about: About, doing: str) -> Message:
    """Blocking. Raises Told."""
    if doing == "offer":
        return _offered(parts.desk, click, about)
    try:
        outcome = parts.desk.incident_action(click.key, about.incident, click.user.id, cast(Action, doing), about.step)
    except Transient as error:
        raise unkept(error) from None
    return render.ephemeral(outcome.told)


def _offered(desk: Desk, click: Click, about: About) -> Message:
    """What the store says now counts, not what the button looked like when it was drawn."""
    view = _current(desk, about.incident)
    offer = offers.find(view.diagnosis, about.offer)
    if offer is None:
        raise Refused("That offer is out of date: the last look found something else.", "See the message as it is now.")
    handler = desk.handlers.get(offer.command)
    if handler is None:
        raise Refused(f"The command /{asks.echo(offer.command)} is not switched on here.", "Do the step by hand.")
    try:
        run = desk.ask(_request(click, view, handler, _parameters(handler, offer)))
    except Told as error:
        raise unstored(error) from None
    return render.ephemeral(
        f"Looking into it as run {run}. The plan appears in this thread; nothing changes before it is approved."
    )


def _current(desk: Desk, incident: str) -> IncidentView:
    view = desk.incident(incident)
    if view is None:
        raise Refused("That incident is not in the store any more.", "/hivekeeper incidents lists the ones that are.")
    if view.state is IncidentState.CLOSED:
        raise Refused("That incident is closed.", "If it fails again, a new alert opens another one.")
    return view


def _parameters(handler: Handler, offer: Offer) -> Ask:
    try:
        return handler.ask.model_validate(offer.ask)
    except ValidationError:
        told = f"The offer does not fit the command /{handler.name} any more."
        raise Refused(told, f"Type /{handler.name} with its parameters.") from None


def _request(click: Click, view: IncidentView, handler: Handler, ask: Ask) -> Request:
    return Request(
        key=click.key,
        command=handler.name,
        ask=ask.model_dump(mode="json"),
        text=asks.spell(ask, handler),
        asker=click.user.id,
        channel=click.place or view.channel,
        incident=view.id,
    )
