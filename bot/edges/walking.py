"""Buttons of a checklist: tick a step, take the tick back, or ask for what a step offers.

Whoever sees the message can press them. The desk decides whether it counts; an offer becomes a request by the person
who pressed, with the rule of its command.
"""

from __future__ import annotations

import asyncio
import logging

from bot.core.checklist import Offer
from bot.core.errors import Refused, Told, Transient
from bot.core.intake import Outcome
from bot.edges import asking, checklist, offers, render
from bot.edges.parts import IN_TIME, Call, Parts, unforeseen, unkept
from bot.edges.payloads import Click, Foreign, StepOf
from bot.edges.render import Message

OURS = frozenset({checklist.DONE, checklist.NOT_DONE, checklist.OFFER})  # action ids
log = logging.getLogger(__name__)


async def handle(parts: Parts, click: Click, ack: Call) -> None:
    """Raises Foreign for a value that is not one we made."""
    pressed = click.actions[0]
    about = StepOf.of(pressed.value)
    if bool(about.offer) != (pressed.action_id == checklist.OFFER):
        raise Foreign("value of another button")
    await asyncio.wait({parts.threads.start(_attend(parts, click, about))}, timeout=IN_TIME)
    await ack()


async def _attend(parts: Parts, click: Click, about: StepOf) -> None:
    """Do it, and tell this person alone what came of it."""
    try:
        message = await (_offered if about.offer else _ticked)(parts, click, about)
    except Told as error:
        message = render.error_message(error)
    except Exception as error:  # Slack is answered whatever happens, so the person must hear of it here
        log.error("a button of a checklist failed", extra={"error": type(error).__name__})
        message = render.error_message(unforeseen(error))
    if message:
        parts.threads.start(parts.whisper.answer(click, message))


async def _ticked(parts: Parts, click: Click, about: StepOf) -> Message | None:
    """Nothing is said of what the message itself shows in a moment."""
    done = click.actions[0].action_id == checklist.DONE
    try:
        outcome = await parts.threads.call(_tick, parts, click, about, done)
    except Transient as error:
        raise unkept(error) from None
    return None if outcome.accepted else render.ephemeral(outcome.told)


async def _offered(parts: Parts, click: Click, about: StepOf) -> Message | None:
    """What the store says now counts, not what the button looked like when it was drawn."""
    return await asking.take(parts, click, await parts.threads.call(_find, parts, about))


def _tick(parts: Parts, click: Click, about: StepOf, done: bool) -> Outcome:
    return parts.desk.tick(click.key, about.run, about.step, click.user.id, done=done)


def _find(parts: Parts, about: StepOf) -> Offer:
    view = parts.desk.run(about.run)
    steps = view.answer.checklist if view and view.answer else ()
    for step in steps:
        if step.name == about.step and step.offer and offers.digest(step.offer) == about.offer:
            return step.offer
    raise Refused("That step is not in the store any more.", "Type the command by hand.")
