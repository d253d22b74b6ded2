"""Bringing payloads to the bot: three seconds for an answer, events again when there is none."""

from __future__ import annotations

import asyncio
import json
import re
import secrets
import time
from typing import Any, Literal, Protocol

from playground.slack.errors import Undelivered
from playground.slack.workspace import APP, BOT_USER, TEAM, Channel, Json, Workspace

Kind = Literal["slash_commands", "interactive", "events_api"]
MENTION = re.compile(rf"<@{BOT_USER}(\|[^>]*)?>")


class Transport(Protocol):
    """A way to the bot: Socket Mode or HTTP."""

    async def send(self, kind: Kind, payload: Json, retry: tuple[int, str] | None) -> Any:
        """The body of the bot's acknowledgement. Undelivered when there is none in time."""

    async def connected(self) -> bool:
        """Whether the bot can be reached now."""


class Delivery:
    """Sends payloads and watches the workspace for what the bot has subscribed to."""

    def __init__(self, workspace: Workspace, transport: Transport) -> None:
        self.workspace = workspace
        self.transport = transport
        self._tasks: set[asyncio.Task[None]] = set()
        workspace.watchers.append(self._watch)

    async def send(self, kind: Kind, payload: Json, retry: tuple[int, str] | None = None) -> Any:
        """Bring one payload; noted in the traffic. The acknowledgement, or Undelivered."""
        started = time.perf_counter()
        status, answer = "ok", None
        try:
            answer = await self.transport.send(kind, payload, retry)
        except Undelivered as failure:
            status = failure.reason
            raise
        finally:
            ms = (time.perf_counter() - started) * 1000
            self.workspace.traffic.add("to_bot", what(kind, payload), status, ms, payload, answer)
        return answer

    def event(self, event: Json) -> None:
        """Send an event in the background, again as often as Slack does."""
        payload = json.loads(json.dumps(self.envelope(event)))  # as it is now: the message may change before it is sent
        task = asyncio.get_running_loop().create_task(self._event(payload))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _event(self, payload: Json) -> None:
        retry: tuple[int, str] | None = None
        for number, delay in enumerate((None, *self.workspace.times.retries)):
            await asyncio.sleep(delay or 0)
            try:
                await self.send("events_api", payload, retry)
            except Undelivered as failure:
                if not failure.again:
                    return
                retry = (number + 1, failure.reason)
            else:
                return

    def envelope(self, event: Json) -> Json:
        """An event as the Events API wraps it."""
        authorization = {"enterprise_id": None, "team_id": TEAM, "user_id": BOT_USER, "is_bot": True}
        return {
            "token": "not-used",
            "team_id": TEAM,
            "api_app_id": APP,
            "event": event,
            "type": "event_callback",
            "event_id": "Ev" + secrets.token_hex(5).upper(),
            "event_time": int(self.workspace.now()),
            "authorizations": [{**authorization, "is_enterprise_install": False}],
            "is_ext_shared_channel": False,
            "event_context": secrets.token_hex(8),
        }

    def _watch(self, change: Json) -> None:
        if change["type"] not in ("message", "message_changed", "message_deleted") or change.get("quiet"):
            return
        channel = self.workspace.channels.get(change["channel"])
        if channel is None or BOT_USER not in channel.members or change["message"].get("ephemeral"):
            return
        for event in _events(change, channel, self.workspace):
            self.event(event)


def _events(change: Json, channel: Channel, workspace: Workspace) -> list[Json]:
    message = {key: value for key, value in change["message"].items() if value != []}
    kind, scope = _kind(channel)
    event: Json = {"channel": channel.id, "channel_type": kind, "event_ts": message["ts"]}
    found: list[Json] = []
    if f"message.{scope}" in workspace.events:
        found.append({**event, **_as_event(change, message, workspace)})
    mentioned = change["type"] == "message" and "bot_id" not in message and MENTION.search(message["text"])
    if mentioned and kind != "im" and "app_mention" in workspace.events:
        found.append({**message, **event, "type": "app_mention"})
    return found


def _as_event(change: Json, message: Json, workspace: Workspace) -> Json:
    kind = change["type"]
    if kind == "message":
        return message
    event = {"type": "message", "subtype": kind, "ts": workspace.ts(), "hidden": True}
    if kind == "message_changed":
        return {**event, "message": message, "previous_message": change.get("previous")}
    return {**event, "deleted_ts": message["ts"], "previous_message": message}


def _kind(channel: Channel) -> tuple[str, str]:
    if channel.im_with:
        return "im", "im"
    return ("group", "groups") if channel.is_private else ("channel", "channels")


def what(kind: Kind, payload: Json) -> str:
    """A payload in a word or two, for the inspector."""
    if kind == "slash_commands":
        return f"{payload.get('command')} {payload.get('text')}".strip()
    inner = payload.get("event", payload)
    return str(inner.get("type", kind))
