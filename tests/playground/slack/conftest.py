"""A workspace on loopback, a bot made with Bolt, and people, for the tests of the Slack stand-in."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import secrets
import threading
import time

import httpx
import pytest
from slack_bolt.adapter.socket_mode.websockets import AsyncSocketModeHandler
from slack_bolt.adapter.starlette.async_handler import AsyncSlackRequestHandler
from slack_bolt.app.async_app import AsyncApp
from slack_sdk import WebClient
from slack_sdk.socket_mode.websockets import SocketModeClient
from slack_sdk.web.async_client import AsyncWebClient
from starlette.applications import Starlette
from starlette.routing import Route
from websockets.sync.client import connect

from playground.server import run_in_thread
from playground.slack import Times, Workspace, create

ADA, BEN, EVE = "U0ADA", "U0BEN", "U0EVE"
ONCALL, AWAY, HIDDEN = "C0ONCALL", "C0AWAY", "C0HIDDEN"
EVENTUALLY = 60.0


class Place:
    """A running workspace: the server, its tokens, a Web API client and the people's REST."""

    def __init__(self, front, mode="socket", manifest=None, request_url=None, times=None, **more):
        self.bot_token, self.app_token = "xoxb-" + secrets.token_hex(8), "xapp-" + secrets.token_hex(8)
        self.signing_secret = secrets.token_hex(16)
        self.workspace = Workspace.of(
            users=[
                {"id": ADA, "name": "ada", "real_name": "Ada Oncall"},
                {"id": BEN, "name": "ben", "real_name": "Ben Approver"},
                {"id": EVE, "name": "eve", "real_name": "Eve Newcomer"},
            ],
            channels=[
                {"id": ONCALL, "name": "oncall", "members": [ADA, BEN, "U0HIVEKEEP"]},
                {"id": AWAY, "name": "away", "members": [ADA]},
                {"id": HIDDEN, "name": "hidden", "members": [ADA], "is_private": True},
            ],
            commands=[{"command": "/do", "should_escape": True}, {"command": "/raw"}],
            usergroups={"S0OPS": [BEN]},
            times=times or Times(),
            **more,
        )
        self.app = front.inner = create(
            self.workspace,
            mode=mode,
            request_url=request_url,
            signing_secret=self.signing_secret,
            bot_token=self.bot_token,
            app_token=self.app_token,
            manifest=manifest,
        )
        self.url = front.url
        self.client = WebClient(self.bot_token, base_url=f"{self.url}/api/", timeout=60, retry_handlers=[])
        self.people = httpx.Client(base_url=f"{self.url}/playground", timeout=60, trust_env=False, verify=False)

    def do(self, what, **body):
        """A person's doing; the answer."""
        return self.people.post(f"/{what}", json=body).json()

    def state(self, user=ADA, **more):
        return self.people.get("/state", params={"user": user, **more}).json()

    def said(self, channel=ONCALL, user=ADA):
        """The messages a person sees in a channel."""
        return self.state(user)["messages"].get(channel, [])

    def traffic(self):
        return self.people.get("/traffic").json()["entries"]

    @contextlib.contextmanager
    def stream(self, user=ADA):
        """What a person's page is told: a function that waits for an event of a kind."""
        with connect(f"{self.url.replace('http', 'ws')}/playground/stream?user={user}", proxy=None) as socket:

            def wait(kind, deadline=EVENTUALLY):
                end = time.monotonic() + deadline
                while True:
                    event = json.loads(socket.recv(timeout=max(0.01, end - time.monotonic())))
                    if event["type"] == kind:
                        return event

            yield wait

    def stop(self):
        self.people.close()


class Late:
    """An ASGI application that is told later, and anew for each test, what it is."""

    inner = None
    url = ""

    async def __call__(self, scope, receive, send):
        if scope["type"] != "lifespan":
            await self.inner(scope, receive, send)


@pytest.fixture(scope="session")
def front():
    """One server for all workspaces: starting and stopping one takes longer than most tests."""
    late = Late()
    server = run_in_thread(late)
    late.url = server.url
    yield late
    server.stop()


@pytest.fixture
def place(front):
    """Make the workspace of a test: `place(mode=…, manifest=…, times=…)`."""
    made = []

    def make(**more):
        made.append(Place(front, **more))
        return made[-1]

    yield make
    for each in made:
        each.stop()


@pytest.fixture
def until():
    """Wait until a condition holds; its value."""

    def wait(condition, deadline=EVENTUALLY):
        end = time.monotonic() + deadline
        while not (value := condition()):
            assert time.monotonic() < end, "it did not happen in time"
            time.sleep(0.01)
        return value

    return wait


class Bot:
    """A Bolt app with its own event loop."""

    def __init__(self, place, build):
        logging.getLogger("slack_bolt").setLevel(logging.CRITICAL)
        self.place = place
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        self.app = self.call(self._made(build))

    async def _made(self, build):
        client = AsyncWebClient(self.place.bot_token, base_url=f"{self.place.url}/api/", retry_handlers=[])
        app = AsyncApp(client=client, signing_secret=self.place.signing_secret)
        build(app)
        return app

    def call(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(60)

    def connect(self):
        """Open the socket; a function that closes it."""
        handler = self.call(self._connected())
        return lambda: self.call(handler.close_async())

    async def _connected(self):
        handler = AsyncSocketModeHandler(self.app, self.place.app_token, ping_interval=1)
        await handler.connect_async()
        return handler

    def extra(self, listener):
        """One more raw connection; it counts what it gets."""
        return self.call(self._extra(listener))

    async def _extra(self, listener):
        client = SocketModeClient(
            app_token=self.place.app_token,
            web_client=AsyncWebClient(base_url=f"{self.place.url}/api/"),
            auto_reconnect_enabled=False,
        )
        client.socket_mode_request_listeners.append(listener)
        await client.connect()
        return client

    def close(self):
        async def cancelled():
            tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

        self.call(cancelled())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(60)
        self.loop.close()


@pytest.fixture
def bot(until):
    """A bot in Socket Mode, connected: `bot(place, build)`, where `build(app)` adds listeners."""
    made = []

    def make(place, build, connect=True):
        one = Bot(place, build)
        one.disconnect = one.connect() if connect else lambda: None
        made.append(one)
        if connect:
            until(lambda: place.state()["bot"]["connected"])
        return one

    yield make
    for one in made:
        with contextlib.suppress(Exception):
            one.disconnect()
        one.close()


@pytest.fixture
def http_bot(place):
    """A workspace in http mode and its bot: `http_bot(build, **place)`."""
    servers = []

    def make(build, **more):
        late = Late()
        listener = run_in_thread(late)
        servers.append(listener)
        there = place(mode="http", request_url=f"{listener.url}/slack/events", **more)
        client = AsyncWebClient(there.bot_token, base_url=f"{there.url}/api/", retry_handlers=[])
        app = AsyncApp(client=client, signing_secret=there.signing_secret)
        build(app)
        handler = AsyncSlackRequestHandler(app)

        async def endpoint(request):
            return await handler.handle(request)

        late.inner = Starlette(routes=[Route("/slack/events", endpoint, methods=["POST"])])
        return there

    yield make
    for server in servers:
        server.stop()
