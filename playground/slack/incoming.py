"""Incoming webhooks: how monitoring posts as an app of its own, into the one channel it was installed for."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from playground.slack import rules
from playground.slack.errors import ApiError
from playground.slack.workspace import TEAM, Json, Workspace

COLOURS = {"good": "2eb886", "warning": "daa038", "danger": "a30200"}  # Slack keeps names as these


def install(workspace: Workspace, channel: str, bot: str = "B0ALERTS") -> str:
    """Make a webhook for a channel (by id) and return the path of its address."""
    path = f"/services/{TEAM}/{bot}/{secrets.token_urlsafe(18)}"
    workspace.incoming[path] = (channel, bot)
    return path


def post(workspace: Workspace, path: str, args: Any) -> Json:
    """What a call of a webhook posts. Raises ApiError with Slack's word for what is wrong."""
    if path not in workspace.incoming:
        raise ApiError("no_service")
    if not isinstance(args, Mapping):
        raise ApiError("invalid_payload")
    channel, bot = workspace.incoming[path]
    if workspace.channels[channel].is_archived:
        raise ApiError("channel_is_archived")
    rules.check_message(dict(args))
    attachments = [_kept(number, each) for number, each in enumerate(args.get("attachments") or [], 1)]
    message: Json = {
        "type": "message",
        "subtype": "bot_message",
        "ts": workspace.ts(),
        "bot_id": bot,
        "username": str(args.get("username") or "incoming-webhook"),
        "text": str(args.get("text") or ""),
        "blocks": rules.as_kept(args.get("blocks")),
        "attachments": attachments,
    }
    return workspace.keep(workspace.channels[channel], message)


def _kept(number: int, attachment: Mapping[str, Any]) -> Json:
    kept = {name: value for name, value in attachment.items() if value not in ("", None, [])}
    colour = str(attachment.get("color") or "").removeprefix("#")
    return {"id": number, **kept, **({"color": COLOURS.get(colour, colour)} if colour else {})}


def route(workspace: Workspace) -> Route:
    """Answers `ok`, or one word and its status, as Slack does."""

    async def incoming(request: Request) -> Response:
        try:
            post(workspace, request.url.path, json.loads(await request.body()))
        except ValueError:
            return PlainTextResponse("invalid_payload", 400)
        except ApiError as error:
            status = {"no_service": 404, "channel_is_archived": 410}.get(error.error, 400)
            return PlainTextResponse(error.error, status)
        return PlainTextResponse("ok")

    return Route("/services/{team}/{bot}/{secret}", incoming, methods=["POST"])
