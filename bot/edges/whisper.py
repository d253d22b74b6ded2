"""Telling one person something, and opening what only that person sees."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any

from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.core.errors import Told
from bot.edges import slack_errors
from bot.edges.payloads import Click
from bot.edges.render import Message

log = logging.getLogger(__name__)
# The person or the bot cannot be reached in that channel; a direct message still can.
ELSEWHERE = frozenset({"user_not_in_channel", "not_in_channel", "channel_not_found", "is_archived", "thread_not_found"})


class Whisper:
    """Calls of the Web API on behalf of one person. Nothing here raises what Slack said: it is told or logged."""

    def __init__(self, client: AsyncWebClient) -> None:
        self._client = client
        self._joined: set[str] = set()

    async def answer(self, click: Click, message: Message) -> None:
        """For the eyes of who pressed a button, where the button is: in the channel, or in its thread."""
        await self.tell(click.user.id, click.place, message, click.thread)

    async def tell(self, user: str, channel: str | None, message: Message, thread: str | None = None) -> None:
        """For this person's eyes: in the channel if possible, else as a direct message. A click must not pass
        unanswered, but a lost answer changes nothing: the decision is in the store."""
        try:
            if channel is None or not await self._in(channel, user, message, thread):
                await self._client.chat_postMessage(channel=user, text=message.text, blocks=message.blocks)
        except slack_errors.FOREIGN as error:
            _log("answer a person", error)

    async def _in(self, channel: str, user: str, message: Message, thread: str | None) -> bool:
        try:
            await self._client.chat_postEphemeral(
                channel=channel, user=user, text=message.text, blocks=message.blocks, thread_ts=thread
            )
        except SlackApiError as error:
            if slack_errors.code_of(error) in ELSEWHERE:
                return False
            raise
        return True

    async def open(self, trigger: str, view: dict[str, Any]) -> Told | None:
        """Open a modal; the error to tell, if any. A trigger used before means a repetition: nothing to tell."""
        try:
            await self._client.views_open(trigger_id=trigger, view=view)
        except slack_errors.FOREIGN as error:
            if isinstance(error, SlackApiError) and slack_errors.code_of(error) == "exchanged_trigger_id":
                return None
            return slack_errors.told(error, "open the form")
        return None

    async def publish(self, user: str, view: dict[str, Any]) -> None:
        try:
            await self._client.views_publish(user_id=user, view=view)
        except slack_errors.FOREIGN as error:
            _log("publish the Home tab", error)

    async def may_post(self, channel: str) -> bool:
        """Is the bot in the channel? Asked by reading it, which needs no further scope. In doubt yes: the outbox
        finds out. A channel it was in once is not asked about again."""
        if channel in self._joined:
            return True
        try:
            await self._client.conversations_history(channel=channel, limit=1)
            self._joined.add(channel)
        except SlackApiError as error:
            return slack_errors.code_of(error) not in ELSEWHERE
        except slack_errors.FOREIGN as error:
            _log("look at a channel", error)
        return True


async def respond(respond: Callable[..., Awaitable[Any]], message: Message) -> None:
    """Answer a command through its response_url, which works even where the bot may not post."""
    try:
        answer = await respond(
            text=message.text, blocks=message.blocks, response_type="ephemeral", replace_original=False
        )
    except slack_errors.FOREIGN as error:
        _log("answer a command", error)
        return
    if getattr(answer, "status_code", 200) != 200:
        log.warning("Slack did not take the answer to a command", extra={"status": answer.status_code})


def _log(doing: str, error: Exception) -> None:
    log.warning(str(slack_errors.told(error, doing)))
