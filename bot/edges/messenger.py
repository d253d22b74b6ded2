"""The sender's side of Slack: posts, finds, updates and deletes the messages that the engine wants shown."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError

from bot.core.diagnosis import Chart
from bot.core.incident import IncidentView
from bot.core.ports import Place
from bot.core.view import NoteView, RunView
from bot.edges import charts, render, slack_errors
from bot.edges.text import plain

View = RunView | IncidentView | NoteView
EVENT = "hivekeeper"  # type of the metadata by which a message of ours is known again
ALT = 1000  # characters of a picture's description
PAGE, PAGES = 200, 5  # how far back `find` looks: Slack's recommended page, and how many of them


class SlackMessenger:
    """bot.core.ports.Messenger on the Web API. The client must not retry by itself (bot.tools.slack_clients)."""

    def __init__(self, client: WebClient) -> None:
        self._client = client

    def post(self, place: Place, view: View, key: str) -> str:
        message = rendered(view)
        answer = _asked(
            f"post a message in {place.channel}",
            lambda: self._client.chat_postMessage(
                channel=place.channel,
                thread_ts=place.thread,
                text=message.text,
                blocks=message.blocks,
                metadata={"event_type": EVENT, "event_payload": {"key": key}},
                unfurl_links=False,
                unfurl_media=False,
            ),
        )
        return str(answer["ts"])

    def find(self, place: Place, key: str) -> str | None:
        if place.channel.startswith(("U", "W")):  # what was told one person cannot be read: better twice than never
            return None
        for message in self._messages(place):
            if (_key(message) == key or _file(key) in _files(message)) and isinstance(message.get("ts"), str):
                return str(message["ts"])
        return None

    def update(self, place: Place, ts: str, view: View) -> None:
        """Always with blocks: an update of the text alone would leave the old buttons to press."""
        message = rendered(view)
        _asked(
            f"update a message in {place.channel}",
            lambda: self._client.chat_update(
                channel=place.channel, ts=ts, text=message.text, blocks=list(message.blocks)
            ),
        )

    def delete(self, place: Place, ts: str) -> None:
        """Does nothing when the message is gone already."""
        _asked(
            f"delete a message in {place.channel}",
            lambda: self._client.chat_delete(channel=place.channel, ts=ts),
            fine="message_not_found",
        )

    def upload(self, place: Place, chart: Chart, key: str) -> None:
        """Draw the chart and share the picture. It is called by its key, because a file carries no metadata."""
        picture = charts.png(chart)
        _asked(
            f"upload a picture to {place.channel}",
            lambda: self._client.files_upload_v2(
                channel=place.channel,
                thread_ts=place.thread,
                content=picture,
                filename=_file(key),
                title=plain(chart.title, 150) or _file(key),
                alt_txt=plain(chart.alt, ALT),
            ),
        )

    def _messages(self, place: Place) -> Iterator[dict[str, Any]]:
        cursor: str | None = None
        for _ in range(PAGES):
            page = _asked(f"show the messages of {place.channel}", partial(self._page, place, cursor))
            yield from (m for m in page.get("messages") or () if isinstance(m, dict))
            cursor = (page.get("response_metadata") or {}).get("next_cursor")
            if not cursor:
                return

    def _page(self, place: Place, cursor: str | None) -> Any:
        if place.thread:
            return self._client.conversations_replies(
                channel=place.channel, ts=place.thread, limit=PAGE, cursor=cursor, include_all_metadata=True
            )
        return self._client.conversations_history(
            channel=place.channel, limit=PAGE, cursor=cursor, include_all_metadata=True
        )


def rendered(view: View) -> render.Message:
    if isinstance(view, IncidentView):
        return render.incident_message(view)
    return render.run_message(view) if isinstance(view, RunView) else render.note_message(view)


def _key(message: dict[str, Any]) -> str | None:
    metadata = message.get("metadata") or {}
    if metadata.get("event_type") != EVENT:
        return None
    key = (metadata.get("event_payload") or {}).get("key")
    return key if isinstance(key, str) else None


def _file(key: str) -> str:
    """What the picture with this key is called."""
    return re.sub(r"[^A-Za-z0-9-]+", "-", key) + ".png"


def _files(message: dict[str, Any]) -> list[Any]:
    return [file.get("name") for file in message.get("files") or () if isinstance(file, dict)]


def _asked(doing: str, call: Callable[[], Any], fine: str = "") -> dict[str, Any]:
    """The answer's document. `fine` is an error code that means there is nothing left to do."""
    try:
        document = call().data
    except slack_errors.FOREIGN as error:
        if fine and isinstance(error, SlackApiError) and slack_errors.code_of(error) == fine:
            return {}
        raise slack_errors.told(error, doing) from None
    return document if isinstance(document, dict) else {}
