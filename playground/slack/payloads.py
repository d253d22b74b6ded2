"""What Slack sends when a person does something: commands, clicks, submissions."""

from __future__ import annotations

import re
from typing import Any

from playground.slack.blocks import elements
from playground.slack.errors import Unkind
from playground.slack.views import public
from playground.slack.workspace import APP, TEAM, Channel, Command, Json, Workspace

NAMES = re.compile(r"(?<![\w<])([@#])([\w.-]*\w)")


def command(workspace: Workspace, user: str, channel: Channel, known: Command, text: str) -> Json:
    """A slash command."""
    text = text.strip()
    return {
        "token": "not-used",
        "team_id": TEAM,
        "team_domain": workspace.name.lower(),
        "channel_id": channel.id,
        "channel_name": "directmessage" if channel.im_with else channel.name,
        "user_id": user,
        "user_name": workspace.users[user].name,
        "command": known.command,
        "text": linked(workspace, text) if known.should_escape else text,
        "api_app_id": APP,
        "is_enterprise_install": "false",
        "response_url": workspace.response_url(channel.id, user),
        "trigger_id": workspace.trigger(user),
    }


def linked(workspace: Workspace, text: str) -> str:
    """Text with @names and #names of the workspace made references, as should_escape and the composer do."""

    def reference(found: re.Match[str]) -> str:
        sign, name = found.groups()
        for user in workspace.users.values():
            if sign == "@" and user.name == name:
                return f"<@{user.id}|{name}>"
        for channel in workspace.channels.values():
            if sign == "#" and channel.name == name and not channel.im_with:
                return f"<#{channel.id}|{name}>"
        return str(found[0])

    return NAMES.sub(reference, text)


def composed(workspace: Workspace, text: str) -> str:
    """A person's message as Slack stores it: control characters escaped, names made references."""
    for raw, escaped in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")):
        text = text.replace(raw, escaped)
    return re.sub(r"<@(\w+)\|[^>]*>", r"<@\1>", linked(workspace, text))


def person(workspace: Workspace, user: str) -> Json:
    """The user of an interaction."""
    name = workspace.users[user].name
    return {"id": user, "username": name, "name": name, "team_id": TEAM}


def common(workspace: Workspace, kind: str, user: str) -> Json:
    """What all interactions have."""
    return {
        "type": kind,
        "user": person(workspace, user),
        "api_app_id": APP,
        "token": "not-used",
        "team": {"id": TEAM, "domain": workspace.name.lower()},
        "enterprise": None,
        "is_enterprise_install": False,
    }


def in_message(workspace: Workspace, user: str, channel: Channel, message: Json, action: Json, values: Json) -> Json:
    """A click in a message."""
    ephemeral = bool(message.get("ephemeral"))
    ts = message["ts"]
    payload = {
        **common(workspace, "block_actions", user),
        "container": {
            "type": "message",
            "message_ts": ts,
            "channel_id": channel.id,
            "is_ephemeral": ephemeral,
            **({"thread_ts": message["thread_ts"]} if message.get("thread_ts") else {}),
        },
        "trigger_id": workspace.trigger(user),
        "channel": {"id": channel.id, "name": "directmessage" if channel.im_with else channel.name},
        "state": {"values": values},
        "response_url": workspace.response_url(channel.id, user, ts),
        "actions": [action],
    }
    if not ephemeral:
        payload["message"] = {key: value for key, value in message.items() if value != []}
    return payload


def in_view(workspace: Workspace, user: str, view: Json, action: Json) -> Json:
    """A click in a modal or the Home tab."""
    return {
        **common(workspace, "block_actions", user),
        "container": {"type": "view", "view_id": view["id"]},
        "trigger_id": workspace.trigger(user, view["id"]),
        "view": public(view),
        "actions": [action],
    }


def submission(workspace: Workspace, user: str, view: Json) -> Json:
    """A submitted modal."""
    payload = common(workspace, "view_submission", user)
    return {
        **payload,
        "trigger_id": workspace.trigger(user, view["id"]),
        "view": public(view),
        "response_urls": [],
    }


def closing(workspace: Workspace, user: str, view: Json, *, cleared: bool = False) -> Json:
    """A closed modal, for views that asked to be told."""
    return {**common(workspace, "view_closed", user), "view": public(view), "is_cleared": cleared}


def find(blocks: list[Json], block_id: str, action_id: str) -> tuple[Json, Json] | None:
    """The block and the element with these ids."""
    for block in blocks:
        for element in elements(block):
            if (block.get("block_id"), element.get("action_id")) == (block_id, action_id):
                return block, element
    return None


def initial(element: Json) -> Json:
    """What is chosen or typed before anybody touched it, as a body for `chosen`."""
    kinds = ("option", "date", "time", "date_time", "user", "conversation", "channel")
    one = next((element[f"initial_{kind}"] for kind in kinds if f"initial_{kind}" in element), None)
    many = next((value for key, value in element.items() if key.startswith("initial_") and key.endswith("s")), None)
    return {"value": element.get("initial_value"), "selected": one, "selected_options": many}


def acted(workspace: Workspace, element: Json, body: Json) -> Json:
    """An entry of `actions`: the element as Slack repeats it, with what was chosen."""
    kind = element["type"]
    action = {
        "type": kind,
        "block_id": body["block_id"],
        "action_id": body["action_id"],
        "action_ts": workspace.ts(),
    }
    if kind == "button":
        return action | {key: element[key] for key in ("text", "value", "style") if key in element}
    return action | chosen(element, body)


def chosen(element: Json, body: Json) -> Json:
    """What was chosen or typed, under the key that the kind of element has for it."""
    kind, multi = element["type"], element["type"].startswith("multi_")
    if kind in ("checkboxes", "multi_static_select"):
        return {"selected_options": [_option(element, each) for each in body.get("selected_options") or []]}
    if kind in ("static_select", "radio_buttons", "overflow"):
        picked = body.get("selected") or body.get("value")
        return {"selected_option": None if picked is None else _option(element, picked)}
    if kind.endswith("picker"):
        key = {"datepicker": "date", "timepicker": "time", "datetimepicker": "date_time"}[kind]
        return {f"selected_{key}": body.get("selected", body.get("value"))}
    if kind.endswith("_select"):
        plural = kind.removeprefix("multi_").removesuffix("_select")
        picked = body.get("selected_options") if multi else body.get("selected", body.get("value"))
        return {f"selected_{plural if multi else plural[:-1]}": picked}
    return {"value": body.get("value")}


def _option(element: Json, picked: Any) -> Json:
    value = picked.get("value") if isinstance(picked, dict) else picked
    groups = [group["options"] for group in element.get("option_groups", [])]
    for option in [*element.get("options", []), *(option for group in groups for option in group)]:
        if option["value"] == value:
            return dict(option)
    raise Unkind("That option is not in this list.")
