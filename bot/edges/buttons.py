"""Buttons of runs: approve, deny, details, again; those of incidents are in bot.edges.attending, those of checklists
in bot.edges.walking, those of reports, answers and the inventory in bot.edges.mending, those that ask for secrets in
bot.edges.handing_in.

Whoever sees a message can press them; the desk decides whether it counts.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from bot.core.errors import Refused, Told, Transient
from bot.core.intake import Decision
from bot.core.view import RunView
from bot.edges import again, attending, decisions, handing_in, mending, modal, render, retry, walking
from bot.edges.parts import IN_TIME, Call, Parts
from bot.edges.payloads import Click, Foreign, Target

LOOK_IN_TIME = 1.0  # seconds to look a run up before its form opens: the trigger lives three


async def handle(parts: Parts, click: Click, ack: Call) -> None:
    """Raises Foreign for a button that is not ours or whose value is not one we made."""
    pressed = click.actions[0]
    if attending.OURS.fullmatch(pressed.action_id):
        return await attending.handle(parts, click, ack)
    if pressed.action_id in walking.OURS:
        return await walking.handle(parts, click, ack)
    if mending.OURS.fullmatch(pressed.action_id):
        return await mending.handle(parts, click, ack)
    if handing_in.OURS.fullmatch(pressed.action_id):
        return await handing_in.handle(parts, click, ack)
    if pressed.action_id not in BUTTONS:
        raise Foreign(pressed.action_id[:40])
    return await BUTTONS[pressed.action_id](parts, click, Target.of(pressed.value), ack)


async def _approve(parts: Parts, click: Click, target: Target, ack: Call) -> None:
    decision = Decision(key=click.key, run=target.run, verdict="approve", user=click.user.id, digest=target.digest)
    await asyncio.wait(
        {parts.threads.start(decisions.take(parts, decision, click.place, click.thread))}, timeout=IN_TIME
    )
    await ack()


async def _deny(parts: Parts, click: Click, target: Target, ack: Call) -> None:
    await ack()
    parts.threads.start(_open(parts, click, target, modal.deny_modal))


async def _details(parts: Parts, click: Click, target: Target, ack: Call) -> None:
    await ack()
    parts.threads.start(_open(parts, click, target, modal.details))


async def _again(parts: Parts, click: Click, target: Target, ack: Call) -> None:
    await asyncio.wait({parts.threads.start(retry.take(parts, click, target))}, timeout=IN_TIME)
    await ack()


async def _open(parts: Parts, click: Click, target: Target, form: Callable[[RunView], dict[str, Any]]) -> None:
    try:
        view = await _looked_up(parts, target)
        trouble = await parts.whisper.open(click.trigger_id, form(view))
    except Told as error:
        trouble = error
    if trouble:
        await parts.whisper.answer(click, render.error_message(trouble))


async def _looked_up(parts: Parts, target: Target) -> RunView:
    try:
        view = await asyncio.wait_for(parts.threads.call(parts.desk.run, target.run), LOOK_IN_TIME)
    except (Transient, TimeoutError):
        raise Transient("The store did not answer in time.", "Nothing was changed; press it again.") from None
    if view is None:
        raise Refused("That run is not in the store any more.", "/hivekeeper runs lists the ones that are.")
    if target.digest is not None and view.digest != target.digest:
        raise Refused(f"This message shows an older plan of run {view.id}.", f"/hivekeeper show {view.id} has the new.")
    return view


BUTTONS: dict[str, Callable[[Parts, Click, Target, Call], Awaitable[None]]] = {
    "approve": _approve,
    "deny": _deny,
    "details": _details,
    again.AGAIN: _again,
}
