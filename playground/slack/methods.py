"""The table of methods: what each needs, and how often it may be called."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass

from playground.slack import chat, conversations, directory, files, views
from playground.slack.workspace import Json, Workspace


@dataclass(frozen=True)
class Method:
    """`scope` the token must have ("a|b": one of them), `needs` the arguments, `tier` the rate (0: special)."""

    call: Callable[[Workspace, Json], Json]
    scope: str = ""
    needs: tuple[str, ...] = ()
    tier: int = 3
    app_level: bool = False


def open_connection(workspace: Workspace, _args: Json) -> Json:
    """A new address for one Socket Mode connection."""
    ticket = secrets.token_urlsafe(18)
    workspace.tickets.add(ticket)
    address = workspace.base_url.replace("http", "ws", 1)
    return {"url": f"{address}/link/?ticket={ticket}&app_id=A0PLAYGRND"}


CHANNELS = "channels:read|groups:read|im:read"
HISTORY = "channels:history|groups:history|im:history"

METHODS: dict[str, Method] = {
    "auth.test": Method(directory.auth_test, tier=0),
    "apps.connections.open": Method(open_connection, app_level=True),
    "chat.postMessage": Method(chat.post_message, "chat:write", ("channel",), 0),
    "chat.update": Method(chat.update, "chat:write", ("channel", "ts"), 3),
    "chat.delete": Method(chat.delete, "chat:write", ("channel", "ts"), 3),
    "chat.postEphemeral": Method(chat.post_ephemeral, "chat:write", ("channel", "user"), 4),
    "chat.getPermalink": Method(chat.get_permalink, "", ("channel", "message_ts"), 0),
    "reactions.add": Method(chat.add_reaction, "reactions:write", ("channel", "timestamp", "name"), 3),
    "views.open": Method(views.open_view, "", ("trigger_id", "view"), 4),
    "views.push": Method(views.push_view, "", ("trigger_id", "view"), 4),
    "views.update": Method(views.update_view, "", ("view",), 4),
    "views.publish": Method(views.publish_view, "", ("user_id", "view"), 4),
    "conversations.info": Method(conversations.info, CHANNELS, ("channel",), 3),
    "conversations.list": Method(conversations.listing, CHANNELS, (), 2),
    "conversations.members": Method(conversations.members, CHANNELS, ("channel",), 4),
    "conversations.history": Method(conversations.history, HISTORY, ("channel",), 3),
    "conversations.replies": Method(conversations.replies, HISTORY, ("channel", "ts"), 3),
    "conversations.open": Method(conversations.open_direct, "im:write", (), 3),
    "conversations.join": Method(conversations.join, "channels:join", ("channel",), 3),
    "users.info": Method(directory.users_info, "users:read", ("user",), 4),
    "users.list": Method(directory.users_list, "users:read", (), 2),
    "bots.info": Method(directory.bots_info, "users:read", (), 3),
    "usergroups.list": Method(directory.usergroups_list, "usergroups:read", (), 2),
    "usergroups.users.list": Method(directory.usergroup_users, "usergroups:read", ("usergroup",), 2),
    "files.getUploadURLExternal": Method(files.get_upload_url, "files:write", ("filename", "length"), 4),
    "files.completeUploadExternal": Method(files.complete_upload, "files:write", ("files",), 4),
}

EVENT_SCOPES = {
    "app_home_opened": "",
    "app_mention": "app_mentions:read",
    "message.channels": "channels:history",
    "message.groups": "groups:history",
    "message.im": "im:history",
}
EVERY_SCOPE = frozenset(
    {"commands", "app_mentions:read"} | {scope for m in METHODS.values() for scope in m.scope.split("|") if scope}
)
