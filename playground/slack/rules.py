"""What Slack refuses about whole messages and views, and what it adds to the blocks it takes."""

from __future__ import annotations

import json
import secrets
import string
from typing import Any

from playground.slack.blocks import elements, problems
from playground.slack.elements import Problem, Problems, length, plain
from playground.slack.errors import ApiError

Json = dict[str, Any]

POST_TEXT = 40_000
UPDATE_TEXT = 4_000
# Undocumented. Reports refuse 11,341 counted characters and more; a strict stand-in stays below the smallest of them.
ALL_BLOCKS_TEXT = 11_000
VIEW_BYTES = 250_000
ATTACHMENTS = 100
METADATA_BYTES = 16_000


def check_message(args: Json, *, longest: int = POST_TEXT) -> None:
    """Refuse a message that Slack would refuse. Arguments: text, blocks, attachments, metadata."""
    text, blocks, attachments = args.get("text"), args.get("blocks"), args.get("attachments")
    if not text and not blocks and not attachments:
        raise ApiError("no_text")
    if text and len(str(text)) > longest:
        raise ApiError("msg_too_long")
    _refuse("invalid_blocks", list(problems(blocks, "message")) if blocks is not None else [], listed=True)
    if blocks and total_text(blocks) > ALL_BLOCKS_TEXT:
        raise ApiError("msg_blocks_too_long")
    check_attachments(attachments)
    check_metadata(args.get("metadata"))


def check_attachments(attachments: Any) -> None:
    """At most a hundred, their blocks as strict as those of a message."""
    if attachments is None:
        return
    if not isinstance(attachments, list) or len(attachments) > ATTACHMENTS:
        raise ApiError("too_many_attachments" if isinstance(attachments, list) else "invalid_attachments")
    for n, attachment in enumerate(attachments):
        if not isinstance(attachment, dict):
            raise ApiError("invalid_attachments")
        found = list(problems(attachment.get("blocks", []), "message", f"/attachments/{n}/blocks"))
        _refuse("invalid_blocks", found, listed=True)


def check_metadata(metadata: Any) -> None:
    """Message metadata: `{event_type, event_payload}`; an empty object takes it away."""
    if not metadata:
        return
    if not isinstance(metadata, dict) or set(metadata) - {"event_type", "event_payload", "entities"}:
        raise ApiError("invalid_metadata_schema")
    if not isinstance(metadata.get("event_type"), str) or not isinstance(metadata.get("event_payload"), dict):
        raise ApiError("invalid_metadata_format")
    if len(json.dumps(metadata)) > METADATA_BYTES:
        raise ApiError("metadata_too_large")


def check_view(view: Any, surface: str) -> None:
    """Refuse a view that Slack would refuse on this surface ("modal" or "home")."""
    if not isinstance(view, dict):
        raise ApiError("invalid_arguments", ["must be a valid view object [json-pointer:/view]"])
    if len(json.dumps(view)) > VIEW_BYTES:
        raise ApiError("view_too_large")
    found = [(f"/view{at}", sentence) for at, sentence in _view(view, surface)]
    _refuse("invalid_arguments", found, listed=False)


COMMON = "type blocks private_metadata callback_id external_id"
MODAL = "title submit close clear_on_close notify_on_close submit_disabled"


def _view(view: Json, surface: str) -> Problems:
    if view.get("type") != surface:
        yield "/type", f"must be one of: {surface}"
    if not isinstance(view.get("blocks"), list):
        yield "/blocks", "missing required field: blocks"
    for name in set(view) - set(f"{COMMON} {MODAL if surface == 'modal' else ''}".split()):
        yield "", f"invalid additional property: {name}"
    yield from problems(view.get("blocks"), surface)
    for name, most in (("private_metadata", 3000), ("callback_id", 255), ("external_id", 255)):
        if view.get(name) is not None:
            yield from length(view[name], f"/{name}", most, 0)
    if surface == "modal":
        yield from _modal(view)


def _modal(view: Json) -> Problems:
    if view.get("title") is None:
        yield "", "missing required field: title"
    for name in ("title", "submit", "close"):
        if view.get(name) is not None:
            yield from plain(view[name], f"/{name}", 24)
    blocks = view["blocks"] if isinstance(view.get("blocks"), list) else []
    for n, block in enumerate(blocks):
        if view.get("submit") is None and isinstance(block, dict) and block.get("type") == "input":
            yield f"/blocks/{n}/input", "must define `submit` to use an `input` block in modals"


def _refuse(error: str, found: list[Problem], *, listed: bool) -> None:
    if found:
        sentences = [f"{sentence} [json-pointer:{at}]" for at, sentence in found]
        raise ApiError(error, sentences, **({"errors": sentences} if listed else {}))


def total_text(thing: Any) -> int:
    """The characters of all texts in blocks, as the total limit counts them."""
    if isinstance(thing, list):
        return sum(total_text(part) for part in thing)
    if isinstance(thing, dict):
        own = len(thing["text"]) if isinstance(thing.get("text"), str) else 0
        return own + sum(total_text(value) for value in thing.values() if isinstance(value, dict | list))
    return 0


def as_kept(blocks: Any) -> list[Json]:
    """The blocks as Slack keeps and returns them: ids and defaults filled in."""
    kept: list[Json] = json.loads(json.dumps(blocks or []))
    for block in kept:
        block.setdefault("block_id", _name())
        for element in elements(block):
            element.setdefault("action_id", _name())
        _defaults(block)
    return kept


def _defaults(thing: Any) -> None:
    for part in thing if isinstance(thing, list) else thing.values() if isinstance(thing, dict) else []:
        _defaults(part)
    if isinstance(thing, dict) and isinstance(thing.get("text"), str):
        if thing.get("type") == "plain_text":
            thing.setdefault("emoji", True)
        elif thing.get("type") == "mrkdwn":
            thing.setdefault("verbatim", False)


def _name() -> str:
    return "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(5))
