"""Events, their repetition, and the connections they travel on."""

from __future__ import annotations

import contextlib
import hashlib
import hmac

import httpx
import pytest
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_sdk.socket_mode.response import SocketModeResponse
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from playground.slack import Times
from playground.slack.http_mode import signed

ADA, BEN, EVE = "U0ADA", "U0BEN", "U0EVE"
ONCALL, AWAY = "C0ONCALL", "C0AWAY"
SOON = Times(ack=0.2, retries=(0.0, 0.05, 0.1), refresh_grace=0.3)


def test_subscribed_events(place, bot, until):
    """The bot hears messages and mentions in its channels, escaped and with references, and nothing from elsewhere."""
    seen = []

    def build(app):
        @app.event("message")
        async def message(event):
            seen.append(event)

        @app.event("app_mention")
        async def mention(event):
            seen.append(event)

    there = place()
    bot(there, build)
    there.do("message", user=ADA, channel=AWAY, text="not for you")
    there.do("message", user=ADA, channel=ONCALL, text="a <b> & @ben")
    there.do("message", user=ADA, channel=ONCALL, text="@hivekeeper help")
    until(lambda: len(seen) == 3)
    texts = sorted((event["type"], event["text"]) for event in seen)
    assert texts == [
        ("app_mention", "<@U0HIVEKEEP> help"),
        ("message", "<@U0HIVEKEEP> help"),
        ("message", f"a &lt;b&gt; &amp; <@{BEN}>"),
    ]
    assert seen[0]["channel_type"] == "channel"


def test_events_of_the_manifest(place, bot, until):
    """Events that are not subscribed to, or whose scope is missing, do not come."""
    bot_events = ["app_home_opened", "message.channels"]
    manifest = {
        "oauth_config": {"scopes": {"bot": ["commands", "chat:write"]}},
        "settings": {"event_subscriptions": {"bot_events": bot_events}},
    }
    there = place(manifest=manifest)
    assert there.workspace.events == {"app_home_opened"}
    there.do("message", user=ADA, channel=ONCALL, text="@hivekeeper")
    there.do("home", user=ADA)
    until(lambda: any(entry["direction"] == "to_bot" for entry in there.traffic()))
    assert {entry["what"] for entry in there.traffic()} == {"app_home_opened"}


def test_event_repeated_over_a_socket(place, bot, until):
    """An event that nobody acknowledges comes four times, the later ones marked, with the same event_id."""
    there, seen = place(times=SOON), []

    async def mute(client, request):
        seen.append(request)

    one = bot(there, lambda app: None, connect=False)
    one.extra(mute)
    until(lambda: there.state()["bot"]["connected"])
    there.do("home", user=ADA)
    until(lambda: len(seen) == 4)
    assert [(r.retry_attempt, r.retry_reason) for r in seen] == [(0, ""), *((n, "timeout") for n in (1, 2, 3))]
    assert len({r.payload["event_id"] for r in seen}) == 1
    assert len({r.envelope_id for r in seen}) == 4


@pytest.mark.parametrize(("stop", "times"), [(False, 4), (True, 1)])
def test_event_repeated_over_http(place, until, stop, times):
    """A refused event comes again with its number and reason, unless the answer says not to."""
    from starlette.applications import Starlette
    from starlette.responses import PlainTextResponse
    from starlette.routing import Route

    from playground.server import run_in_thread

    seen = []

    async def refuse(request):
        seen.append((request.headers, await request.body()))
        return PlainTextResponse("", 500, {"X-Slack-No-Retry": "1"} if stop else {})

    listener = run_in_thread(Starlette(routes=[Route("/events", refuse, methods=["POST"])]))
    try:
        there = place(mode="http", request_url=f"{listener.url}/events", times=Times(retries=(0.0, 0.05, 0.1)))
        there.do("home", user=ADA)
        until(lambda: len(there.traffic()) == times)
        numbers = [headers.get("x-slack-retry-num") for headers, _ in seen]
        assert numbers == [None, "1", "2", "3"][:times]
        assert {headers.get("x-slack-retry-reason") for headers, _ in seen[1:]} <= {"http_error"}
        for headers, body in seen:
            stamp = headers["x-slack-request-timestamp"]
            mac = hmac.new(there.signing_secret.encode(), f"v0:{stamp}:".encode() + body, hashlib.sha256)
            assert headers["x-slack-signature"] == "v0=" + mac.hexdigest()
    finally:
        listener.stop()


def test_bolt_believes_only_its_signature(http_bot):
    """Bolt takes what is signed with the right secret now, and refuses another secret and an old time."""
    there = http_bot(lambda app: None)
    url = there.app.state.delivery.transport.url
    body = b'{"type":"event_callback","event":{"type":"x"}}'

    def status(secret, at=None):
        headers = {**signed(secret, body, at), "content-type": "application/json"}
        return httpx.post(url, content=body, headers=headers, trust_env=False).status_code

    assert status("wrong") == 401
    assert status(there.signing_secret, at=1_000_000_000) == 401
    assert status(there.signing_secret) != 401


def test_each_payload_to_one_connection(place, bot, until):
    """Two connections of the bot share the payloads; none comes twice."""
    there, seen = place(), []

    def noting(name):
        async def note(client, request):
            seen.append((name, request.payload["event_id"]))
            await client.send_socket_mode_response(SocketModeResponse(envelope_id=request.envelope_id))

        return note

    one = bot(there, lambda app: None, connect=False)
    one.extra(noting("first"))
    one.extra(noting("second"))
    until(lambda: there.state()["bot"]["connected"])
    for _ in range(6):
        there.do("home", user=ADA)
    until(lambda: len(seen) == 6)
    assert len({event for _, event in seen}) == 6
    assert {name for name, _ in seen} == {"first", "second"}


def test_connection_addresses(place):
    """An address works once; the first word on it is hello; the eleventh connection is sent away."""
    there = place()

    def address():
        return there.client.apps_connections_open(app_token=there.app_token)["url"]

    used = address()
    with contextlib.ExitStack() as open_ones:
        for link in (used, *(address() for _ in range(9))):
            assert '"hello"' in open_ones.enter_context(connect(link, proxy=None)).recv(60)
        with pytest.raises(InvalidStatus), connect(used, proxy=None):
            pass
        eleventh = open_ones.enter_context(connect(address(), proxy=None))
        assert "too_many_websockets" in eleventh.recv(60)


@pytest.mark.parametrize("client", ["websockets", "aiohttp"])
def test_refresh(place, bot, until, client):
    """Asked to come again, both of the SDK's clients reconnect and payloads arrive as before."""
    there, seen = place(times=Times(refresh_grace=0.3)), []

    def build(app):
        @app.command("/do")
        async def command(ack):
            seen.append(1)
            await ack()

    one = bot(there, build, connect=client == "websockets")
    if client == "aiohttp":

        async def connected():
            handler = AsyncSocketModeHandler(one.app, there.app_token, ping_interval=1)
            await handler.connect_async()
            return handler

        handler = one.call(connected())
        one.disconnect = lambda: one.call(handler.close_async())
        until(lambda: there.state()["bot"]["connected"])
    there.do("refresh")
    until(lambda: there.state()["bot"]["connected"])
    until(lambda: there.do("command", user=ADA, channel=ONCALL, command="/do", text="") == {"ok": True})
    assert len(seen) == 1


def test_outage_and_recovery(place, bot, until):
    """When Slack goes down the bot's socket breaks and commands fail; afterwards the bot is back by itself."""
    there = place()

    def build(app):
        @app.command("/do")
        async def command(ack):
            await ack()

    bot(there, build)
    there.workspace.faults.add("*", "down", seconds=60)
    until(lambda: not there.state()["bot"]["connected"])
    command = {"user": ADA, "channel": ONCALL, "command": "/do", "text": ""}
    assert there.do("command", **command)["error"] == "dispatch_failed"
    there.workspace.faults.clear()
    until(lambda: there.state()["bot"]["connected"])
    assert there.do("command", **command) == {"ok": True}


def test_stream(place, until):
    """A page hears of messages, changes, deletions, ephemerals, views and Home tabs of its own person only."""
    there = place()
    client = there.client
    with there.stream(ADA) as ada, there.stream(EVE) as eve:
        ts = client.chat_postMessage(channel=ONCALL, text="x")["ts"]
        assert ada("message")["message"]["ts"] == ts
        client.chat_update(channel=ONCALL, ts=ts, text="y")
        assert ada("message_changed")["message"]["text"] == "y"
        client.chat_delete(channel=ONCALL, ts=ts)
        assert ada("message_deleted")["ts"] == ts
        client.chat_postEphemeral(channel=ONCALL, user=ADA, text="psst")
        assert ada("ephemeral")["message"]["ephemeral"] is True
        view = {"type": "modal", "title": {"type": "plain_text", "text": "T"}, "blocks": []}
        opened = client.views_open(trigger_id=there.workspace.trigger(ADA), view=view)["view"]
        assert ada("view_opened")["view"]["id"] == opened["id"]
        client.views_update(view_id=opened["id"], view=view)
        assert ada("view_updated")["view"]["id"] == opened["id"]
        there.do("close", user=ADA, view_id=opened["id"])
        assert ada("view_closed")["view_id"] == opened["id"]
        client.views_publish(user_id=ADA, view={"type": "home", "blocks": []})
        assert ada("home")["view"]["type"] == "home"
        there.workspace.emit({"type": "world", "facts": {"n": 1}})
        assert eve("world")["facts"] == {"n": 1}
        with pytest.raises((TimeoutError, ConnectionClosed)):
            eve("message", deadline=0.05)


def test_garbage_on_the_socket(place, until):
    """Text that is no acknowledgement is ignored; the connection stays."""
    there = place(times=SOON)
    address = there.client.apps_connections_open(app_token=there.app_token)["url"]
    with connect(address, proxy=None) as socket:
        socket.recv(60)
        for text in ("[]", "no json", '{"envelope_id": 5}'):
            socket.send(text)
        there.do("home", user=ADA)
        assert "app_home_opened" in socket.recv(60)
        assert there.state()["bot"]["connected"]
