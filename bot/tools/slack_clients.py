"""Slack's clients, built where tokens may be revealed; `bot.app` hands them to the edges."""

from __future__ import annotations

import logging
import re
import ssl
from collections.abc import Callable
from typing import Protocol

from slack_bolt.adapter.socket_mode.websockets import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncApp
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError
from slack_sdk.signature import SignatureVerifier
from slack_sdk.web.async_client import AsyncWebClient

from bot.core.errors import Refused, Told, Transient
from bot.core.secret import Secret
from bot.settings import Slack

PING_EVERY = 5  # seconds; a connection that died without a word is noticed by a missing pong
SDK = logging.getLogger("slack_sdk.client")
SDK.setLevel(logging.CRITICAL)  # it would log what Slack or the network said; our own sentences say it


class Verify(Protocol):
    """Is this body signed by Slack, now (five minutes either way)? `timestamp` is decimal digits."""

    def __call__(self, body: bytes, timestamp: str, signature: str) -> bool: ...


def web_client(slack: Slack, token: Secret) -> WebClient:
    """The blocking client. Without the SDK's own retry, which can post a message twice; the outbox retries."""
    return WebClient(
        token=_token(token, "xoxb-", "bot token"),
        base_url=slack.api_url,
        timeout=max(1, round(slack.timeout)),
        retry_handlers=[],
        ssl=ssl.create_default_context(),  # once: otherwise each call reads all certificate authorities anew
        logger=SDK,
    )


def async_web_client(slack: Slack, token: Secret) -> AsyncWebClient:
    """The client of the listeners, likewise without retries."""
    return AsyncWebClient(
        token=_token(token, "xoxb-", "bot token"),
        base_url=slack.api_url,
        timeout=max(1, round(slack.timeout)),
        retry_handlers=[],
        logger=SDK,
    )


def signature_check(signing_secret: Secret) -> Verify:
    """Checks the v0 signature of a request. Refused if the secret is empty."""
    plain = signing_secret.reveal().strip()
    if not plain:
        raise Refused("Slack's signing secret is empty.", "Copy it from Basic Information of the Slack app.")
    verifier = SignatureVerifier(plain)

    def verify(body: bytes, timestamp: str, signature: str) -> bool:
        return verifier.is_valid(body, timestamp, signature)

    return verify


def socket(app_token: Secret) -> Callable[[AsyncApp], AsyncSocketModeHandler]:
    """Makes the Socket Mode handler of a Bolt app; to be called in the running loop.

    On the `websockets` client: it opens the new connection before it closes the old one when Slack asks for
    a refresh, so that no command falls between (facts/slack.md, section 2).
    """
    plain = _token(app_token, "xapp-", "app-level token")

    def of(app: AsyncApp) -> AsyncSocketModeHandler:
        handler = AsyncSocketModeHandler(app, plain, logger=SDK, ping_interval=PING_EVERY)
        # bot.edges.connection opens lost connections again: sooner than the client would, and it tells people.
        handler.client.auto_reconnect_enabled = handler.client.default_auto_reconnect_enabled = False
        return handler

    return of


def _token(token: Secret, prefix: str, name: str) -> str:
    """Refused when another token lies in its place; the sentence does not show what lies there."""
    plain = token.reveal().strip()
    if not plain.startswith(prefix):
        raise Refused(f"Slack's {name} does not begin with {prefix}.", "Another token may have been put in its place.")
    return plain


def installation(client: WebClient) -> tuple[str, frozenset[str]]:
    """The workspace's name and the scopes the token has (empty when Slack does not tell). Raises Refused, Transient."""
    try:
        answer = client.auth_test()
    except Exception as error:
        raise _no(error, "the bot token") from None
    header = next((v for k, v in answer.headers.items() if k.lower() == "x-oauth-scopes"), "")
    text = header if isinstance(header, str) else ",".join(header)
    return str(answer.get("team") or "the workspace"), frozenset(filter(None, (s.strip() for s in text.split(","))))


def reads(client: WebClient, channel: str) -> None:
    """Is the bot in this channel and may it read there? Raises Refused or Transient."""
    try:
        client.conversations_history(channel=channel, limit=1)
    except SlackApiError as error:
        if error.response.get("error") in ("not_in_channel", "channel_not_found"):
            told = "The bot is not in this channel, or there is no such channel."
            raise Refused(told, "Type /invite @hivekeeper in it, or correct it in the settings.") from None
        raise _no(error, "the bot's look into a channel") from None
    except Exception as error:
        raise _no(error, "the bot's look into a channel") from None


def open_socket(slack: Slack, app_token: Secret) -> None:
    """Ask for a Socket Mode connection without using it. Raises Refused or Transient."""
    client = WebClient(base_url=slack.api_url, timeout=max(1, round(slack.timeout)), retry_handlers=[], logger=SDK)
    token = _token(app_token, "xapp-", "app-level token")
    try:
        client.apps_connections_open(app_token=token)
    except Exception as error:
        raise _no(error, "the app-level token") from None


def _no(error: Exception, what: str) -> Told:
    """Slack's short error code is told; its text is not."""
    if isinstance(error, SlackApiError):
        code = re.sub(r"[^a-z_]", "", str(error.response.get("error", "")))[:40]
        return Refused(f"Slack does not accept {what} ({code}).", "Put the token of the installed app in place.")
    return Transient("Slack did not answer.", "Check slack.api_url and the way to it.")
