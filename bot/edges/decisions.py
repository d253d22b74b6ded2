"""A decision on its way from a click to the desk, and the answer on its way back."""

from __future__ import annotations

import logging

from bot.core.errors import Told
from bot.core.intake import Decision
from bot.edges import render, tab
from bot.edges.parts import Parts, undecided, unforeseen
from bot.edges.render import Message

log = logging.getLogger(__name__)


async def take(parts: Parts, decision: Decision, place: str | None, thread: str | None = None) -> None:
    """Hand the decision to the desk and tell this person alone what came of it; then redraw their Home tab."""
    message = await _taken(parts, decision)
    parts.threads.start(_after(parts, decision.user, place, thread, message))


async def _taken(parts: Parts, decision: Decision) -> Message:
    with parts.metrics.decision.time():
        try:
            return render.ephemeral((await parts.threads.call(parts.desk.decide, decision)).told)
        except Told as error:
            return render.error_message(undecided(error))
        except Exception as error:  # Slack is answered whatever happens, so the person must hear of it here
            log.error("a decision failed", extra={"run": decision.run, "error": type(error).__name__})
            return render.error_message(unforeseen(error))


async def _after(parts: Parts, user: str, place: str | None, thread: str | None, message: Message) -> None:
    await parts.whisper.tell(user, place, message, thread)
    await tab.refresh(parts, user)
