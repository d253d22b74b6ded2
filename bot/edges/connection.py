"""The bot's connection to its workspace: made, kept, and told about in the log and in /readyz."""

from __future__ import annotations

import asyncio
import logging

from slack_bolt.adapter.socket_mode.websockets import AsyncSocketModeHandler
from slack_sdk.web.async_client import AsyncWebClient

from bot.core.errors import Told
from bot.edges import slack_errors

LOOK_EVERY = 1.0  # seconds between looks at the socket
LONGEST_WAIT = 30.0  # seconds between attempts while Slack does not answer
log = logging.getLogger(__name__)


class Connection:
    """`socket` is None in HTTP mode: then being connected means that Slack has accepted the token."""

    def __init__(self, client: AsyncWebClient, socket: AsyncSocketModeHandler | None) -> None:
        self._client, self._socket = client, socket
        self._team: str | None = None
        self._ours: frozenset[str] = frozenset()
        self._trouble: str | None = "Slack has not been reached yet."

    def team(self) -> str | None:
        return self._team

    def ours(self) -> frozenset[str]:
        """The user and bot ids under which the bot posts; none before Slack has said."""
        return self._ours

    def trouble(self) -> str | None:
        """One sentence why Slack cannot reach us, or None."""
        return self._trouble

    async def keep(self, stop: asyncio.Event) -> None:
        """Connect, and again whenever the connection is lost, until stopped. Never gives up: a wrong token may be
        put right, and a bot without Slack still takes approvals from the command line."""
        wait = LOOK_EVERY
        while not stop.is_set():
            trouble = await self._attempt()
            self._note(trouble)
            await pause(stop, wait if trouble else LOOK_EVERY)
            wait = min(2 * wait, LONGEST_WAIT) if trouble else LOOK_EVERY

    async def close(self) -> None:
        if self._socket is not None:
            await self._socket.close_async()  # type: ignore[no-untyped-call]  # Bolt leaves it unannotated

    async def _attempt(self) -> str | None:
        try:
            if self._team is None:
                self._team, self._ours = await self._who_are_we()
            if self._socket is not None and not await self._socket.client.is_connected():
                await self._socket.client.connect_to_new_endpoint(force=True)
        except Told as error:
            return str(error)
        except Exception as error:  # whatever the socket's client raises: sockets, TLS, handshakes, timeouts
            return str(slack_errors.told(error, "open a connection"))
        return None

    async def _who_are_we(self) -> tuple[str, frozenset[str]]:
        try:
            answer = (await self._client.auth_test()).data
        except slack_errors.FOREIGN as error:
            raise slack_errors.told(error, "accept the bot token") from None
        told = answer if isinstance(answer, dict) else {}
        ids = (told.get("user_id"), told.get("bot_id"))
        return str(told.get("team_id", "")), frozenset(each for each in ids if isinstance(each, str) and each)

    def _note(self, trouble: str | None) -> None:
        if trouble and trouble != self._trouble:
            log.warning("not connected to Slack", extra={"told": trouble})
        elif self._trouble and not trouble:
            log.info("connected to Slack")
        self._trouble = trouble


async def pause(stop: asyncio.Event, seconds: float) -> None:
    """Sleep, but not past the end."""
    try:
        await asyncio.wait_for(stop.wait(), seconds)
    except TimeoutError:
        return
