"""Submitted forms: the parameters of a command, the reason of a denial."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from bot.core import ask as asks
from bot.core.errors import Refused, Told
from bot.core.handler import Ask, Handler
from bot.core.intake import Decision, Request
from bot.core.secret import Secret
from bot.edges import commands, decisions, handing_in, modal, render, wanted
from bot.edges.parts import IN_TIME, Call, Parts
from bot.edges.payloads import AskPlace, Foreign, Submission, Target


async def handle(
    parts: Parts, submission: Submission, ack: Call, secret: Secret | Refused | None = None
) -> None:  # fmt: skip
    """Raises Foreign for a form that is not ours. `secret`: what was taken out of a form for secrets."""
    if submission.view.callback_id == wanted.HAND_IN:
        return await handing_in.submit(parts, submission, secret, ack)
    if submission.view.callback_id not in FORMS:
        raise Foreign("form")
    return await FORMS[submission.view.callback_id](parts, submission, ack)


async def _ask(parts: Parts, submission: Submission, ack: Call) -> None:
    place = AskPlace.of(submission.view.private_metadata)
    handler = parts.desk.handlers.get(place.command)
    if handler is None:
        raise Foreign("form of an unknown command")
    ask = modal.read(handler, submission.view.state.values)
    if not isinstance(ask, Ask):
        await ack(response_action="errors", errors=ask)
        return
    stored = parts.threads.start(commands.store(parts, _request(submission, handler, ask, place)))
    done, _ = await asyncio.wait({stored}, timeout=IN_TIME)
    if done and isinstance(error := stored.exception(), Told) and submission.view.state.values:
        await ack(response_action="errors", errors=_on_first(submission, error))
        return
    await ack()
    parts.threads.start(_tell(parts, submission.user.id, place.channel, stored))


async def _deny(parts: Parts, submission: Submission, ack: Call) -> None:
    target = Target.of(submission.view.private_metadata)
    decision = Decision(
        key=submission.key,
        run=target.run,
        verdict="deny",
        user=submission.user.id,
        digest=target.digest,
        reason=modal.reason(submission.view.state.values),
    )
    await asyncio.wait({parts.threads.start(_denied(parts, decision))}, timeout=IN_TIME)
    await ack()


async def _denied(parts: Parts, decision: Decision) -> None:
    """A form does not know in which channel it was opened; the run does."""
    try:
        view = await parts.threads.call(parts.desk.run, decision.run)
    except Told:
        view = None
    await decisions.take(parts, decision, view.channel if view else None)


def _request(submission: Submission, handler: Handler, ask: Ask, place: AskPlace) -> Request:
    return Request(
        key=submission.key,
        command=handler.name,
        ask=ask.model_dump(mode="json"),
        text=asks.spell(ask, handler),
        asker=submission.user.id,
        channel=place.channel,
    )


def _on_first(submission: Submission, error: Told) -> dict[str, str]:
    """The sentence under the first field: the form stays open with what was typed, and can be sent again."""
    return {next(iter(submission.view.state.values)): str(error)}


async def _tell(parts: Parts, user: str, channel: str, stored: asyncio.Task[str]) -> None:
    try:
        message = render.ephemeral(commands.accepted(await stored))
    except Told as error:
        message = render.error_message(error)
    await parts.whisper.tell(user, channel, message)


FORMS: dict[str, Callable[[Parts, Submission, Call], Awaitable[None]]] = {modal.ASK: _ask, modal.DENY: _deny}
