"""Asking again, on its way from a button to the desk, and the answer on its way back."""

from __future__ import annotations

import logging

from bot.core.errors import Told
from bot.edges import render
from bot.edges.parts import Parts, unforeseen, unstored
from bot.edges.payloads import Click, Target
from bot.edges.render import Message

log = logging.getLogger(__name__)


async def take(parts: Parts, click: Click, target: Target) -> None:
    """Ask, and tell this person alone what came of it."""
    message = await _asked(parts, click, target)
    parts.threads.start(parts.whisper.answer(click, message))


async def _asked(parts: Parts, click: Click, target: Target) -> Message:
    try:
        outcome = await parts.threads.call(parts.desk.ask_again, click.key, target.run, click.user.id)
        return render.ephemeral(outcome.told)
    except Told as error:
        return render.error_message(unstored(error))
    except Exception as error:  # Slack is answered whatever happens, so the person must hear of it here
        log.error("asking again failed", extra={"run": target.run, "error": type(error).__name__})
        return render.error_message(unforeseen(error))
