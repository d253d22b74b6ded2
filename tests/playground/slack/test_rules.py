"""Messages and views at and over every limit."""

from __future__ import annotations

import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from playground.slack import rules
from playground.slack.blocks import problems
from playground.slack.errors import ApiError

CHARACTERS = string.ascii_letters + "<>&*_`é漢 "


def plain(length):
    return {"type": "plain_text", "text": "x" * length}


def mrkdwn(length):
    return {"type": "mrkdwn", "text": "x" * length}


def button(**more):
    return {"type": "button", "text": plain(5), **more}


def option(text=5, value=5, **more):
    return {"text": plain(text), "value": "v" * value, **more}


def actions(*elements):
    return {"type": "actions", "elements": list(elements)}


def section(**more):
    return {"type": "section", "text": mrkdwn(5), **more}


def select(count):
    options = [{"text": plain(5), "value": str(n)} for n in range(count)]
    return {"type": "static_select", "options": options}


def asked(element, **more):
    return {"type": "input", "label": plain(5), "element": element, **more}


def table(rows, columns):
    return {"type": "table", "rows": [[{"type": "raw_text", "text": "c"}] * columns] * rows}


def confirm(title=5, text=5, yes=5, no=5):
    return {"title": plain(title), "text": mrkdwn(text), "confirm": plain(yes), "deny": plain(no)}


# What a block is made of by a size, and the largest size that Slack takes.
LIMITS = {
    "section text": (lambda n: [section(text=mrkdwn(n))], 3000),
    "section fields": (lambda n: [section(fields=[mrkdwn(5)] * n)], 10),
    "field text": (lambda n: [section(fields=[mrkdwn(n)])], 2000),
    "header": (lambda n: [{"type": "header", "text": plain(n)}], 150),
    "context elements": (lambda n: [{"type": "context", "elements": [mrkdwn(5)] * n}], 10),
    "actions elements": (lambda n: [actions(*[button()] * n)], 25),
    "blocks": (lambda n: [{"type": "divider"}] * n, 50),
    "block_id": (lambda n: [section(block_id="b" * n)], 255),
    "action_id": (lambda n: [actions(button(action_id="a" * n))], 255),
    "button text": (lambda n: [actions(button(text=plain(n)))], 75),
    "button value": (lambda n: [actions(button(value="v" * n))], 2000),
    "button label": (lambda n: [actions(button(accessibility_label="l" * n))], 75),
    "button url": (lambda n: [actions(button(url="u" * n))], 3000),
    "confirm title": (lambda n: [actions(button(confirm=confirm(title=n)))], 100),
    "confirm text": (lambda n: [actions(button(confirm=confirm(text=n)))], 300),
    "confirm yes": (lambda n: [actions(button(confirm=confirm(yes=n)))], 30),
    "confirm no": (lambda n: [actions(button(confirm=confirm(no=n)))], 30),
    "options": (lambda n: [actions(select(n))], 100),
    "option text": (lambda n: [actions({"type": "static_select", "options": [option(text=n)]})], 75),
    "option value": (lambda n: [actions({"type": "static_select", "options": [option(value=n)]})], 150),
    "overflow": (lambda n: [section(accessory={"type": "overflow", "options": [option()] * n})], 5),
    "checkboxes": (lambda n: [actions({"type": "checkboxes", "options": [option()] * n})], 10),
    "placeholder": (lambda n: [asked({"type": "plain_text_input", "placeholder": plain(n)})], 150),
    "typed length": (lambda n: [asked({"type": "plain_text_input", "max_length": n})], 3000),
    "input label": (lambda n: [asked({"type": "plain_text_input"}, label=plain(n))], 2000),
    "input hint": (lambda n: [asked({"type": "plain_text_input"}, hint=plain(n))], 2000),
    "image alt": (lambda n: [{"type": "image", "image_url": "https://example.com/i.png", "alt_text": "a" * n}], 2000),
    "image url": (lambda n: [{"type": "image", "image_url": "https://".ljust(n, "u"), "alt_text": "a"}], 3000),
    "table rows": (lambda n: [table(n, 1)], 100),
    "table columns": (lambda n: [table(1, n)], 20),
    "tables": (lambda n: [table(1, 1)] * n, 1),
}

WRONG = {
    "unknown block": [{"type": "sections", "text": mrkdwn(5)}],
    "undocumented block": [{"type": "data_table", "rows": []}],
    "no block": ["text"],
    "no list": "text",
    "mrkdwn header": [{"type": "header", "text": mrkdwn(5)}],
    "mrkdwn button": [actions(button(text=mrkdwn(5)))],
    "empty text": [section(text=mrkdwn(0))],
    "no text": [{"type": "section"}],
    "unknown key": [section(colour="red")],
    "unknown style": [actions(button(style="green"))],
    "same block_id": [section(block_id="b"), section(block_id="b")],
    "same action_id": [actions(button(action_id="a"), button(action_id="a"))],
    "no actions": [actions()],
    "typed in actions": [actions({"type": "plain_text_input"})],
    "button in input": [asked(button())],
    "options and groups": [actions({**select(1), "option_groups": []})],
    "image without source": [{"type": "image", "alt_text": "a"}],
    "unknown cell": [{"type": "table", "rows": [[{"type": "cell"}]]}],
    "unknown rich text": [{"type": "rich_text", "elements": [{"type": "bold", "elements": []}]}],
    "number without decimals": [asked({"type": "number_input"})],
}


@pytest.mark.parametrize("name", LIMITS)
def test_limits(name):
    """The largest size passes, one more is refused."""
    build, most = LIMITS[name]
    assert list(problems(build(most), "message")) == []
    assert list(problems(build(most + 1), "message")) != []


@pytest.mark.parametrize("name", WRONG)
def test_wrong_blocks(name):
    """Each of these is refused with invalid_blocks, the place and the reason."""
    with pytest.raises(ApiError) as refusal:
        rules.check_message({"text": "x", "blocks": WRONG[name]})
    assert refusal.value.error == "invalid_blocks"
    assert "json-pointer:/blocks" in refusal.value.answer()["response_metadata"]["messages"][0]


def test_message_texts():
    """Nothing to say, too long a text, and too long a text to update with are refused."""
    rules.check_message({"text": "x" * rules.POST_TEXT})
    rules.check_message({"text": "x" * rules.UPDATE_TEXT}, longest=rules.UPDATE_TEXT)
    for args, longest, error in [
        ({}, rules.POST_TEXT, "no_text"),
        ({"text": "x" * (rules.POST_TEXT + 1)}, rules.POST_TEXT, "msg_too_long"),
        ({"text": "x" * (rules.UPDATE_TEXT + 1)}, rules.UPDATE_TEXT, "msg_too_long"),
    ]:
        with pytest.raises(ApiError, match=error):
            rules.check_message(args, longest=longest)


def test_total_text():
    """All blocks together may not hold more than the (undocumented) total."""
    whole, rest = divmod(rules.ALL_BLOCKS_TEXT, 3000)
    blocks = [section(text=mrkdwn(3000))] * whole + [section(text=mrkdwn(rest))]
    rules.check_message({"blocks": blocks})
    with pytest.raises(ApiError, match="msg_blocks_too_long"):
        rules.check_message({"blocks": [*blocks, section(text=mrkdwn(1))]})


def modal(**more):
    return {"type": "modal", "title": plain(5), "submit": plain(5), "blocks": [section()], **more}


@pytest.mark.parametrize(
    "wrong",
    [
        modal(title=plain(25)),
        modal(submit=plain(25)),
        modal(close=plain(25)),
        modal(title=None),
        modal(private_metadata="m" * 3001),
        modal(callback_id="c" * 256),
        modal(submit=None, blocks=[asked({"type": "plain_text_input"})]),
        modal(blocks=[{"type": "divider"}] * 101),
        modal(blocks=[{"type": "markdown", "text": "x"}]),
        modal(blocks=[table(1, 1)]),
        modal(blocks=None),
        modal(colour="red"),
        {"type": "home", "blocks": []},
        "modal",
    ],
)
def test_wrong_views(wrong):
    """A modal over a limit, of the wrong type or with blocks for messages only is refused."""
    with pytest.raises(ApiError) as refusal:
        rules.check_view(wrong, "modal")
    assert refusal.value.error == "invalid_arguments"


def test_right_views():
    """A modal at its limits and a Home tab with a table pass."""
    rules.check_view(modal(title=plain(24), private_metadata="m" * 3000, blocks=[{"type": "divider"}] * 100), "modal")
    rules.check_view({"type": "home", "blocks": [table(100, 20)]}, "home")


def test_view_size():
    """A view of more than 250 kB is refused, whatever is in it."""
    with pytest.raises(ApiError, match="view_too_large"):
        rules.check_view(modal(private_metadata="m" * 250_000), "modal")


@pytest.mark.parametrize(
    ("metadata", "error"),
    [
        ({"event_type": "x"}, "invalid_metadata_format"),
        ({"event_type": 1, "event_payload": {}}, "invalid_metadata_format"),
        ({"event_type": "x", "event_payload": {}, "more": 1}, "invalid_metadata_schema"),
        ({"event_type": "x", "event_payload": {"k": "v" * 16_000}}, "metadata_too_large"),
    ],
)
def test_wrong_metadata(metadata, error):
    """Metadata of the wrong shape or size is refused."""
    with pytest.raises(ApiError, match=error):
        rules.check_message({"text": "x", "metadata": metadata})


TEXTS = st.text(CHARACTERS, min_size=1, max_size=100)
VALID = st.one_of(
    st.builds(lambda t: {"type": "section", "text": {"type": "mrkdwn", "text": t}}, TEXTS),
    st.builds(lambda t: {"type": "header", "text": {"type": "plain_text", "text": t}}, TEXTS),
    st.builds(lambda t: {"type": "context", "elements": [{"type": "mrkdwn", "text": t}]}, TEXTS),
    st.builds(lambda t: {"type": "markdown", "text": t}, TEXTS),
    st.builds(
        lambda t, v: actions({"type": "button", "text": {"type": "plain_text", "text": t[:75]}, "value": v}),
        TEXTS,
        TEXTS,
    ),
    st.builds(
        lambda t: {
            "type": "rich_text",
            "elements": [{"type": "rich_text_section", "elements": [{"type": "text", "text": t}]}],
        },
        TEXTS,
    ),
    st.just({"type": "divider"}),
    st.just(table(2, 2)).map(lambda block: section() if block is None else block),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(VALID, min_size=1, max_size=50))
def test_valid_messages_pass(blocks):
    """Any message of valid blocks with one table at most passes, and passes again as Slack keeps it."""
    seen_table = False
    for n, block in enumerate(blocks):
        if block["type"] == "table":
            blocks[n] = section() if seen_table else block
            seen_table = True
    rules.check_message({"text": "x", "blocks": blocks})
    kept = rules.as_kept(blocks)
    rules.check_message({"text": "x", "blocks": kept})
    assert len({block["block_id"] for block in kept}) == len(kept)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(sorted({
        "type", "text", "elements", "blocks", "fields", "accessory", "element", "label", "rows", "options", "value",
        "action_id", "block_id", "title", "submit", "confirm", "style", "max_length", "url",
    })), inner | st.sampled_from(["section", "actions", "input", "button", "static_select", "table", "plain_text",
                                  "mrkdwn", "rich_text", "image", "context", "plain_text_input", "overflow"]), max_size=5),
    max_leaves=20,
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(JSON, JSON)
def test_garbage_is_refused_in_words(blocks, attachments):
    """Whatever is sent, the answer is an error of Slack's, never a crash."""
    for check in (
        lambda: rules.check_message({"text": "x", "blocks": blocks, "attachments": attachments}),
        lambda: rules.check_view(blocks, "modal"),
    ):
        try:
            check()
        except ApiError as error:
            assert error.answer()["ok"] is False
