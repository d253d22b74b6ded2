"""Secrets that people hand in, and sign-ins: from the button to the desk, and the answer back to that person alone.

What was typed is taken out of the payload before anything else looks at that, and travels as a `Secret` from there on.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable
from typing import Any

from bot.core import handing_in
from bot.core.errors import Refused, Told, Transient
from bot.core.intake import Outcome
from bot.core.secret import Secret
from bot.edges import render, wanted
from bot.edges.parts import IN_TIME, Call, Parts, unforeseen
from bot.edges.payloads import Click, Submission, WantedOf
from bot.edges.render import Message

OURS = re.compile(rf"({wanted.HAND_IN}|{wanted.SIGN_IN})(-\d)?")  # action ids
LOOK_IN_TIME = 1.0  # seconds to look the run up before its form opens: the trigger lives three
log = logging.getLogger(__name__)


def taken_out(body: dict[str, Any]) -> Secret | Refused | None:
    """What was typed into the form for secrets, or why it cannot be taken; None for any other payload. It is not in the
    payload any more after this."""
    view = body.get("view")
    if not isinstance(view, dict) or view.get("callback_id") != wanted.HAND_IN:
        return None
    state = view.pop("state", None)
    try:
        return handing_in.typed(state["values"][wanted.SECRET][wanted.VALUE]["value"])
    except (TypeError, KeyError, AttributeError):  # it comes from outside: any part may be missing or of another kind
        return Refused("Nothing was handed in.", "Press the button once more.")
    except Refused as error:
        return error


async def handle(parts: Parts, click: Click, ack: Call) -> None:
    """Raises Foreign for a value that is not one we made."""
    pressed = click.actions[0]
    about = WantedOf.of(pressed.value)
    if pressed.action_id.startswith(wanted.HAND_IN):
        await ack()
        parts.threads.start(_open(parts, click, about))
        return
    work = _tell(
        parts, click.user.id, about.run, lambda: _signed_in(parts, click, about), click.place, thread=click.thread
    )
    await asyncio.wait({parts.threads.start(work)}, timeout=IN_TIME)
    await ack()


async def submit(parts: Parts, submission: Submission, secret: Secret | Refused | None, ack: Call) -> None:
    """Hand it to the desk, after Slack was answered. Raises Foreign for a form that is not one we made."""
    about, user = WantedOf.of(submission.view.private_metadata), submission.user.id
    if not isinstance(secret, Secret):
        await ack(response_action="errors", errors={wanted.SECRET: str(secret or "Nothing was handed in.")})
        return
    await ack(response_action="clear")
    key, run, name = submission.key, about.run, about.name
    work = _tell(parts, user, run, lambda: parts.desk.hand_in(key, run, name, user, secret), about.channel)
    parts.threads.start(work)


async def _open(parts: Parts, click: Click, about: WantedOf) -> None:
    try:
        view = await asyncio.wait_for(parts.threads.call(parts.desk.run, about.run), LOOK_IN_TIME)
        found = wanted.find(view, about.name)
        if view is None or found is None or found.way:
            raise Refused("That is not wanted any more.", "Ask for the command again.")
        trouble = await parts.whisper.open(click.trigger_id, wanted.form(view, found, click.place))
    except (Transient, TimeoutError):
        trouble = Transient("The store did not answer in time.", "Nothing was handed in; press it again.")
    except Told as error:
        trouble = error
    except Exception as error:  # a form that does not open needs a word, too
        log.error("a form failed", extra={"run": about.run, "error": type(error).__name__})
        trouble = unforeseen(error)
    if trouble:
        await parts.whisper.answer(click, render.error_message(trouble))


def _signed_in(parts: Parts, click: Click, about: WantedOf) -> Outcome:
    return parts.desk.sign_in(click.key, about.run, about.name, click.user.id)


async def _tell(
    parts: Parts, user: str, run: str, act: Callable[[], Outcome], place: str | None, *, thread: str | None = None
) -> None:
    """Do it, and tell this person alone what came of it, where the button is."""
    message = await _done(parts, run, act)
    parts.threads.start(parts.whisper.tell(user, place, message, thread))


async def _done(parts: Parts, run: str, act: Callable[[], Outcome]) -> Message:
    try:
        outcome = await parts.threads.call(act)
    except Told as error:
        return render.error_message(error)
    except Exception as error:  # Slack is answered whatever happens, so the person must hear of it here
        log.error("handing in failed", extra={"run": run, "error": type(error).__name__})
        return render.error_message(unforeseen(error))
    if outcome.invited:
        return wanted.invitation(outcome.invited)
    return render.ephemeral(outcome.told if outcome.accepted else f"❌ {outcome.told}")
