"""Offers of a run's report and of the inventory: pressed, looked up in the store, asked for.

Whoever sees the button can press it; the request is theirs, with the rule of its command.
"""

from __future__ import annotations

import asyncio
import logging
import re

from bot.core.checklist import Offer
from bot.core.desk import Desk
from bot.core.errors import Refused, Told
from bot.edges import asking, inventory, offers, render, report
from bot.edges.parts import IN_TIME, Call, Parts, unforeseen
from bot.edges.payloads import Click, Foreign, OfferOf

OURS = re.compile(rf"{report.OFFER}(-\d{{1,2}})?|{inventory.OFFER}")  # action ids
log = logging.getLogger(__name__)


async def handle(parts: Parts, click: Click, ack: Call) -> None:
    """Raises Foreign for a value that is not one we made."""
    pressed = click.actions[0]
    about = OfferOf.of(pressed.value)
    if bool(about.run) == bool(about.holding) or bool(about.holding) != (pressed.action_id == inventory.OFFER):
        raise Foreign("value of another button")
    await asyncio.wait({parts.threads.start(_attend(parts, click, about))}, timeout=IN_TIME)
    await ack()


async def _attend(parts: Parts, click: Click, about: OfferOf) -> None:
    """Ask for it, and tell this person alone what came of it."""
    try:
        offer = await parts.threads.call(_find, parts.desk, about)
        message = await asking.take(parts, click, offer)
    except Told as error:
        message = render.error_message(error)
    except Exception as error:  # Slack is answered whatever happens, so the person must hear of it here
        log.error("an offer failed", extra={"error": type(error).__name__})
        message = render.error_message(unforeseen(error))
    if message:
        parts.threads.start(parts.whisper.answer(click, message))


def _find(desk: Desk, about: OfferOf) -> Offer:
    """What the store says now counts, not what the button looked like when it was drawn."""
    if about.run:
        found = offers.in_report(desk.run(about.run), about.offer)
    else:
        found = offers.in_inventory(desk.inventory(), about.holding, about.offer)
    if found is None:
        raise Refused("That offer is out of date.", "Look again with /hivekeeper inventory, or type the command.")
    return found
