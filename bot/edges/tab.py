"""The Home tab of one person, drawn anew when it is opened and after their own decisions."""

from __future__ import annotations

from typing import Any

from bot.core.desk import Desk
from bot.core.errors import Told
from bot.edges import home
from bot.edges.parts import Parts


def view_for(desk: Desk, user: str) -> dict[str, Any]:
    """Blocking. Raises Told when the store does not answer."""
    newest = desk.runs(limit=20)
    running = desk.runs(open_only=True, limit=20)
    failing = desk.incidents(open_only=True, limit=20)
    held = desk.inventory()
    return home.home(user, desk.waiting_for(user), running, newest, desk.schedules(), incidents=failing, holdings=held)


async def refresh(parts: Parts, user: str) -> None:
    try:
        view = await parts.threads.call(view_for, parts.desk, user)
    except Told:
        return  # it only mirrors the store: it is drawn when it is opened next
    await parts.whisper.publish(user, view)
