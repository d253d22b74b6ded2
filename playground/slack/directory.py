"""The methods that say who is who: auth.test, users.*, usergroups.*, bots.info."""

from __future__ import annotations

from playground.slack.chat import flag
from playground.slack.conversations import paged
from playground.slack.errors import ApiError
from playground.slack.workspace import APP, BOT, BOT_USER, TEAM, Json, User, Usergroup, Workspace


def auth_test(workspace: Workspace, _args: Json) -> Json:
    return {
        "url": f"{workspace.base_url}/",
        "team": workspace.name,
        "user": workspace.users[BOT_USER].name,
        "team_id": TEAM,
        "user_id": BOT_USER,
        "bot_id": BOT,
        "is_enterprise_install": False,
    }


def person(user: User) -> Json:
    """A user as methods return it."""
    return {
        "id": user.id,
        "team_id": TEAM,
        "name": user.name,
        "deleted": False,
        "real_name": user.real_name,
        "tz": "Etc/UTC",
        "tz_offset": 0,
        "is_bot": user.is_bot,
        "is_app_user": False,
        "color": user.color,
        "profile": {"real_name": user.real_name, "display_name": user.name, "title": user.title, "team": TEAM},
    }


def users_info(workspace: Workspace, args: Json) -> Json:
    user = workspace.users.get(args["user"])
    if user is None:
        raise ApiError("user_not_found")
    return {"user": person(user)}


def users_list(workspace: Workspace, args: Json) -> Json:
    page, cursor = paged(workspace.users.values(), args, 1000, 1000)
    return {"members": [person(user) for user in page], "cache_ts": int(workspace.now()), **cursor}


def bots_info(workspace: Workspace, args: Json) -> Json:
    if args.get("bot") not in (None, BOT):
        raise ApiError("bot_not_found")
    return {
        "bot": {
            "id": BOT,
            "deleted": False,
            "name": workspace.users[BOT_USER].name,
            "app_id": APP,
            "user_id": BOT_USER,
            "updated": 0,
            "icons": {},
        }
    }


def usergroups_list(workspace: Workspace, args: Json) -> Json:
    _paid(workspace)
    return {"usergroups": [_group(group, flag(args, "include_users")) for group in workspace.usergroups.values()]}


def usergroup_users(workspace: Workspace, args: Json) -> Json:
    _paid(workspace)
    group = workspace.usergroups.get(args["usergroup"])
    if group is None:
        raise ApiError("no_such_subteam")
    return {"users": list(group.users)}


def _group(group: Usergroup, with_users: bool) -> Json:
    found: Json = {
        "id": group.id,
        "team_id": TEAM,
        "is_usergroup": True,
        "name": group.name,
        "handle": group.handle,
        "user_count": len(group.users),
        "date_delete": 0,
    }
    return {**found, "users": list(group.users)} if with_users else found


def _paid(workspace: Workspace) -> None:
    if not workspace.paid:
        raise ApiError("plan_upgrade_required")
