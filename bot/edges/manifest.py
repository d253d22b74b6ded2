"""The Slack app's manifest, made from the handlers, so that it cannot disagree with them.

`manifest.yml` in the repository is what `hivekeeper manifest` prints. Format: Slack's app manifest, version 2.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

from bot.core import ask
from bot.core.handler import Handler

# Why each scope is asked for: a platform owner has to approve them.
SCOPES = {
    "commands": "slash commands",
    "chat:write": "post plans and progress, and update them",
    "channels:history": "read alerts posted in public channels; find our own message again after a crash",
    "groups:history": "the same in a private channel",
    "im:history": "the same in a direct message",
    "files:write": "put the picture of an incident's course into its thread",
    "usergroups:read": "read who is in the user groups that may ask and approve",
}
EVENTS = ("app_home_opened", "message.channels", "message.groups")
OWN_COMMAND = (
    "hivekeeper",
    "Runs, approvals and the audit log",
    "help | runs | incidents | inventory | show RUN | approve RUN | deny RUN REASON | cancel RUN | again RUN | audit",
)


def manifest(handlers: Mapping[str, Handler], *, url: str | None = None) -> dict[str, Any]:
    """The manifest as a document. `url`: the public address of `/slack/events` for HTTP mode; None is Socket Mode."""
    own = [_command(*OWN_COMMAND)]
    commands = own + [_command(h.name, h.summary, ask.usage(h).partition(" ")[2]) for h in handlers.values()]
    settings: dict[str, Any] = {
        "event_subscriptions": {"bot_events": list(EVENTS)},
        "interactivity": {"is_enabled": True},
        "socket_mode_enabled": url is None,
        "org_deploy_enabled": False,
        "token_rotation_enabled": False,
    }
    if url is not None:
        commands = [{**command, "url": url} for command in commands]
        settings["event_subscriptions"]["request_url"] = url
        settings["interactivity"]["request_url"] = url
    return {
        "_metadata": {"major_version": 2},
        "display_information": {
            "name": "hivekeeper",
            "description": "Rotates and distributes credentials, with plans that people approve",
            "background_color": "#3b2a00",
        },
        "features": {
            "app_home": {
                "home_tab_enabled": True,
                "messages_tab_enabled": True,
                "messages_tab_read_only_enabled": True,
            },
            "bot_user": {"display_name": "hivekeeper", "always_online": True},
            "slash_commands": commands,
        },
        "oauth_config": {"scopes": {"bot": list(SCOPES)}},
        "settings": settings,
    }


def _command(name: str, summary: str, hint: str) -> dict[str, Any]:
    command = {"command": f"/{name}", "description": summary, "should_escape": True}
    return command | ({"usage_hint": hint} if hint else {})


def text(document: Mapping[str, Any]) -> str:
    """The manifest as YAML, as it stands in `manifest.yml`."""
    head = "# Made by `hivekeeper manifest`; a test keeps it equal to the handlers.\n"
    why = "".join(f"#   {scope}: {reason}\n" for scope, reason in SCOPES.items())
    return (
        head
        + "# Why each scope:\n"
        + why
        + yaml.safe_dump(dict(document), sort_keys=False, width=120, allow_unicode=True)
    )
