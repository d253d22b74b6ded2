"""Incoming webhooks of the Slack stand-in: monitoring posts as itself, and the bot hears of it."""

from __future__ import annotations

import httpx
import pytest

from playground.server import run_in_thread
from playground.slack import Workspace, create, incoming

TITLE = "[FIRING:1] made-up"


@pytest.fixture
def slack():
    """A workspace, its server's address and the path of a webhook."""
    workspace = Workspace.of(
        users=[{"id": "U0ADA", "name": "ada", "real_name": "Ada"}], channels=[{"id": "C0ONCALL", "name": "oncall"}]
    )
    server = run_in_thread(create(workspace, bot_token="xoxb-made-up"))
    yield workspace, server.url, incoming.install(workspace, "C0ONCALL")
    server.stop()


def post(url, **body):
    return httpx.post(url, json=body, trust_env=False)


def test_a_message_of_an_integration(slack):
    """Text stays empty, colours lose their names, and it is a bot's message that is not ours."""
    workspace, url, path = slack
    body = {
        "username": "Alertmanager",
        "channel": "#elsewhere",
        "attachments": [{"title": TITLE, "text": "", "color": "danger"}],
    }
    assert post(url + path, **body).text == "ok"
    (message,) = workspace.messages["C0ONCALL"]
    assert (message["subtype"], message["bot_id"], message["text"]) == ("bot_message", "B0ALERTS", "")
    assert message["attachments"] == [{"id": 1, "title": TITLE, "color": "a30200"}]
    assert "user" not in message


def test_what_slack_refuses(slack):
    """Unknown addresses, what is no object, nothing to say, archived channels: one word and its status."""
    workspace, url, path = slack
    assert (post(url + path + "x", text="x").status_code, post(url + path + "x", text="x").text) == (404, "no_service")
    for content in (b"{", b"[]", b"7"):
        assert httpx.post(url + path, content=content, trust_env=False).text == "invalid_payload"
    assert (post(url + path).status_code, post(url + path).text) == (400, "no_text")
    workspace.channels["C0ONCALL"].is_archived = True
    assert (post(url + path, text="x").status_code, post(url + path, text="x").text) == (410, "channel_is_archived")
    assert not workspace.messages
