"""Alerts that monitoring posts into a channel: read from Slack's message events and given to the desk."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from slack_bolt import BoltResponse

from bot.core.desk import IncidentDesk
from bot.core.errors import Told, Transient
from bot.edges.alerts import channel
from bot.edges.parts import Parts
from bot.edges.payloads import Foreign
from bot.edges.webhooks import Keys

AGAIN = 503  # not acknowledged: Slack delivers the event again, up to three times within six minutes
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class AlertSources:
    """The ways alerts come in, as `bot.app` joins them. `recognises` says whether a posted log is for a handler."""

    desk: IncidentDesk
    keys: Keys = field(default_factory=Keys)
    recognises: Callable[[str], bool] = lambda _: False


class AlertChannel:
    """`channels` are listened to, others not even read. `call` runs the desk's blocking work in a thread."""

    def __init__(
        self,
        sources: AlertSources,
        parts: Parts,
        call: Callable[..., Awaitable[Any]],
        channels: frozenset[str],
    ) -> None:
        self._sources, self._parts, self._call, self._channels = sources, parts, call, channels

    async def take(self, body: Mapping[str, Any]) -> BoltResponse | None:
        """Take one event in; None acknowledges it. Raises Foreign for what is no event."""
        event = body.get("event")
        if not isinstance(event, Mapping):
            raise Foreign("event")
        if str(event.get("channel")) not in self._channels:
            return None
        ours = self._parts.ours()
        if not ours:
            return BoltResponse(status=AGAIN)  # before we know who we are, we might answer ourselves
        try:
            await self._call(self._store, event, str(body.get("event_id", "")), ours)
        except Transient:
            return BoltResponse(status=AGAIN)
        except Told as error:
            log.warning("an alert from a channel could not be taken", extra={"told": str(error)})
        return None

    def _store(self, event: Mapping[str, Any], event_id: str, ours: frozenset[str]) -> None:
        notice = channel.notice(event, event_id, ours, self._sources.recognises)
        if notice is not None:
            self._sources.desk.notice(notice)
            self._parts.metrics.noticed(notice)
