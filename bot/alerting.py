"""Settings of the ways alerts come in, and of what is done with them."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from bot.core.diagnosis import Watching
from bot.sources import Part, SecretSource

ChannelId = Annotated[str, Field(pattern=r"^[CG][A-Z0-9]{1,40}$")]


class Webhooks(Part):
    """Who may post alerts over HTTP. A source without keys has no address. Several keys are valid at once, so that one
    can be replaced without a gap."""

    alertmanager: tuple[SecretSource, ...] = Field(
        default=(), description="Bearer tokens for /webhooks/alertmanager, 16 characters or more."
    )
    grafana: tuple[SecretSource, ...] = Field(default=(), description="Bearer tokens for /webhooks/grafana.")
    pagerduty: tuple[SecretSource, ...] = Field(
        default=(), description="Signing secrets of the V3 webhook subscriptions that post to /webhooks/pagerduty."
    )
    body_limit: int = Field(default=4_000_000, ge=1000, description="Bytes; a longer body is answered 413.")


class AlertRoute(Part):
    """What an organisation decides about one alert handler."""

    enabled: bool = True
    channel: str | None = Field(
        default=None, description="Channel id for incidents that came by webhook; default is slack.channel."
    )
    every_seconds: float | None = Field(
        default=None,
        ge=10,
        le=86400,
        description="Seconds between two looks, half of it while it fails or nobody knows.",
    )
    quiet_minutes: float | None = Field(
        default=None, ge=1, le=7 * 24 * 60, description="Minutes over, or resolved, after which an incident is closed."
    )
    longest_hours: float | None = Field(
        default=None, ge=0.1, le=30 * 24, description="Hours after which what is not over is handed to people."
    )
    settings: dict[str, Any] = Field(default_factory=dict, description="The handler's own settings.")

    def watching(self, own: Watching) -> Watching:
        """How incidents are followed: as it is said here, else in the handler's own way."""
        said = {"every": self.every_seconds, "quiet": _times(self.quiet_minutes, 60),
                "longest": _times(self.longest_hours, 3600)}  # fmt: skip
        return own.model_copy(update={name: value for name, value in said.items() if value is not None})


def _times(number: float | None, seconds: float) -> float | None:
    return None if number is None else number * seconds


class Alerts(Part):
    """Which alerts are taken from Slack, and what is done with them."""

    channels: tuple[ChannelId, ...] = Field(
        default=(), description="Channel ids where monitoring posts; alerts there are answered in their threads."
    )
    tell_unhandled: bool = Field(
        default=False, description="Answer alerts that no handler takes with how to add a handler."
    )
    handlers: dict[str, AlertRoute] = Field(default_factory=dict)
