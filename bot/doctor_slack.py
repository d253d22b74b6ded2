"""`hivekeeper check` about Slack."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from bot.app import Parts
from bot.core.errors import Refused
from bot.findings import Finding, looked
from bot.settings import Settings

if TYPE_CHECKING:
    from slack_sdk import WebClient


def slack(parts: Parts) -> Iterator[Finding]:
    """Is the token good, does the app have its scopes, can user groups be read?"""
    from bot.edges.manifest import SCOPES
    from bot.edges.membership import SlackMembership
    from bot.tools import slack_clients

    def installed() -> str:
        client = slack_clients.web_client(parts.settings.slack, parts.bot_token)
        team, scopes = slack_clients.installation(client)
        lacking = [scope for scope in SCOPES if scopes and scope not in scopes]
        if lacking:
            told = f"the app lacks {', '.join(lacking)}."
            raise Refused(told, "Update the app from manifest.yml and install it to the workspace again.")
        return f"installed in {team}, with every scope."

    def socket() -> str:
        source = parts.settings.slack.app_token
        if source is None:
            raise Refused("Socket Mode needs an app-level token.", "Set slack.app_token, or slack.mode: http.")
        slack_clients.open_socket(parts.settings.slack, parts.resolve(source))
        return "Slack opens a connection for the app-level token."

    def signing() -> str:
        source = parts.settings.slack.signing_secret
        if source is None:
            raise Refused("HTTP mode needs Slack's signing secret.", "Set slack.signing_secret, or slack.mode: socket.")
        slack_clients.signature_check(parts.resolve(source))
        return "the signing secret is there; whether it is the app's shows only a request of Slack's."

    before = [*looked("slack", installed)]
    yield from before
    yield from (
        looked("slack socket", socket) if parts.settings.slack.mode == "socket" else looked("slack http", signing)
    )
    if before[0].good:
        client = slack_clients.web_client(parts.settings.slack, parts.bot_token)
        yield from _channels(parts.settings, client)
        membership = SlackMembership(client)
        for name in sorted({g for group in parts.settings.groups.values() for g in group.slack_groups}):
            yield from looked(f"slack group {name}", lambda name=name: f"{len(membership.of(name))} people.")  # type: ignore[misc]  # lambda


def _channels(settings: Settings, client: WebClient) -> Iterator[Finding]:
    """Is the bot where it posts by itself? Those where alerts come in are looked at with the alerts."""
    from bot.tools import slack_clients

    named = (settings.slack.channel, settings.inventory.channel, *(one.channel for one in settings.schedules.values()),
             *(one.channel for one in settings.alerts.handlers.values()))  # fmt: skip

    def joined(channel: str) -> str:
        slack_clients.reads(client, channel)
        return "the bot is in it."

    for channel in sorted({one for one in named if one and one[0] in "CG"} - set(settings.alerts.channels)):
        yield from looked(f"slack channel {channel}", lambda channel=channel: joined(channel))  # type: ignore[misc]  # lambda
