"""The methods chat.*: what the bot posts, changes and takes away."""

from __future__ import annotations

from typing import Any

from playground.slack import rules
from playground.slack.errors import ApiError
from playground.slack.workspace import APP, BOT, BOT_USER, TEAM, Channel, Json, ResponseUrl, Workspace


def place(workspace: Workspace, name: str) -> Channel:
    """Where the bot may write: a channel it is in (or a public one, with the scope), or a person's messages."""
    if name.startswith("U"):
        return workspace.direct(name) if name in workspace.users else _gone()
    channel = workspace.channel(name)
    if BOT_USER not in channel.members:
        if channel.is_private:
            _gone()
        if "chat:write.public" not in workspace.scopes:
            raise ApiError("not_in_channel")
    if channel.is_archived:
        raise ApiError("is_archived")
    return channel


def _gone() -> Channel:
    raise ApiError("channel_not_found")


def body(workspace: Workspace, args: Json) -> Json:
    """A new message of the bot."""
    message: Json = {
        "type": "message",
        "ts": workspace.ts(),
        "user": BOT_USER,
        "bot_id": BOT,
        "app_id": APP,
        "team": TEAM,
        "text": str(args.get("text") or ""),
        "blocks": rules.as_kept(args.get("blocks")),
        "attachments": args.get("attachments") or [],
        "bot_profile": {"id": BOT, "app_id": APP, "name": workspace.users[BOT_USER].name, "team_id": TEAM},
    }
    for name in ("thread_ts", "metadata", "username"):
        if args.get(name):
            message[name] = args[name]
    return message


def post_message(workspace: Workspace, args: Json) -> Json:
    channel = place(workspace, args["channel"])
    rules.check_message(args)
    message = workspace.keep(channel, body(workspace, args))
    return {"channel": channel.id, "ts": message["ts"], "message": shown(message)}


def shown(message: Json) -> Json:
    """A message as methods return it."""
    return {key: value for key, value in message.items() if value not in ([], None) or key == "text"}


def update(workspace: Workspace, args: Json) -> Json:
    """New text, blocks, attachments or metadata. What is not given stays: old buttons too."""
    channel = workspace.channel(args["channel"])
    message = workspace.message(channel.id, args["ts"])
    if message.get("bot_id") != BOT:
        raise ApiError("cant_update_message")
    if channel.is_archived:
        raise ApiError("is_inactive")
    kept = {key: message.get(key) for key in ("text", "blocks", "attachments")}
    rules.check_message({**kept, **args}, longest=rules.UPDATE_TEXT)
    new = _changes(args)
    if "blocks" not in args:
        new["edited"] = {"user": BOT_USER, "ts": workspace.ts()}
    workspace.change(channel, message, **new)
    return {"channel": channel.id, "ts": message["ts"], "text": message["text"], "message": shown(message)}


def _changes(args: Json) -> Json:
    new: Json = {key: args[key] for key in ("text", "attachments", "metadata") if key in args}
    if "blocks" in args:
        new["blocks"] = rules.as_kept(args["blocks"])
    return new


def delete(workspace: Workspace, args: Json) -> Json:
    channel = workspace.channel(args["channel"])
    message = workspace.message(channel.id, args["ts"])
    if message.get("bot_id") != BOT:
        raise ApiError("cant_delete_message")
    workspace.remove(channel, message)
    return {"channel": channel.id, "ts": args["ts"]}


def post_ephemeral(workspace: Workspace, args: Json) -> Json:
    """Seen by one person who is in the channel, until the page is loaded anew; no method can change it."""
    channel = workspace.channel(args["channel"])
    if BOT_USER not in channel.members:
        raise ApiError("channel_not_found" if channel.is_private else "not_in_channel")
    if args["user"] not in workspace.users:
        raise ApiError("user_not_found")
    if args["user"] not in channel.members:
        raise ApiError("user_not_in_channel")
    rules.check_message(args)
    message = whisper(workspace, channel.id, args["user"], args)
    return {"message_ts": message["ts"]}


def whisper(workspace: Workspace, channel: str, user: str, args: Json) -> Json:
    """Show a person an ephemeral message."""
    message = {**body(workspace, args), "ephemeral": True}
    workspace.ephemerals.setdefault((user, channel), []).append(message)
    workspace.emit({"type": "ephemeral", "channel": channel, "message": message, "for": [user]})
    return message


def get_permalink(workspace: Workspace, args: Json) -> Json:
    channel = workspace.channel(args["channel"])
    message = workspace.message(channel.id, args["message_ts"])
    link = f"{workspace.base_url}/archives/{channel.id}/p{message['ts'].replace('.', '')}"
    thread = message.get("thread_ts")
    if thread and thread != message["ts"]:
        link += f"?thread_ts={thread}&cid={channel.id}"
    return {"channel": channel.id, "permalink": link}


def add_reaction(workspace: Workspace, args: Json) -> Json:
    channel = place(workspace, args["channel"])
    message = workspace.message(channel.id, args["timestamp"])
    reactions: list[Json] = [dict(reaction) for reaction in message.get("reactions", [])]
    found = next((reaction for reaction in reactions if reaction["name"] == args["name"]), None)
    if found and BOT_USER in found["users"]:
        raise ApiError("already_reacted")
    if found is None:
        found = {"name": args["name"], "users": [], "count": 0}
        reactions.append(found)
    found.update(users=[*found["users"], BOT_USER], count=found["count"] + 1)
    workspace.change(channel, message, reactions=reactions)
    return {}


def message_of(workspace: Workspace, channel: str, user: str, ts: str) -> tuple[Json, bool]:
    """A message as this person sees it, and whether it is ephemeral."""
    for message in workspace.ephemerals.get((user, channel), []):
        if message["ts"] == ts:
            return message, True
    return workspace.message(channel, ts), False


def flag(args: Json, name: str) -> bool:
    """A truth value, as JSON or as a form sends it."""
    return str(args.get(name, "")).lower() in ("1", "true")


def respond(workspace: Workspace, name: str, args: Json) -> tuple[int, str]:
    """A use of a response_url: the HTTP status and body."""
    url = workspace.response_urls.get(name)
    if url is None:
        return 404, "no_such_url"
    if url.expires <= workspace.now():
        return 404, "expired_url"
    if url.uses >= 5:
        return 404, "used_url"
    try:
        _answer(workspace, url, args)
    except ApiError as error:
        return 400 if error.error != "message_not_found" else 404, error.error
    url.uses += 1
    return 200, "ok"


def _answer(workspace: Workspace, url: ResponseUrl, args: Json) -> None:
    channel, user, ts = url.channel, url.user, url.message_ts
    if flag(args, "delete_original") or flag(args, "replace_original"):
        if ts is None:
            raise ApiError("message_not_found")
        if flag(args, "delete_original"):
            _delete_original(workspace, channel, user, ts)
        else:
            _replace_original(workspace, channel, user, ts, args)
        return
    rules.check_message(args)
    if args.get("response_type", "ephemeral") == "in_channel":
        workspace.keep(workspace.channels[channel], body(workspace, args))
    else:
        whisper(workspace, channel, user, args)


def _replace_original(workspace: Workspace, channel: str, user: str, ts: str, args: Json) -> None:
    message, ephemeral = message_of(workspace, channel, user, ts)
    rules.check_message(args)
    new = {"text": "", "blocks": [], "attachments": [], **_changes(args)}
    if not ephemeral:
        workspace.change(workspace.channels[channel], message, **new)
        return
    message.update(new)
    workspace.emit({"type": "message_changed", "channel": channel, "message": message, "for": [user]})


def _delete_original(workspace: Workspace, channel: str, user: str, ts: str) -> None:
    message, ephemeral = message_of(workspace, channel, user, ts)
    if not ephemeral:
        workspace.remove(workspace.channels[channel], message)
        return
    workspace.ephemerals[(user, channel)].remove(message)
    event: dict[str, Any] = {"type": "message_deleted", "channel": channel, "ts": ts, "for": [user]}
    workspace.emit(event)
