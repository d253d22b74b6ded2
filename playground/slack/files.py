"""The methods files.*: an upload in three steps, as files_upload_v2 does it."""

from __future__ import annotations

import mimetypes
import secrets

from playground.slack import chat
from playground.slack.errors import ApiError
from playground.slack.workspace import BOT_USER, Json, Workspace


def get_upload_url(workspace: Workspace, args: Json) -> Json:
    """Step one: an address to send the bytes to."""
    try:
        length = int(args["length"])
    except ValueError:
        raise ApiError("invalid_arguments", ["must be an integer [json-pointer:/length]"]) from None
    if length <= 0:
        raise ApiError("invalid_arguments", ["must be more than 0 [json-pointer:/length]"])
    file_id, ticket = "F" + secrets.token_hex(5).upper(), secrets.token_urlsafe(18)
    name = str(args["filename"])
    upload = {"ticket": ticket, "name": name, "length": length, "data": None, "shared": False}
    workspace.uploads[file_id] = {**upload, "alt": str(args.get("alt_txt") or "")}
    return {"upload_url": f"{workspace.base_url}/upload/{ticket}", "file_id": file_id}


def receive(workspace: Workspace, ticket: str, data: bytes) -> tuple[int, str]:
    """Step two: the bytes. The HTTP status and body."""
    upload = next((u for u in workspace.uploads.values() if u["ticket"] == ticket), None)
    if upload is None or upload["data"] is not None:
        return 404, "not found"
    if len(data) != upload["length"]:
        return 400, f"length does not match: {len(data)}"
    upload["data"] = data
    return 200, f"OK - {len(data)}"


def complete_upload(workspace: Workspace, args: Json) -> Json:
    """Step three: the file is there, and shared when a channel is named."""
    if not isinstance(args["files"], list) or not args["files"]:
        raise ApiError("invalid_arguments", ["must not be empty [json-pointer:/files]"])
    for file in args["files"]:
        if (workspace.uploads.get(file.get("id")) or {"data": None})["data"] is None:
            raise ApiError("file_not_found")
    target = args.get("channel_id") or str(args.get("channels") or "").split(",")[0]
    channel = chat.place(workspace, target) if target else None
    if channel is not None and BOT_USER not in channel.members:
        raise ApiError("not_in_channel")
    files = [_file(workspace, file) for file in args["files"]]
    if channel is not None:
        message = chat.body(workspace, {"text": args.get("initial_comment"), "thread_ts": args.get("thread_ts")})
        workspace.keep(channel, {**message, "files": files})
    return {"files": files}


def _file(workspace: Workspace, file: Json) -> Json:
    upload = workspace.uploads[file["id"]]
    upload["shared"] = True
    address = f"{workspace.base_url}/files/{file['id']}/{upload['name']}"
    return {
        "id": file["id"],
        "name": upload["name"],
        "title": file.get("title") or upload["name"],
        "mimetype": mime(upload["name"]),
        "alt_txt": upload["alt"],
        "size": upload["length"],
        "user": BOT_USER,
        "url_private": address,
        "permalink": address,
    }


def mime(name: str) -> str:
    """The media type that a file's name speaks of."""
    return mimetypes.guess_type(name)[0] or "application/octet-stream"
