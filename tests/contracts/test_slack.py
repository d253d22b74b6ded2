"""What the bot relies on of Slack: always asked of the stand-in, and of a real workspace when one is named.

HIVEKEEPER_LIVE_SLACK_TOKEN is a bot token, HIVEKEEPER_LIVE_SLACK_CHANNEL a channel the bot and at least one person are
in. The tests post there, delete what they posted, and publish that person's Home tab.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from dataclasses import dataclass, field

import pytest
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError
from slack_sdk.http_retry.builtin_handlers import RateLimitErrorRetryHandler

from playground.server import run_in_thread
from playground.slack import BOT_USER, Workspace, create

LIVE_TOKEN, LIVE_CHANNEL = "HIVEKEEPER_LIVE_SLACK_TOKEN", "HIVEKEEPER_LIVE_SLACK_CHANNEL"
LIVE = bool(os.environ.get(LIVE_TOKEN) and os.environ.get(LIVE_CHANNEL))


@dataclass
class Slack:
    """A workspace under test: a client, a channel it is in, a person in that channel, and what was posted."""

    client: WebClient
    channel: str
    person: str
    posted: list[str] = field(default_factory=list)

    def post(self, **args):
        """Post a message that is deleted after the test; its ts."""
        ts = self.client.chat_postMessage(channel=self.channel, **args)["ts"]
        self.posted.append(ts)
        return ts

    def history(self, **args):
        return self.client.conversations_history(channel=self.channel, limit=20, **args)["messages"]

    def one(self, ts):
        """A message as history shows it."""
        return next(m for m in self.history(include_all_metadata=True) if m["ts"] == ts)

    def refusal(self, call, **args):
        """The error that Slack answers."""
        with pytest.raises(SlackApiError) as error:
            call(**args)
        return error.value.response["error"]


@contextlib.contextmanager
def stand_in():
    """The playground's Slack."""
    token = "xoxb-" + secrets.token_hex(8)
    workspace = Workspace.of(
        users=[{"id": "U0ADA", "name": "ada", "real_name": "Ada Oncall"}],
        channels=[{"id": "C0ONCALL", "name": "oncall", "members": ["U0ADA", BOT_USER]}],
        limited=False,  # the limits have tests of their own, these would only wait
    )
    server = run_in_thread(create(workspace, bot_token=token))
    try:
        yield WebClient(token, base_url=f"{server.url}/api/"), "C0ONCALL"
    finally:
        server.stop()


@contextlib.contextmanager
def live():
    """The real Slack, as the environment names it."""
    yield WebClient(os.environ[LIVE_TOKEN]), os.environ[LIVE_CHANNEL]


@pytest.fixture(scope="module", params=[stand_in, live] if LIVE else [stand_in], ids=lambda kind: kind.__name__)
def workspace(request):
    with request.param() as (client, channel):
        client.retry_handlers = [RateLimitErrorRetryHandler(max_retry_count=3)]
        me = client.auth_test()["user_id"]
        members = client.conversations_members(channel=channel)["members"]
        yield Slack(client, channel, next(member for member in members if member != me))


@pytest.fixture
def slack(workspace):
    yield workspace
    for ts in workspace.posted:
        with contextlib.suppress(SlackApiError):
            workspace.client.chat_delete(channel=workspace.channel, ts=ts)
    workspace.posted.clear()


def section(text="Hello"):
    return {"type": "section", "text": {"type": "mrkdwn", "text": text}}


def button(**more):
    element = {"type": "button", "action_id": "go", "text": {"type": "plain_text", "text": "Go"}, **more}
    return {"type": "actions", "elements": [element]}


def test_message_found_by_its_metadata(slack):
    """A message's metadata is in the history when all of it is asked for, and not otherwise."""
    key = secrets.token_hex(8)
    metadata = {"event_type": "hivekeeper", "event_payload": {"key": key}}
    ts = slack.post(text="contract", metadata=metadata)
    assert slack.one(ts)["metadata"] == metadata
    bare = next(m for m in slack.history() if m["ts"] == ts)
    assert key not in str(bare.get("metadata", ""))


def test_metadata_survives_an_update(slack):
    """An update that does not speak of metadata leaves it."""
    metadata = {"event_type": "hivekeeper", "event_payload": {"key": secrets.token_hex(8)}}
    ts = slack.post(text="before", metadata=metadata)
    slack.client.chat_update(channel=slack.channel, ts=ts, text="after", blocks=[section()])
    assert slack.one(ts)["metadata"] == metadata


def test_reply_found_by_its_metadata(slack):
    """A reply is not in the history, but among the replies, with its metadata."""
    parent = slack.post(text="parent")
    metadata = {"event_type": "hivekeeper", "event_payload": {"key": secrets.token_hex(8)}}
    reply = slack.post(text="reply", thread_ts=parent, metadata=metadata)
    assert reply not in [message["ts"] for message in slack.history()]
    assert slack.one(parent)["reply_count"] == 1
    found = slack.client.conversations_replies(channel=slack.channel, ts=parent, include_all_metadata=True)["messages"]
    assert [message["ts"] for message in found] == [parent, reply]
    assert found[1]["metadata"] == metadata


def test_update_with_blocks_takes_buttons_away(slack):
    """New blocks stand in place of the old ones, so a button that is left out is gone."""
    ts = slack.post(text="plan", blocks=[section(), button(value="r-1")])
    slack.client.chat_update(channel=slack.channel, ts=ts, text="done", blocks=[section("Done")])
    message = slack.one(ts)
    assert message["text"] == "done"
    assert [block["type"] for block in message["blocks"]] == ["section"]


def test_ids_are_filled_in(slack):
    """Blocks come back with a block_id each."""
    ts = slack.post(text="plan", blocks=[section(), section()])
    names = [block["block_id"] for block in slack.one(ts)["blocks"]]
    assert all(names)
    assert len(set(names)) == 2


def test_update_of_what_is_not_there(slack):
    """A message that is gone cannot be updated, and the error says which way it is gone."""
    ts = slack.post(text="soon gone")
    slack.client.chat_delete(channel=slack.channel, ts=ts)
    update = slack.client.chat_update
    assert slack.refusal(update, channel=slack.channel, ts=ts, text="x") == "message_not_found"
    assert slack.refusal(update, channel="C0000000000", ts=ts, text="x") == "channel_not_found"


@pytest.mark.parametrize(
    "block",
    [
        section("x" * 3001),
        {"type": "header", "text": {"type": "plain_text", "text": "x" * 151}},
        button(value="x" * 2001),
        {"type": "sections"},
        section(""),
    ],
    ids=["section", "header", "value", "type", "empty"],
)
def test_blocks_over_a_limit(slack, block):
    """A block over its limit is refused with invalid_blocks and nothing is posted."""
    before = [message["ts"] for message in slack.history()]
    assert slack.refusal(slack.post, text="x", blocks=[block]) == "invalid_blocks"
    assert [message["ts"] for message in slack.history()] == before


def test_nothing_to_say(slack):
    """A message without text and blocks is refused."""
    call = slack.client.api_call
    assert slack.refusal(call, api_method="chat.postMessage", json={"channel": slack.channel}) == "no_text"


def test_update_too_long(slack):
    """An update's text has a smaller limit than one would think."""
    ts = slack.post(text="short")
    update = slack.client.chat_update
    assert slack.refusal(update, channel=slack.channel, ts=ts, text="x" * 4001) == "msg_too_long"


def test_ephemeral(slack):
    """An ephemeral message is taken for a member, is not in the history and cannot be updated."""
    say = slack.client.chat_postEphemeral
    ts = say(channel=slack.channel, user=slack.person, text="contract")["message_ts"]
    assert ts not in [message["ts"] for message in slack.history()]
    error = slack.refusal(slack.client.chat_update, channel=slack.channel, ts=ts, text="x")
    assert error in ("message_not_found", "cant_update_message")


def test_permalink(slack):
    """A link to a message names its channel and its time."""
    ts = slack.post(text="contract")
    link = slack.client.chat_getPermalink(channel=slack.channel, message_ts=ts)["permalink"]
    assert f"/archives/{slack.channel}/p{ts.replace('.', '')}" in link


def test_home_tab(slack):
    """The Home tab is published with a new hash each time, and an old hash is a conflict."""
    view = {"type": "home", "blocks": [section("contract")]}
    publish = slack.client.views_publish
    first = publish(user_id=slack.person, view=view)["view"]
    second = publish(user_id=slack.person, view={**view, "blocks": [section("again")]})["view"]
    assert first["hash"] != second["hash"]
    assert slack.refusal(publish, user_id=slack.person, view=view, hash=first["hash"]) == "hash_conflict"


def test_modal_needs_a_trigger(slack):
    """A modal cannot be opened out of nothing; a wrong one is refused whatever the trigger."""
    view = {"type": "modal", "title": {"type": "plain_text", "text": "T"}, "blocks": [section()]}
    opened = slack.client.views_open
    assert slack.refusal(opened, trigger_id="1.2.abc", view=view) in ("invalid_trigger_id", "expired_trigger_id")
    view["title"]["text"] = "x" * 25
    assert slack.refusal(opened, trigger_id="1.2.abc", view=view) == "invalid_arguments"


def test_tokens(slack):
    """A wrong token and a wrong kind of token are told apart from a missing one."""
    base = slack.client.base_url
    assert slack.refusal(WebClient("xoxb-0-made-up", base_url=base).auth_test) == "invalid_auth"
    assert slack.refusal(WebClient(base_url=base).auth_test) == "not_authed"
