"""The Web API, driven by the real slack_sdk."""

from __future__ import annotations

import pytest
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError
from slack_sdk.webhook import WebhookClient

ADA, BEN, EVE = "U0ADA", "U0BEN", "U0EVE"
ONCALL, AWAY, HIDDEN = "C0ONCALL", "C0AWAY", "C0HIDDEN"
SECTION = [{"type": "section", "text": {"type": "mrkdwn", "text": "Hello"}}]


def refused(call, **args):
    """The error that Slack answers to a call."""
    with pytest.raises(SlackApiError) as error:
        call(**args)
    return error.value.response["error"]


def test_identity_and_tokens(place):
    """auth.test says who the bot is; no token, a wrong one and the app's are refused by name."""
    there = place()
    assert there.client.auth_test()["user_id"] == "U0HIVEKEEP"
    base = f"{there.url}/api/"
    assert refused(WebClient(base_url=base).auth_test) == "not_authed"
    assert refused(WebClient("xoxb-other", base_url=base).auth_test) == "invalid_auth"
    assert refused(WebClient(there.app_token, base_url=base).auth_test) == "not_allowed_token_type"
    assert refused(there.client.apps_connections_open, app_token=there.bot_token) == "not_allowed_token_type"
    assert refused(there.client.api_call, api_method="chat.shout") == "unknown_method"


def test_scopes_of_the_manifest(place):
    """Only what the manifest asks for is allowed, and the answer names what is missing."""
    there = place(manifest={"oauth_config": {"scopes": {"bot": ["chat:write"]}}})
    assert there.client.chat_postMessage(channel=ONCALL, text="x")["ok"]
    with pytest.raises(SlackApiError) as error:
        there.client.users_info(user=ADA)
    assert error.value.response["error"] == "missing_scope"
    assert error.value.response["needed"] == "users:read"
    assert refused(there.client.views_publish, user_id=ADA, view={"type": "home", "blocks": []}) == "not_enabled"


def test_where_the_bot_may_write(place):
    """Foreign public channels, private ones, archived ones and unknown ones are refused each by its own name."""
    there = place()
    post = there.client.chat_postMessage
    assert refused(post, channel=AWAY, text="x") == "not_in_channel"
    assert refused(post, channel=HIDDEN, text="x") == "channel_not_found"
    assert refused(post, channel="C0NOWHERE", text="x") == "channel_not_found"
    assert refused(there.client.api_call, api_method="chat.postMessage", json={"channel": ONCALL}) == "no_text"
    assert refused(there.client.api_call, api_method="chat.postMessage", json={"text": "x"}) == "invalid_arguments"
    there.client.conversations_join(channel=AWAY)
    assert post(channel=AWAY, text="x")["ok"]
    there.workspace.channels[AWAY].is_archived = True
    assert refused(post, channel=AWAY, text="x") == "is_archived"


def test_public_channels_without_joining(place):
    """With chat:write.public the bot may post where it is not, but not in private."""
    there = place(manifest={"oauth_config": {"scopes": {"bot": ["chat:write", "chat:write.public"]}}})
    assert there.client.chat_postMessage(channel=AWAY, text="x")["ok"]
    assert refused(there.client.chat_postMessage, channel=HIDDEN, text="x") == "channel_not_found"


def test_text_only_update_keeps_blocks(place):
    """An update with text alone leaves the old blocks; an empty list takes them away."""
    there = place()
    ts = there.client.chat_postMessage(channel=ONCALL, text="x", blocks=SECTION)["ts"]
    there.client.chat_update(channel=ONCALL, ts=ts, text="y")
    (message,) = there.said()
    assert message["text"] == "y"
    assert message["blocks"][0]["text"]["text"] == "Hello"
    assert message["blocks"][0]["block_id"]
    there.client.chat_update(channel=ONCALL, ts=ts, text="z", blocks=[])
    assert there.said()[0]["blocks"] == []


def test_what_the_bot_may_change(place):
    """Only its own messages, only existing ones, only within the length of an update."""
    there = place()
    theirs = there.do("message", user=ADA, channel=ONCALL, text="mine")["ts"]
    own = there.client.chat_postMessage(channel=ONCALL, text="x")["ts"]
    update = there.client.chat_update
    assert refused(update, channel=ONCALL, ts=theirs, text="x") == "cant_update_message"
    assert refused(update, channel=ONCALL, ts="1.000001", text="x") == "message_not_found"
    assert refused(update, channel=ONCALL, ts=own, text="x" * 4001) == "msg_too_long"
    assert refused(there.client.chat_delete, channel=ONCALL, ts=theirs) == "cant_delete_message"
    there.client.chat_delete(channel=ONCALL, ts=own)
    assert [message["ts"] for message in there.said()] == [theirs]


def test_invalid_blocks_name_the_place(place):
    """A refused block comes with a JSON pointer, in both places where clients look."""
    there = place()
    with pytest.raises(SlackApiError) as error:
        there.client.chat_postMessage(channel=ONCALL, text="x", blocks=[{"type": "sections"}])
    answer = error.value.response
    assert answer["error"] == "invalid_blocks"
    assert answer["errors"] == ["unsupported type: sections [json-pointer:/blocks/0/type]"]
    assert answer["response_metadata"]["messages"][0].endswith("[json-pointer:/blocks/0/type]")
    bad = there.client.api_call
    assert refused(bad, api_method="chat.postMessage", data={"channel": ONCALL, "blocks": "["}) == (
        "invalid_blocks_format"
    )


def test_threads(place):
    """Replies count at their parent, are left out of the history, and need a parent that is one."""
    there = place()
    post = there.client.chat_postMessage
    parent = post(channel=ONCALL, text="parent")["ts"]
    reply = post(channel=ONCALL, text="reply", thread_ts=parent)["ts"]
    assert refused(post, channel=ONCALL, text="x", thread_ts="1.000001") == "thread_not_found"
    assert refused(post, channel=ONCALL, text="x", thread_ts=reply) == "cannot_reply_to_message"
    history = there.client.conversations_history(channel=ONCALL)["messages"]
    assert [(m["text"], m["reply_count"]) for m in history] == [("parent", 1)]
    replies = there.client.conversations_replies(channel=ONCALL, ts=parent)["messages"]
    assert [message["text"] for message in replies] == ["parent", "reply"]
    link = there.client.chat_getPermalink(channel=ONCALL, message_ts=reply)["permalink"]
    assert f"thread_ts={parent}" in link
    assert refused(there.client.conversations_replies, channel=ONCALL, ts="1.000001") == "thread_not_found"


def test_history_in_pages(place):
    """Pages go from the newest to the oldest, by cursor, within bounds of time."""
    there = place()
    times = [there.client.chat_postMessage(channel=ONCALL, text=str(n))["ts"] for n in range(4)]
    pages = there.client.conversations_history(channel=ONCALL, limit=3)
    assert [[m["text"] for m in page["messages"]] for page in pages] == [["3", "2", "1"], ["0"]]
    late = there.client.conversations_history(channel=ONCALL, oldest=times[1], latest=times[3])["messages"]
    assert [m["text"] for m in late] == ["2"]
    both = there.client.conversations_history(channel=ONCALL, oldest=times[1], latest=times[3], inclusive=True)
    assert [m["text"] for m in both["messages"]] == ["3", "2", "1"]
    assert refused(there.client.conversations_history, channel=ONCALL, limit=1000) == "invalid_limit"
    assert refused(there.client.conversations_history, channel=AWAY) == "not_in_channel"


def test_ephemerals_are_fleeting(place):
    """One member sees it; nobody else does; no method finds or changes it; a reload ends it."""
    there = place()
    say = there.client.chat_postEphemeral
    ts = say(channel=ONCALL, user=ADA, text="psst")["message_ts"]
    assert [m["text"] for m in there.said()] == ["psst"]
    assert there.said(user=BEN) == []
    assert refused(there.client.chat_update, channel=ONCALL, ts=ts, text="x") == "message_not_found"
    assert there.client.conversations_history(channel=ONCALL)["messages"] == []
    assert refused(say, channel=ONCALL, user=EVE, text="x") == "user_not_in_channel"
    assert refused(say, channel=AWAY, user=ADA, text="x") == "not_in_channel"
    assert there.state(ADA, reload=1)["messages"][ONCALL] == []
    assert there.said() == []


def test_directory(place):
    """People, channels, members, groups and the bot itself are found, unknown ones refused."""
    there = place()
    client = there.client
    assert client.users_info(user=ADA)["user"]["real_name"] == "Ada Oncall"
    assert refused(client.users_info, user="U0NOBODY") == "user_not_found"
    assert {user["id"] for user in client.users_list()["members"]} >= {ADA, BEN, EVE}
    assert {c["name"] for c in client.conversations_list()["channels"]} == {"oncall", "away"}
    assert client.conversations_info(channel=AWAY)["channel"]["is_member"] is False
    assert refused(client.conversations_info, channel=HIDDEN) == "channel_not_found"
    assert ADA in client.conversations_members(channel=ONCALL)["members"]
    assert client.usergroups_list(include_users=True)["usergroups"][0]["users"] == [BEN]
    assert client.usergroups_users_list(usergroup="S0OPS")["users"] == [BEN]
    assert refused(client.usergroups_users_list, usergroup="S0NONE") == "no_such_subteam"
    there.workspace.paid = False
    assert refused(client.usergroups_users_list, usergroup="S0OPS") == "plan_upgrade_required"
    bot = client.auth_test()["bot_id"]
    assert client.bots_info(bot=bot)["bot"]["user_id"] == "U0HIVEKEEP"


def test_direct_messages(place):
    """A message to a person's id lands in their direct messages with the bot, which others do not see."""
    there = place()
    channel = there.client.chat_postMessage(channel=ADA, text="for you")["channel"]
    assert channel == there.client.conversations_open(users=[ADA])["channel"]["id"]
    assert there.said(channel)[0]["text"] == "for you"
    assert channel not in there.state(BEN)["messages"]


def test_upload(place):
    """files_upload_v2 puts a file into a channel where it can be fetched."""
    there = place()
    there.client.files_upload_v2(channel=ONCALL, content="all of it", filename="plan.txt", initial_comment="See:")
    (message,) = there.said()
    assert message["text"] == "See:"
    assert message["files"][0]["size"] == len("all of it")
    assert there.people.get(message["files"][0]["url_private"]).text == "all of it"
    assert refused(there.client.files_completeUploadExternal, files=[{"id": "F0NONE"}]) == "file_not_found"


def test_reactions(place):
    """A reaction shows on the message, once."""
    there = place()
    ts = there.client.chat_postMessage(channel=ONCALL, text="x")["ts"]
    there.client.reactions_add(channel=ONCALL, timestamp=ts, name="eyes")
    assert there.said()[0]["reactions"][0]["count"] == 1
    assert refused(there.client.reactions_add, channel=ONCALL, timestamp=ts, name="eyes") == "already_reacted"


def test_response_url(place):
    """It answers in secret or openly, replaces and deletes the original, five times and for half an hour."""
    there = place()
    ts = there.client.chat_postMessage(channel=ONCALL, text="original", blocks=SECTION)["ts"]
    space = there.workspace
    url = WebhookClient(space.response_url(ONCALL, ADA, ts))
    assert url.send(text="secret").body == "ok"
    assert url.send(text="open", response_type="in_channel").status_code == 200
    assert url.send(text="new", replace_original=True).status_code == 200
    assert [m["text"] for m in there.said(user=BEN)] == ["new", "open"]
    assert there.said()[0]["blocks"] == []
    assert url.send(blocks=[{"type": "sections"}]).body == "invalid_blocks"
    assert url.send_dict({"delete_original": True}).status_code == 200
    assert url.send(text="fifth").status_code == 200
    used = url.send(text="sixth")
    assert (used.status_code, used.body) == (404, "used_url")
    assert [m["text"] for m in there.said()] == ["secret", "open", "fifth"]
    late = WebhookClient(space.response_url(ONCALL, ADA, ts))
    now = space.clock
    space.clock = lambda: now() + 1801
    assert late.send(text="late").body == "expired_url"


def test_response_url_of_an_ephemeral(place):
    """The original of an ephemeral message can be replaced and deleted through its response_url only."""
    there = place()
    ts = there.client.chat_postEphemeral(channel=ONCALL, user=ADA, text="psst")["message_ts"]
    url = WebhookClient(there.workspace.response_url(ONCALL, ADA, ts))
    url.send(text="louder", replace_original=True)
    assert [m["text"] for m in there.said()] == ["louder"]
    url.send_dict({"delete_original": True})
    assert there.said() == []


def test_traffic_is_masked(place):
    """The inspector shows what was asked and answered, never a token."""
    there = place()
    there.client.chat_postMessage(channel=ONCALL, text=f"the token is {there.bot_token}")
    refused(there.client.chat_postMessage, channel=AWAY, text="x")
    entries = [entry for entry in there.traffic() if entry["direction"] == "to_slack"]
    assert [(e["what"], e["status"]) for e in entries] == [
        ("chat.postMessage", "ok"),
        ("chat.postMessage", "not_in_channel"),
    ]
    assert there.bot_token not in str(entries)
    later = there.people.get("/traffic", params={"after": entries[-1]["n"]}).json()["entries"]
    assert all(entry["n"] > entries[-1]["n"] for entry in later)


def test_kinds_of_channels(place):
    """Each kind of channel has its own scope, for its description and for what was said in it."""
    scopes = ["channels:read", "channels:history", "chat:write", "im:write"]
    there = place(manifest={"oauth_config": {"scopes": {"bot": scopes}}})
    there.workspace.channels[HIDDEN].members.append("U0HIVEKEEP")
    client = there.client
    direct = client.conversations_open(users=[ADA])["channel"]["id"]
    for channel in (HIDDEN, direct):
        assert refused(client.conversations_info, channel=channel) == "missing_scope"
        assert refused(client.conversations_members, channel=channel) == "missing_scope"
        assert refused(client.conversations_history, channel=channel) == "missing_scope"
    assert refused(client.conversations_list, types="public_channel,private_channel") == "missing_scope"
    assert refused(client.conversations_list, types="rooms") == "invalid_types"
    there.workspace.scopes |= {"groups:read", "groups:history", "im:read", "im:history"}
    assert client.conversations_info(channel=direct)["channel"]["user"] == ADA
    assert client.conversations_info(channel=HIDDEN)["channel"]["is_private"] is True
    assert client.conversations_history(channel=HIDDEN)["messages"] == []
    listed = client.conversations_list(types="public_channel,private_channel,im")["channels"]
    assert {c["id"] for c in listed} == {ONCALL, AWAY, HIDDEN, direct}


def test_conversations_that_cannot_be(place):
    """Nobody, strangers and groups cannot be written to directly; private channels cannot be joined."""
    there = place()
    client = there.client
    assert refused(client.conversations_open, users=[]) == "users_list_not_supplied"
    assert refused(client.conversations_open, users=["U0NOBODY"]) == "user_not_found"
    assert refused(client.conversations_open, users=[ADA, BEN]) == "method_not_supported_for_channel_type"
    assert refused(client.chat_postMessage, channel="U0NOBODY", text="x") == "channel_not_found"
    assert refused(client.conversations_join, channel=HIDDEN) == "channel_not_found"
    assert refused(client.conversations_history, channel=ONCALL, cursor="x") == "invalid_cursor"
    assert refused(client.conversations_history, channel=ONCALL, oldest="x") == "invalid_arguments"
    assert client.chat_postMessage(channel="#oncall", text="by its name")["channel"] == ONCALL


def test_uploads_that_fail(place):
    """An upload needs a length that is a number and is kept, goes to its address once, and into a known channel."""
    there = place()
    client = there.client
    for length in (0, "many"):
        assert refused(client.files_getUploadURLExternal, filename="x", length=length) == "invalid_arguments"
    target = client.files_getUploadURLExternal(filename="x.bin", length=2)
    files = [{"id": target["file_id"]}]
    assert refused(client.files_completeUploadExternal, files=files) == "file_not_found"
    assert there.people.post(target["upload_url"], content=b"abc").status_code == 400
    assert there.people.post(target["upload_url"], content=b"ab").status_code == 200
    assert there.people.post(target["upload_url"], content=b"ab").status_code == 404
    assert there.people.get(f"{there.url}/files/{target['file_id']}/x.bin").status_code == 404
    assert refused(client.files_completeUploadExternal, files=files, channel_id=AWAY) == "not_in_channel"
    done = client.files_completeUploadExternal(files=files)["files"][0]
    assert done["mimetype"] == "application/octet-stream"


def test_bodies_that_are_no_calls(place):
    """JSON that is none, or no object, is refused by name; a wrong kind of argument is not a crash."""
    there = place()
    head = {"authorization": f"Bearer {there.bot_token}", "content-type": "application/json"}

    def error(body):
        answer = there.people.post(f"{there.url}/api/chat.postMessage", content=body, headers=head)
        return answer.json()["error"]

    assert error("{") == "invalid_json"
    assert error("[]") == "json_not_object"
    assert error('{"channel": 5, "text": true}') == "channel_not_found"
    assert error('{"channel": ["C0ONCALL"], "attachments": 1}') == "invalid_attachments"
    assert there.people.get("/traffic", params={"after": "x"}).status_code == 400
    assert there.people.post("/message", content="{").status_code == 400
    assert there.people.get("/state", params={"user": "U0NOBODY"}).status_code == 404
