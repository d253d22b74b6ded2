"""Bolt with a net under it: it takes payloads apart before anybody has looked whether they have the shape."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from slack_bolt import BoltResponse
from slack_bolt.async_app import AsyncApp, AsyncBoltRequest

Refuse = Callable[[dict[str, Any]], Awaitable[None]]


class GuardedApp(AsyncApp):
    """`refuse` is told of each payload on which Bolt itself fails; Slack is answered as if it had been taken."""

    def __init__(self, refuse: Refuse, **options: Any) -> None:
        super().__init__(**options)
        self._refuse = refuse

    async def async_dispatch(self, req: AsyncBoltRequest) -> BoltResponse:
        try:
            return await super().async_dispatch(req)
        except Exception:  # in any way: an empty list of actions gives an IndexError, on the way to our error listener
            await self._refuse(req.body)
            return BoltResponse(status=200, body="")
