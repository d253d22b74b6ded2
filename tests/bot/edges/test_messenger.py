"""The sender's side of Slack: each failure becomes the right error, and no message is posted twice."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from bot.core.diagnosis import Chart, Series
from bot.core.errors import Refused, Told, Transient
from bot.core.ports import Place
from bot.core.secret import Secret
from bot.core.view import NoteView
from bot.edges.membership import SlackMembership
from bot.edges.messenger import SlackMessenger
from bot.settings import Slack
from bot.tools import slack_clients

HERE = Place(channel="C0ONCALL")
CHART = Chart(
    title="Logins <!channel>",
    unit="logins",
    series=(Series(name="jwt", points=((1.9e9, 1.0), (1.9e9 + 60, 9.0))),),
    alt="9 of 10 fail",
)
NOTE = NoteView(run="r-1", text="a line *with* <!channel>")


def messenger(world: Any, timeout: float = 60) -> SlackMessenger:
    slack = Slack(api_url=world.api_url, timeout=timeout)
    return SlackMessenger(slack_clients.web_client(slack, Secret(world.tokens[0])))


def posted(world: Any) -> list[dict[str, Any]]:
    return list(world.workspace.messages.get("C0ONCALL", []))


def test_a_message_is_posted_found_updated_and_deleted(start: Callable[..., Any]) -> None:
    """What was posted under a key is found by it, changes with its blocks, and is gone after deletion."""
    world = start("http")
    bot = messenger(world)
    ts = bot.post(HERE, NOTE, "k-1")
    assert bot.find(HERE, "k-1") == ts
    assert bot.find(HERE, "k-2") is None
    bot.update(HERE, ts, NoteView(run="r-1", text="another line"))
    (message,) = posted(world)
    assert "another line" in message["text"]
    assert "another line" in str(message["blocks"])
    bot.delete(HERE, ts)
    bot.delete(HERE, ts)
    assert not posted(world)


def test_a_reply_is_found_in_its_thread(start: Callable[..., Any]) -> None:
    """Replies are looked for in the thread, not in the channel."""
    world = start("http")
    bot = messenger(world)
    thread = Place(channel="C0ONCALL", thread=bot.post(HERE, NOTE, "head"))
    ts = bot.post(thread, NOTE, "reply")
    assert bot.find(thread, "reply") == ts
    assert bot.find(thread, "other") is None


def test_a_post_whose_answer_was_lost_is_found(start: Callable[..., Any]) -> None:
    """Slack took the message and the connection broke: one Transient, one message, and `find` knows its ts."""
    world = start("http")
    world.workspace.faults.add("chat.postMessage", "cut", count=1)
    with pytest.raises(Transient):
        messenger(world).post(HERE, NOTE, "k-1")
    (message,) = posted(world)
    assert messenger(world).find(HERE, "k-1") == message["ts"]


@pytest.mark.parametrize("kind", ["error500", "down", "ratelimited"])
def test_passing_trouble_is_transient(start: Callable[..., Any], kind: str) -> None:
    """Errors of Slack's own are for trying again; a 429 says when."""
    world = start("http")
    world.workspace.faults.add("chat.postMessage", kind, count=1, seconds=7 if kind == "ratelimited" else None)
    with pytest.raises(Transient) as caught:
        messenger(world).post(HERE, NOTE, "k-1")
    assert caught.value.after == (7 if kind == "ratelimited" else None)
    assert not posted(world)


def test_a_slow_slack_is_transient(start: Callable[..., Any]) -> None:
    """The call ends at its timeout."""
    world = start("http")
    world.workspace.faults.add("chat.postMessage", "slow", count=1, seconds=30)
    with pytest.raises(Transient):
        messenger(world, timeout=1).post(HERE, NOTE, "k-1")


@pytest.mark.parametrize(
    ("channel", "words"), [("C0AWAY", "/invite"), ("C0NOWHERE", "/invite"), ("C0ONCALL", "permission")]
)
def test_refusals_name_the_cure(start: Callable[..., Any], channel: str, words: str) -> None:
    """Not in the channel, no such channel, no scope: each says what to do, and is not tried again."""
    world = start("http")
    scopes = world.workspace.scopes
    try:
        if words == "permission":
            world.workspace.scopes = scopes - {"chat:write"}
        with pytest.raises(Refused, match=words):
            messenger(world).post(Place(channel=channel), NOTE, "k-1")
    finally:
        world.workspace.scopes = scopes


def test_a_revoked_token_is_refused(start: Callable[..., Any], canary: Any) -> None:
    """A wrong token is told as such, and is nowhere in the sentence."""
    world = start("http")
    slack = Slack(api_url=world.api_url)
    wrong = f"xoxb-{canary('wrong')}"
    with pytest.raises(Refused, match="token") as caught:
        SlackMessenger(slack_clients.web_client(slack, Secret(wrong))).post(HERE, NOTE, "k-1")
    assert wrong not in str(caught.value)


def test_membership_is_read_from_slack(start: Callable[..., Any]) -> None:
    """The people of a user group; sentences for a group that is none and a workspace without groups."""
    world = start("http")
    client = slack_clients.web_client(Slack(api_url=world.api_url), Secret(world.tokens[0]))
    members = SlackMembership(client)
    assert members.of("S0GROUP") == {"U0APPROVER"}
    with pytest.raises(Refused, match="user group"):
        members.of("S0OTHER")
    with pytest.raises(Refused, match="settings"):
        members.of("oncall")
    world.workspace.paid = False
    try:
        with pytest.raises(Refused, match="paid Slack plan"):
            members.of("S0GROUP")
    finally:
        world.workspace.paid = True


GARBAGE = [
    (200, "text/html", b"<html>proxy says no xoxb-secret-in-page</html>"),
    (200, "application/json", b"[1, 2]"),
    (200, "application/json", b'"ok"'),
    (200, "application/json", b"{"),
    (200, "application/json", b""),
    (200, "application/json", b'{"ok": false}'),
    (200, "application/json", b'{"ok": false, "error": {"nested": "xoxb-secret"}}'),
    (200, "application/json", b'{"ok": false, "error": "xoxb-secret <!channel>"}'),
    (404, "text/plain", b"not found"),
    (502, "text/html", b"bad gateway"),
    (429, "text/plain", b"slow down"),
    (200, "application/json", b"\xff\xfe"),
]


@pytest.fixture
def garbage() -> Iterator[Callable[[int, str, bytes], str]]:
    """`garbage(status, type, body)` is the address of a server that answers so to everything."""
    servers: list[ThreadingHTTPServer] = []

    def of(status: int, media: str, body: bytes) -> str:
        class Answer(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers.get("content-length", 0)))
                self.send_response(status)
                self.send_header("content-type", media)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:
                return

        server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
        servers.append(server)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return f"http://127.0.0.1:{server.server_address[1]}/api/"

    yield of
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(("status", "media", "body"), GARBAGE)
def test_garbage_is_told_in_our_own_words(garbage: Callable[..., str], status: int, media: str, body: bytes) -> None:
    """Whatever stands in Slack's place answers, an error of ours comes out, and none of its text."""
    client = slack_clients.web_client(Slack(api_url=garbage(status, media, body)), Secret("xoxb-made-up"))
    for call in (
        lambda: SlackMessenger(client).post(HERE, NOTE, "k"),
        lambda: SlackMessenger(client).find(HERE, "k"),
        lambda: SlackMembership(client).of("S0GROUP"),
    ):
        with pytest.raises(Told) as caught:
            call()
        said = json.dumps([caught.value.what, caught.value.now, str(caught.value)])
        assert "secret" not in said
        assert "<" not in said
        assert caught.value.__cause__ is None


def test_a_picture_is_uploaded_into_the_thread_and_found(start: Callable[..., Any]) -> None:
    """It is a PNG under the chart's title, described in words, in the thread, and found again by its key."""
    world = start("http")
    slack = messenger(world)
    thread = Place(channel="C0ONCALL", thread=slack.post(HERE, NOTE, "i-1/head"))
    assert slack.find(thread, "i-1/chart-2") is None
    slack.upload(thread, CHART, "i-1/chart-2")
    message = posted(world)[-1]
    (file,) = message["files"]
    assert message["thread_ts"] == thread.thread
    assert (file["title"], file["mimetype"]) == ("Logins ‹!channel›", "image/png")
    assert world.http.get(file["url_private"]).content.startswith(b"\x89PNG")
    assert slack.find(thread, "i-1/chart-2") == message["ts"]
    assert slack.find(thread, "i-1/chart-1") is None
    asked = next(e for e in world.workspace.traffic.after(0) if e["what"] == "files.getUploadURLExternal")
    assert asked["request"]["alt_txt"] == "9 of 10 fail"


def test_an_upload_that_breaks_is_told_and_leaves_nothing(start: Callable[..., Any]) -> None:
    """Slack fails at the last step: the error is for another try, and no message with a file is there."""
    world = start("http")
    world.person("fault", method="files.completeUploadExternal", kind="error500", count=1)
    with pytest.raises(Transient):
        messenger(world).upload(HERE, CHART, "i-1/chart-1")
    assert not posted(world)
    with pytest.raises(Refused):
        messenger(world).upload(Place(channel="C0AWAY"), CHART, "i-1/chart-1")
