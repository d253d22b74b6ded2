"""The methods views.*: modals, and the Home tab."""

from __future__ import annotations

import secrets

from playground.slack import rules
from playground.slack.errors import ApiError
from playground.slack.workspace import APP, BOT, TEAM, Json, Trigger, Workspace

DEEPEST = 3


def exchange(workspace: Workspace, name: str) -> Trigger:
    """Use up a trigger: it lives three seconds and counts once."""
    trigger = workspace.triggers.get(name)
    if trigger is None:
        raise ApiError("invalid_trigger_id")
    if trigger.used:
        raise ApiError("exchanged_trigger_id")
    if trigger.expires <= workspace.now():
        raise ApiError("expired_trigger_id")
    trigger.used = True
    return trigger


def new_hash(workspace: Workspace) -> str:
    return f"{workspace.now():.0f}.{secrets.token_hex(4)}"


def made(workspace: Workspace, view: Json, user: str) -> Json:
    """A view as Slack keeps it. `owner` is whose screen it is on; the bot never sees that key."""
    name = "V" + secrets.token_hex(5).upper()
    return {
        "id": name,
        "team_id": TEAM,
        "type": view["type"],
        "private_metadata": "",
        "callback_id": "",
        "title": None,
        "submit": None,
        "close": None,
        "clear_on_close": False,
        "notify_on_close": False,
        "external_id": "",
        **view,
        "blocks": rules.as_kept(view["blocks"]),
        "state": {"values": {}},
        "hash": new_hash(workspace),
        "previous_view_id": None,
        "root_view_id": name,
        "app_id": APP,
        "app_installed_team_id": TEAM,
        "bot_id": BOT,
        "owner": user,
    }


def public(view: Json) -> Json:
    """A view as the bot gets it."""
    return {key: value for key, value in view.items() if key != "owner"}


def open_view(workspace: Workspace, args: Json) -> Json:
    rules.check_view(args["view"], "modal")
    _external(workspace, args["view"])
    user = exchange(workspace, args["trigger_id"]).user
    close_all(workspace, user)
    view = show(workspace, made(workspace, args["view"], user))
    return {"view": public(view)}


def push_view(workspace: Workspace, args: Json) -> Json:
    rules.check_view(args["view"], "modal")
    trigger = exchange(workspace, args["trigger_id"])
    if trigger.view is None or trigger.view not in workspace.views:
        raise ApiError("not_found")
    return {"view": public(push(workspace, trigger.user, args["view"]))}


def push(workspace: Workspace, user: str, view: Json) -> Json:
    """Put a view on top of a person's stack."""
    stack = workspace.stacks.get(user, [])
    if len(stack) >= DEEPEST:
        raise ApiError("push_limit_reached")
    new = made(workspace, view, user)
    new.update(previous_view_id=stack[-1], root_view_id=stack[0])
    return show(workspace, new)


def show(workspace: Workspace, view: Json) -> Json:
    workspace.views[view["id"]] = view
    workspace.stacks.setdefault(view["owner"], []).append(view["id"])
    workspace.emit({"type": "view_opened", "view": view, "for": [view["owner"]]})
    return view


def update_view(workspace: Workspace, args: Json) -> Json:
    rules.check_view(args["view"], "modal")
    view = _find(workspace, args)
    if args.get("hash") and args["hash"] != view["hash"]:
        raise ApiError("hash_conflict")
    return {"view": public(replace(workspace, view, args["view"]))}


def replace(workspace: Workspace, view: Json, new: Json) -> Json:
    """Put new content into a view. What was typed stays where block_id and action_id stay."""
    values = view["state"]["values"]
    fresh = made(workspace, new, view["owner"])
    for name in ("id", "root_view_id", "previous_view_id"):
        fresh[name] = view[name]
    kept = {block["block_id"] for block in fresh["blocks"]}
    fresh["state"] = {"values": {block: value for block, value in values.items() if block in kept}}
    view.clear()
    view.update(fresh)
    workspace.emit({"type": "view_updated", "view": view, "for": [view["owner"]]})
    return view


def publish_view(workspace: Workspace, args: Json) -> Json:
    if not workspace.home_tab:
        raise ApiError("not_enabled")
    user = args["user_id"]
    if user not in workspace.users:
        raise ApiError("invalid_arguments", ["invalid `user_id` [json-pointer:/user_id]"])
    rules.check_view(args["view"], "home")
    old = workspace.homes.get(user)
    if args.get("hash") and old is not None and args["hash"] != old["hash"]:
        raise ApiError("hash_conflict")
    view = made(workspace, args["view"], user)
    if old is not None:
        view["id"] = view["root_view_id"] = old["id"]
    workspace.homes[user] = view
    workspace.emit({"type": "home", "view": view, "for": [user]})
    return {"view": public(view)}


def close(workspace: Workspace, view: Json) -> None:
    """Take a view off the screen; the one below shows again."""
    workspace.views.pop(view["id"], None)
    stack = workspace.stacks.get(view["owner"], [])
    if view["id"] in stack:
        stack.remove(view["id"])
    workspace.emit({"type": "view_closed", "view_id": view["id"], "for": [view["owner"]]})


def close_all(workspace: Workspace, user: str) -> list[Json]:
    """Take all of a person's views off the screen, the top one first."""
    views = [workspace.views[name] for name in reversed(workspace.stacks.get(user, []))]
    for view in views:
        close(workspace, view)
    return views


def _find(workspace: Workspace, args: Json) -> Json:
    if args.get("view_id") is None and args.get("external_id") is None:
        raise ApiError("invalid_arguments", ["missing required field: view_id [json-pointer:/view_id]"])
    for view in workspace.views.values():
        if view["id"] == args.get("view_id") or (
            view["external_id"] and view["external_id"] == args.get("external_id")
        ):
            return view
    raise ApiError("not_found")


def _external(workspace: Workspace, view: Json) -> None:
    name = view.get("external_id")
    if name and any(other["external_id"] == name for other in workspace.views.values()):
        raise ApiError("duplicate_external_id")
