"""The checker refuses what Slack would refuse."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from bot.edges.blocks import Message, Unfit, check


def words(text: str) -> dict[str, Any]:
    return {"type": "plain_text", "text": text}


def marked(text: str) -> dict[str, Any]:
    return {"type": "mrkdwn", "text": text, "verbatim": True}


def button(**more: Any) -> dict[str, Any]:
    return {"type": "button", "action_id": "go", "text": words("Go"), "value": "1", **more}


def actions(*elements: dict[str, Any], block_id: str = "actions") -> dict[str, Any]:
    return {"type": "actions", "block_id": block_id, "elements": list(elements)}


def section(text: str, block_id: str = "section") -> dict[str, Any]:
    return {"type": "section", "block_id": block_id, "text": marked(text)}


def table(rows: int, columns: int, block_id: str = "table") -> dict[str, Any]:
    cell = {"type": "raw_text", "text": "x"}
    return {"type": "table", "block_id": block_id, "rows": [[cell] * columns] * rows}


def entry(**more: Any) -> dict[str, Any]:
    element = {"type": "plain_text_input", "action_id": "value"}
    return {"type": "input", "block_id": "input", "label": words("Why?"), "element": element, **more}


def select(count: int, kind: str = "static_select", **more: Any) -> dict[str, Any]:
    options = [{"text": words(str(n)), "value": str(n)} for n in range(count)]
    return entry(element={"type": kind, "action_id": "value", "options": options, **more})


CONFIRM = {"title": words("Sure?"), "text": words("It writes."), "confirm": words("Yes"), "deny": words("No")}
WHOLE = [
    {"type": "header", "block_id": "header", "text": words("x" * 150)},
    section("x" * 3000),
    {"type": "section", "block_id": "fields", "fields": [marked("x")] * 10},
    {"type": "context", "block_id": "context", "elements": [marked("x")] * 10},
    {"type": "divider"},
    actions(button(confirm=CONFIRM, style="danger", value="x" * 2000), button(action_id="other")),
    table(100, 20),
]


def test_what_slack_takes_is_taken() -> None:
    """A message with each kind of block, every one right at its limit."""
    check(Message("x" * 3000, WHOLE), "message")


@pytest.mark.parametrize(
    "block",
    [
        {"type": "header", "text": words("x" * 151)},
        {"type": "header", "text": marked("x")},
        {"type": "header", "text": words("")},
        section("x" * 3001),
        section("🐝" * 1501),
        section(""),
        {"type": "section"},
        {"type": "section", "fields": [marked("x")] * 11},
        {"type": "section", "fields": [marked("x" * 2001)]},
        {"type": "section", "text": {"type": "mrkdwn", "text": "http://evil.example.com"}},
        {"type": "section", "text": "bare"},
        {"type": "section", "block_id": "x" * 256, "text": marked("x")},
        {"type": "context", "elements": [marked("x")] * 11},
        {"type": "context", "elements": []},
        actions(),
        actions(*[button(action_id=str(n)) for n in range(26)]),
        actions(button(), button()),
        actions(button(text=words("x" * 76))),
        actions(button(text=marked("x"))),
        actions(button(value="x" * 2001)),
        actions(button(style="green")),
        actions(button(accessibility_label="x" * 76)),
        actions(button(action_id="x" * 256)),
        actions(button(confirm={**CONFIRM, "title": words("x" * 101)})),
        actions(button(confirm={**CONFIRM, "text": words("x" * 301)})),
        actions(button(confirm={**CONFIRM, "deny": words("x" * 31)})),
        table(101, 1),
        table(1, 21),
        table(0, 1),
        {"type": "table", "rows": [[{"type": "raw_text", "text": ""}]]},
        {"type": "data_tabel", "rows": []},
        {},
    ],
)
def test_a_block_past_a_limit_is_refused(block: dict[str, Any]) -> None:
    """One step past each limit of a block in a message."""
    with pytest.raises(Unfit):
        check(Message("text", [block]), "message")


@pytest.mark.parametrize(
    "message",
    [
        Message("", [section("x")]),
        Message("x" * 3001, [section("x")]),
        Message("x", []),
        Message("x", [section("x", str(n)) for n in range(51)]),
        Message("x", [section("x"), section("y")]),
        Message("x", [table(1, 1), table(1, 1, "other")]),
        Message("x", [section("x" * 2600, str(n)) for n in range(4)]),
    ],
)
def test_a_message_past_a_limit_is_refused(message: Message) -> None:
    """No text, too many blocks, a block_id twice, two tables, too much text in all."""
    with pytest.raises(Unfit):
        check(message, "message")


MODAL = {"type": "modal", "callback_id": "x", "title": words("Title"), "submit": words("Go"), "blocks": [entry()]}


@pytest.mark.parametrize(
    "change",
    [
        {"title": words("x" * 25)},
        {"title": None},
        {"submit": words("x" * 25)},
        {"private_metadata": "x" * 3001},
        {"callback_id": "x" * 256},
        {"type": "home"},
        {"blocks": [table(1, 1)]},
        {"blocks": [section("x", str(n)) for n in range(101)]},
        {"blocks": [entry(label=words("x" * 2001))]},
        {"blocks": [entry(hint=marked("x"))]},
        {"blocks": [entry(element={"type": "plain_text_input", "action_id": "v", "max_length": 3001})]},
        {"blocks": [entry(element={"type": "plain_text_input", "action_id": "v", "initial_value": "x" * 3001})]},
        {"blocks": [select(101)]},
        {"blocks": [select(0)]},
        {"blocks": [select(11, "checkboxes")]},
        {"blocks": [select(1, "checkboxes", initial_options=[])]},
        {"blocks": [select(1, initial_option={"text": words("other"), "value": "other"})]},
        {"blocks": [select(1, placeholder=words("x" * 151))]},
    ],
)
def test_a_modal_past_a_limit_is_refused(change: dict[str, Any]) -> None:
    """One step past each limit of a modal, whose unchanged form is taken."""
    check(MODAL, "modal")
    with pytest.raises(Unfit):
        check({**copy.deepcopy(MODAL), **change}, "modal")


def test_an_input_needs_a_submit() -> None:
    """Slack refuses a modal with an input and no way to send it."""
    with pytest.raises(Unfit):
        check({key: value for key, value in MODAL.items() if key != "submit"}, "modal")


def test_a_message_is_no_view() -> None:
    """The same blocks on the wrong surface are refused."""
    with pytest.raises(Unfit):
        check(Message("x", [section("x")]), "home")
    with pytest.raises(Unfit):
        check({"type": "modal", "title": words("x"), "blocks": [section("x")]}, "message")
