"""Block Kit: texts, options and interactive elements, and what Slack refuses about them.

A problem is `(pointer, sentence)`; sentences as Slack words them. Figures from facts/slack.md section 7.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

Problem = tuple[str, str]
Problems = Iterator[Problem]
Check = Callable[[dict[str, Any], str], Problems]

IN_ACTIONS = frozenset(
    {"button", "overflow", "checkboxes", "radio_buttons", "datepicker", "timepicker", "datetimepicker"}
    | {f"{kind}_select" for kind in ("static", "external", "users", "conversations", "channels")}
    | {f"multi_{kind}_select" for kind in ("static", "external", "users", "conversations", "channels")}
)
IN_SECTION = IN_ACTIONS | {"image"}
IN_CONTEXT = frozenset({"image", "plain_text", "mrkdwn"})
IN_INPUT = (IN_ACTIONS - {"button", "overflow"}) | {
    "plain_text_input",
    "number_input",
    "email_text_input",
    "url_text_input",
    "rich_text_input",
    "file_input",
}


def keys(thing: dict[str, Any], at: str, needed: str, allowed: str = "") -> Problems:
    """Missing and unknown keys; names separated by blanks."""
    for name in needed.split():
        if thing.get(name) is None:
            yield at, f"missing required field: {name}"
    for name in thing:
        if name not in f"{needed} {allowed} type".split():
            yield at, f"invalid additional property: {name}"


def length(value: Any, at: str, most: int, least: int = 1) -> Problems:
    """A string of `least` to `most` characters."""
    if not isinstance(value, str):
        yield at, "must be a string"
    elif len(value) > most:
        yield at, f"must be less than {most + 1} characters"
    elif len(value) < least:
        yield at, f"must be more than {least - 1} characters"


def optional(thing: dict[str, Any], name: str, at: str, most: int, least: int = 1) -> Problems:
    if name in thing:
        yield from length(thing[name], f"{at}/{name}", most, least)


def amount(things: Any, at: str, most: int, least: int = 1) -> Problems:
    """A list of `least` to `most` things."""
    if not isinstance(things, list):
        yield at, "must be an array"
    elif len(things) > most:
        yield at, f"no more than {most} items allowed"
    elif len(things) < least:
        yield at, f"must provide at least {least} items"


def whole(thing: dict[str, Any], name: str, at: str, least: int, most: int) -> Problems:
    """A whole number between two bounds, if it is there."""
    value = thing.get(name, least)
    if not isinstance(value, int) or not least <= value <= most:
        yield f"{at}/{name}", f"must be between {least} and {most}"


def each(things: Any, at: str, check: Check) -> Problems:
    for n, thing in enumerate(things if isinstance(things, list) else []):
        if isinstance(thing, dict):
            yield from check(thing, f"{at}/{n}")
        else:
            yield f"{at}/{n}", "must be an object"


def text(thing: Any, at: str, most: int, kinds: tuple[str, ...] = ("plain_text", "mrkdwn"), least: int = 1) -> Problems:
    """A text object of at most `most` characters."""
    if not isinstance(thing, dict):
        yield at, "must be an object"
        return
    if thing.get("type") not in kinds:
        yield f"{at}/type", f"must be one of: {', '.join(kinds)}"
    yield from keys(thing, at, "text", "emoji" if thing.get("type") == "plain_text" else "verbatim")
    if "text" in thing:
        yield from length(thing["text"], f"{at}/text", most, least)


def plain(thing: Any, at: str, most: int, least: int = 1) -> Problems:
    yield from text(thing, at, most, ("plain_text",), least)


def confirm(thing: Any, at: str) -> Problems:
    """A confirmation dialog."""
    if not isinstance(thing, dict):
        yield at, "must be an object"
        return
    yield from keys(thing, at, "title text confirm deny", "style")
    for name, most in (("title", 100), ("confirm", 30), ("deny", 30)):
        yield from plain(thing.get(name), f"{at}/{name}", most)
    yield from text(thing.get("text"), f"{at}/text", 300)
    yield from style(thing, at)


def style(thing: dict[str, Any], at: str) -> Problems:
    if "style" in thing and thing["style"] not in ("primary", "danger"):
        yield f"{at}/style", "must be one of: primary, danger"


def option(thing: dict[str, Any], at: str) -> Problems:
    yield from keys(thing, at, "text value", "description url")
    yield from text(thing.get("text"), f"{at}/text", 75)
    yield from length(thing.get("value"), f"{at}/value", 150)
    if "description" in thing:
        yield from text(thing["description"], f"{at}/description", 75)


def button(thing: dict[str, Any], at: str) -> Problems:
    yield from keys(thing, at, "text", "action_id value url style confirm accessibility_label")
    yield from plain(thing.get("text"), f"{at}/text", 75)
    yield from optional(thing, "value", at, 2000, 0)
    yield from optional(thing, "url", at, 3000)
    yield from optional(thing, "accessibility_label", at, 75)
    yield from style(thing, at)


def image(thing: dict[str, Any], at: str) -> Problems:
    yield from keys(thing, at, "alt_text", "image_url slack_file")
    yield from length(thing.get("alt_text"), f"{at}/alt_text", 2000)
    yield from picture(thing, at)


def picture(thing: dict[str, Any], at: str) -> Problems:
    """Where an image comes from: a URL or a Slack file, one of them."""
    if ("image_url" in thing) == ("slack_file" in thing):
        yield at, "must have exactly one of: image_url, slack_file"
    if "image_url" in thing:
        yield from length(thing["image_url"], f"{at}/image_url", 3000)
        if not str(thing["image_url"]).startswith(("http://", "https://")):
            yield f"{at}/image_url", "must be a valid URL"


CHOICE = "action_id placeholder confirm focus_on_load"


def static_select(thing: dict[str, Any], at: str) -> Problems:
    yield from keys(thing, at, "", f"{CHOICE} options option_groups initial_option initial_options max_selected_items")
    if ("options" in thing) == ("option_groups" in thing):
        yield at, "must have exactly one of: options, option_groups"
    if "options" in thing:
        yield from amount(thing["options"], f"{at}/options", 100)
        yield from each(thing["options"], f"{at}/options", option)
    if "option_groups" in thing:
        yield from amount(thing["option_groups"], f"{at}/option_groups", 100)
        yield from each(thing["option_groups"], f"{at}/option_groups", option_group)


def option_group(thing: dict[str, Any], at: str) -> Problems:
    yield from keys(thing, at, "label options")
    yield from plain(thing.get("label"), f"{at}/label", 75)
    yield from amount(thing.get("options"), f"{at}/options", 100)
    yield from each(thing.get("options"), f"{at}/options", option)


def foreign_select(thing: dict[str, Any], at: str) -> Problems:
    kind = str(thing["type"]).removeprefix("multi_").removesuffix("_select")
    more = f"initial_{kind[:-1]} initial_{kind} filter default_to_current_conversation response_url_enabled"
    yield from keys(thing, at, "", f"{CHOICE} {more} min_query_length max_selected_items initial_option")


def overflow(thing: dict[str, Any], at: str) -> Problems:
    yield from keys(thing, at, "options", "action_id confirm")
    yield from amount(thing.get("options"), f"{at}/options", 5)
    yield from each(thing.get("options"), f"{at}/options", option)


def choices(thing: dict[str, Any], at: str) -> Problems:
    yield from keys(thing, at, "options", "action_id confirm initial_option initial_options focus_on_load")
    yield from amount(thing.get("options"), f"{at}/options", 10)
    yield from each(thing.get("options"), f"{at}/options", option)


def picker(thing: dict[str, Any], at: str) -> Problems:
    yield from keys(thing, at, "", f"{CHOICE} initial_date initial_time initial_date_time timezone")


def typed(thing: dict[str, Any], at: str) -> Problems:
    """The inputs that are typed."""
    sizes = "min_length max_length min_value max_value is_decimal_allowed multiline"
    yield from keys(thing, at, "", f"action_id placeholder initial_value dispatch_action_config focus_on_load {sizes}")
    for name in ("min_length", "max_length"):
        yield from whole(thing, name, at, 0, 3000)
    yield from optional(thing, "initial_value", at, 3000, 0)
    if thing["type"] == "number_input" and "is_decimal_allowed" not in thing:
        yield at, "missing required field: is_decimal_allowed"


def file_input(thing: dict[str, Any], at: str) -> Problems:
    yield from keys(thing, at, "", "action_id filetypes max_files")
    yield from whole(thing, "max_files", at, 1, 10)


def anything(thing: dict[str, Any], at: str) -> Problems:
    yield from keys(thing, at, "", "action_id placeholder initial_value dispatch_action_config focus_on_load")


ELEMENTS: dict[str, Check] = {
    "button": button,
    "image": image,
    "static_select": static_select,
    "multi_static_select": static_select,
    "overflow": overflow,
    "checkboxes": choices,
    "radio_buttons": choices,
    "datepicker": picker,
    "timepicker": picker,
    "datetimepicker": picker,
    "file_input": file_input,
    "rich_text_input": anything,
    **dict.fromkeys(("plain_text_input", "number_input", "email_text_input", "url_text_input"), typed),
    **dict.fromkeys((kind for kind in IN_ACTIONS if kind.startswith(("users", "multi_users"))), foreign_select),
    **dict.fromkeys((kind for kind in IN_ACTIONS if "conversations" in kind or "channels" in kind), foreign_select),
    **dict.fromkeys(("external_select", "multi_external_select"), foreign_select),
}


def element(thing: Any, at: str, allowed: frozenset[str]) -> Problems:
    """An element of a block that takes the `allowed` kinds."""
    kind = thing.get("type") if isinstance(thing, dict) else None
    if kind not in allowed:
        yield f"{at}/type", f"unsupported type: {kind}"
        return
    if kind in ("plain_text", "mrkdwn"):
        yield from text(thing, at, 3000)
        return
    yield from ELEMENTS[kind](thing, at)
    yield from optional(thing, "action_id", at, 255)
    if "placeholder" in thing:
        yield from plain(thing["placeholder"], f"{at}/placeholder", 150)
    if "confirm" in thing:
        yield from confirm(thing["confirm"], f"{at}/confirm")
