"""The methods conversations.*: channels, who is in them, what was said."""

from __future__ import annotations

from typing import Any

from playground.slack.chat import flag, shown
from playground.slack.errors import ApiError
from playground.slack.workspace import BOT_USER, Channel, Json, Workspace

SCOPED = {"public_channel": "channels", "private_channel": "groups", "im": "im"}


def described(channel: Channel) -> Json:
    """A channel as methods return it."""
    if channel.im_with:
        return {"id": channel.id, "is_im": True, "is_channel": False, "user": channel.im_with, "is_archived": False}
    return {
        "id": channel.id,
        "name": channel.name,
        "name_normalized": channel.name,
        "is_channel": not channel.is_private,
        "is_group": channel.is_private,
        "is_private": channel.is_private,
        "is_im": False,
        "is_mpim": False,
        "is_archived": channel.is_archived,
        "is_member": BOT_USER in channel.members,
        "topic": {"value": channel.topic, "creator": "", "last_set": 0},
        "purpose": {"value": "", "creator": "", "last_set": 0},
        "num_members": len(channel.members),
    }


def info(workspace: Workspace, args: Json) -> Json:
    channel = visible(workspace, args["channel"])
    scoped(workspace, _kind(channel), "read")
    return {"channel": described(channel)}


def visible(workspace: Workspace, name: str) -> Channel:
    """A channel that the bot can know of: private ones only from inside."""
    channel = workspace.channel(name)
    if channel.is_private and BOT_USER not in channel.members:
        raise ApiError("channel_not_found")
    return channel


def scoped(workspace: Workspace, kind: str, verb: str) -> None:
    """Refuse what the token's scopes do not allow for this kind of channel; `verb` is "read" or "history"."""
    scope = f"{SCOPED[kind]}:{verb}"
    if scope not in workspace.scopes:
        raise ApiError("missing_scope", needed=scope, provided=",".join(sorted(workspace.scopes)))


def listing(workspace: Workspace, args: Json) -> Json:
    kinds = str(args.get("types") or "public_channel").replace(" ", "").split(",")
    for kind in kinds:
        if kind not in SCOPED:
            raise ApiError("invalid_types")
        scoped(workspace, kind, "read")
    found = [c for c in workspace.channels.values() if _kind(c) in kinds and not _hidden(c, args)]
    page, cursor = paged(found, args, 100, 1000)
    return {"channels": [described(channel) for channel in page], **cursor}


def _kind(channel: Channel) -> str:
    return "im" if channel.im_with else "private_channel" if channel.is_private else "public_channel"


def _hidden(channel: Channel, args: Json) -> bool:
    outside = channel.is_private and BOT_USER not in channel.members
    return outside or (channel.is_archived and flag(args, "exclude_archived"))


def members(workspace: Workspace, args: Json) -> Json:
    channel = visible(workspace, args["channel"])
    scoped(workspace, _kind(channel), "read")
    page, cursor = paged(channel.members, args, 100, 1000)
    return {"members": page, **cursor}


def join(workspace: Workspace, args: Json) -> Json:
    channel = visible(workspace, args["channel"])
    if channel.im_with or channel.is_private:
        raise ApiError("method_not_supported_for_channel_type")
    if channel.is_archived:
        raise ApiError("is_archived")
    if BOT_USER not in channel.members:
        channel.members.append(BOT_USER)
    return {"channel": described(channel)}


def open_direct(workspace: Workspace, args: Json) -> Json:
    users = [name for name in str(args.get("users") or "").split(",") if name]
    if len(users) != 1:
        raise ApiError("users_list_not_supplied" if not users else "method_not_supported_for_channel_type")
    return {"channel": {"id": workspace.direct(users[0]).id}}


def history(workspace: Workspace, args: Json) -> Json:
    """The main timeline, newest first."""
    channel = _inside(workspace, args["channel"])
    said = [m for m in workspace.messages.get(channel.id, []) if m.get("thread_ts", m["ts"]) == m["ts"]]
    return _page(list(reversed(_between(said, args))), args)


def replies(workspace: Workspace, args: Json) -> Json:
    """A thread, its first message first."""
    channel = _inside(workspace, args["channel"])
    said = [m for m in workspace.messages.get(channel.id, []) if args["ts"] in (m["ts"], m.get("thread_ts"))]
    if not any(message["ts"] == args["ts"] for message in said):
        raise ApiError("thread_not_found")
    first = [m for m in said if m["ts"] == args["ts"]]
    return _page(first + _between([m for m in said if m["ts"] != args["ts"]], args), args)


def _inside(workspace: Workspace, name: str) -> Channel:
    channel = visible(workspace, name)
    if BOT_USER not in channel.members:
        raise ApiError("not_in_channel")
    scoped(workspace, _kind(channel), "history")
    return channel


def _between(said: list[Json], args: Json) -> list[Json]:
    try:
        oldest, latest = float(args.get("oldest") or 0), float(args.get("latest") or "inf")
    except ValueError:
        raise ApiError("invalid_arguments", ["must be a timestamp [json-pointer:/oldest]"]) from None
    if flag(args, "inclusive"):
        return [m for m in said if oldest <= float(m["ts"]) <= latest]
    return [m for m in said if oldest < float(m["ts"]) < latest]


def _page(said: list[Json], args: Json) -> Json:
    page, cursor = paged(said, args, 100, 999)
    messages = [shown(message) for message in page]
    if not flag(args, "include_all_metadata"):
        messages = [{k: v for k, v in message.items() if k != "metadata"} for message in messages]
    return {"messages": messages, "has_more": bool(cursor["response_metadata"]["next_cursor"]), **cursor}


def paged(things: Any, args: Json, usual: int, most: int) -> tuple[list[Any], Json]:
    """One page by `limit` and `cursor`, and the part of the answer that leads to the next."""
    try:
        start, limit = int(args.get("cursor") or 0), int(args.get("limit") or usual)
    except ValueError:
        raise ApiError("invalid_cursor") from None
    if not 0 < limit <= most:
        raise ApiError("invalid_limit")
    found = list(things)
    following = str(start + limit) if start + limit < len(found) else ""
    return found[start : start + limit], {"response_metadata": {"next_cursor": following}}
