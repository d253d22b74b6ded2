"""What Slack said no with, as sentences. Slack's own text stops here: only its short error codes are repeated."""

from __future__ import annotations

import re
from http.client import HTTPException
from typing import Any

import aiohttp
from slack_sdk.errors import SlackApiError, SlackClientError

from bot.core.errors import Refused, Told, Transient

# What the SDK's clients raise when Slack did not answer or answered with something that is no answer; the last
# three when the answer is JSON but no object.
FOREIGN = (
    SlackClientError, aiohttp.ClientError, HTTPException, OSError, TimeoutError, ValueError, AttributeError, TypeError,
)  # fmt: skip
INVITE = "Invite the bot there: /invite @hivekeeper."
REINSTALL = "Install the app again from its page and put the new token in place."
CURES = {
    "not_in_channel": INVITE,
    "channel_not_found": "The bot is not there or the id is wrong. " + INVITE,
    "is_archived": "The channel is archived: unarchive it or choose another one.",
    "restricted_action": "The channel lets only some people post: let the bot post or choose another channel.",
    "invalid_auth": "The bot token is wrong or revoked. " + REINSTALL,
    "not_authed": "The bot token is missing. Check slack.bot_token in the settings.",
    "token_revoked": "The bot token was revoked. " + REINSTALL,
    "token_expired": "The bot token has expired. " + REINSTALL,
    "account_inactive": "The app was removed from the workspace or switched off. " + REINSTALL,
    "missing_scope": "The app lacks a permission. Update it from manifest.yml and install it again.",
    "not_allowed_token_type": "A token of another kind is in its place. The Web API needs xoxb-, the socket xapp-.",
    "plan_upgrade_required": "User groups need a paid Slack plan. Name people by their user id in the settings.",
    "paid_teams_only": "User groups need a paid Slack plan. Name people by their user id in the settings.",
    "no_such_subteam": "There is no such user group. Check slack_groups in the settings.",
    "subteam_not_found": "There is no such user group. Check slack_groups in the settings.",
    "message_not_found": "The message was deleted by somebody.",
    "expired_trigger_id": "It took longer than Slack's three seconds. Press it again.",
    "invalid_trigger_id": "It took longer than Slack's three seconds. Press it again.",
    "msg_too_long": "This is a fault of the bot: its message broke a limit. Please report it.",
    "msg_blocks_too_long": "This is a fault of the bot: its message broke a limit. Please report it.",
    "invalid_blocks": "This is a fault of the bot: its message broke a limit. Please report it.",
}
PASSING = frozenset(
    {"ratelimited", "rate_limited", "internal_error", "fatal_error", "service_unavailable", "request_timeout"}
)
WAIT = "It is tried again by itself."


def told(error: Exception, doing: str) -> Told:
    """The sentences for an error of the SDK's clients. `doing` completes "Slack did not …"."""
    if not isinstance(error, SlackApiError):
        return Transient(f"Slack did not answer when asked to {doing}.", WAIT)
    code, status = code_of(error), int(_attribute(error, "status_code") or 200)
    if status == 429 or code in ("ratelimited", "rate_limited"):
        return Transient(f"Slack asks to wait before it will {doing}.", WAIT, after=_wait(error))
    if status >= 500 or not code or code in PASSING:
        return Transient(f"Slack is out of order: it did not {doing} ({code or status}).", WAIT)
    return Refused(f"Slack refused to {doing} ({code}).", CURES.get(code, "Check the Slack app against manifest.yml."))


def code_of(error: SlackApiError) -> str:
    """Slack's short error code, or empty when the answer was none of Slack's."""
    data = _attribute(error, "data")
    code = data.get("error") if isinstance(data, dict) else None
    return code if isinstance(code, str) and re.fullmatch(r"[a-z_]{1,60}", code) else ""


def _wait(error: SlackApiError) -> float:
    headers: Any = _attribute(error, "headers") or {}
    value = str(headers.get("Retry-After", ""))
    return min(float(value), 3600.0) if re.fullmatch(r"\d{1,6}", value) else 1.0


def _attribute(error: SlackApiError, name: str) -> Any:
    return getattr(error.response, name, None)
