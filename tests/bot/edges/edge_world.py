"""The real Slack edge between the strict Slack of the playground and a desk on paper."""

from __future__ import annotations

import asyncio
import json
import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

import httpx
from slack_sdk import WebClient

from bot.core.ports import Place
from bot.core.secret import Secret
from bot.edges import slack
from bot.edges.alert_channel import AlertSources
from bot.edges.manifest import manifest
from bot.edges.messenger import SlackMessenger
from bot.edges.webhooks import Keys
from bot.settings import Settings, parse
from bot.tools import slack_clients
from bot.tools.webhook_keys import bearer_check, pagerduty_check
from playground.broken import unused_port
from playground.server import Server, run_in_thread
from playground.slack import Times, Workspace, create
from tests.bot.edges.paper_desk import APPROVER, ASKER, HANDLERS, STRANGER, PaperDesk
from tests.waiting import until

CHANNEL, AWAY = "C0ONCALL", "C0AWAY"


@dataclass
class World:
    """The edge in a thread of its own, and the people of a workspace in front of it."""

    workspace: Workspace
    app: Any
    slack_port: int
    desk: PaperDesk
    port: int
    tokens: tuple[str, str, str]  # bot, app, signing secret
    stop: Callable[[], None]
    http: httpx.Client
    server: Server | None = None
    keys: dict[str, str] = field(default_factory=dict)  # of the webhooks, by source

    @property
    def api_url(self) -> str:
        return f"http://127.0.0.1:{self.slack_port}/api/"

    def open_slack(self) -> None:
        self.server = run_in_thread(self.app, self.slack_port)

    def close_slack(self) -> None:
        if self.server:
            self.server.stop()
        self.server = None

    def close(self) -> None:
        self.stop()
        self.close_slack()
        self.http.close()

    def forget(self) -> None:
        """Nothing has happened here."""
        self.desk.__init__()  # type: ignore[misc]  # the edge keeps the object; only what it knows goes
        self.workspace.faults.clear()
        for told in ("messages", "past", "ephemerals", "views", "stacks", "homes"):
            getattr(self.workspace, told).clear()

    def guard(self, canary: Any) -> None:
        for name, token in (*zip(("bot", "app", "signing"), self.tokens, strict=True), *self.keys.items()):
            canary.add(name, token)

    def person(self, doing: str, **body: Any) -> dict[str, Any]:
        answer = self.http.post(f"http://127.0.0.1:{self.slack_port}/playground/{doing}", json=body)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def command(self, text: str, *, user: str = ASKER, channel: str = CHANNEL) -> dict[str, Any]:
        name, _, rest = text.partition(" ")
        return self.person("command", user=user, channel=channel, command=name, text=rest)

    def forge(self, kind: str, payload: Any) -> dict[str, Any]:
        return self.person("forge", kind=kind, payload=payload)

    def whispers(self, user: str = ASKER, channel: str = CHANNEL) -> list[str]:
        return [whole(m) for m in self.workspace.ephemerals.get((user, channel), [])]

    def told(self, words: str, user: str = ASKER, channel: str = CHANNEL) -> str:
        """The whisper with these words in it, once it has come."""
        found: str = until(lambda: next((w for w in self.whispers(user, channel) if words in w), None))
        return found

    def modal(self, user: str) -> dict[str, Any]:
        """The modal this person sees, once it is open."""
        stack = until(lambda: self.workspace.stacks.get(user))
        return self.workspace.views[stack[-1]]

    def bot_url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def ready(self) -> bool:
        try:
            return self.http.get(self.bot_url("/readyz")).status_code == 200
        except httpx.HTTPError:
            return False


def whole(message: dict[str, Any]) -> str:
    return f"{message.get('text', '')} {message.get('blocks', '')}"


def made_workspace(**more: Any) -> Workspace:
    users = [{"id": u, "name": u[2:].lower(), "real_name": u[2:].title()} for u in (ASKER, APPROVER, STRANGER)]
    commands = [{"command": "/not-mine"}]  # of another version of the bot; the rest comes from the manifest
    channels = [{"id": CHANNEL, "name": "oncall"}, {"id": AWAY, "name": "away", "members": [ASKER, APPROVER]}]
    groups = {"S0GROUP": [APPROVER]}
    return Workspace.of(users=users, channels=channels, commands=commands, usergroups=groups, limited=False, **more)


def opened(mode: Literal["socket", "http"], *, slack_up: bool = True, limit: int = 100_000) -> World:
    bot_token, app_token, signing = (f"{kind}{secrets.token_hex(12)}" for kind in ("xoxb-", "xapp-", ""))
    port, slack_port, desk = unused_port(), unused_port(), PaperDesk()
    space = made_workspace(times=Times(ack=20, trigger=20, retries=(0.05,)))  # a busy machine is no slow bot
    document = {
        "slack": {"mode": mode, "api_url": f"http://127.0.0.1:{slack_port}/api/", "timeout": 60},
        "web": {"port": port, "body_limit": limit},
        "webhooks": {"body_limit": limit},
        "alerts": {"channels": [CHANNEL]},
    }
    keys = {source: secrets.token_hex(16) for source in ("alertmanager", "grafana", "pagerduty")}
    app = create(
        space,
        mode=mode,
        request_url=f"http://127.0.0.1:{port}/slack/events",
        signing_secret=signing,
        bot_token=bot_token,
        app_token=app_token,
        manifest=manifest(HANDLERS),
    )
    server = run_in_thread(app, slack_port) if slack_up else None
    settings = parse(document, "test")
    stop = serving(settings, desk, Secret(bot_token), Secret(app_token), Secret(signing), sources(desk, keys))
    http = httpx.Client(timeout=60, trust_env=False)
    world = World(space, app, slack_port, desk, port, (bot_token, app_token, signing), stop, http, server, keys)
    if slack_up:
        until(world.ready)
    return world


def sources(desk: PaperDesk, keys: dict[str, str]) -> AlertSources:
    """The ways alerts come in, with two keys each: the other one is being replaced."""
    both = {source: (Secret(secrets.token_hex(16)), Secret(key)) for source, key in keys.items()}
    checks = Keys(bearer_check(both["alertmanager"]), bearer_check(both["grafana"]), pagerduty_check(both["pagerduty"]))
    return AlertSources(desk, checks, recognises=lambda text: "invalid_grant" in text)


def serving(
    settings: Settings, desk: PaperDesk, bot: Secret, app: Secret, signing: Secret, alerts: AlertSources
) -> Callable[[], None]:
    """Run the edge in a thread; returns how to end it, which fails if it ended by itself."""
    loop, stop, failed = asyncio.new_event_loop(), asyncio.Event(), []

    async def run() -> None:
        await slack.serve(
            settings,
            desk,
            client=slack_clients.async_web_client(settings.slack, bot),
            stop=stop,
            verify=slack_clients.signature_check(signing),
            make_socket=slack_clients.socket(app),
            alerts=alerts,
        )

    def main() -> None:
        try:
            loop.run_until_complete(run())
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=main, name="edge", daemon=True)
    thread.start()

    def end() -> None:
        loop.call_soon_threadsafe(stop.set)
        thread.join(60)
        assert not thread.is_alive(), "the edge did not end"
        assert not failed, failed

    return end


def proposed(world: Any, thread: str | None = None) -> tuple[Any, str]:
    """A plan that waits, shown in the channel or a thread: its view and the ts of its message."""
    world.command("/rotate-demo alpha")
    world.told("Looking into it")  # stored, however busy the machine
    (view,) = world.desk.views.values()
    client = WebClient(world.tokens[0], base_url=world.api_url, retry_handlers=[])
    return view, SlackMessenger(client).post(Place(channel=CHANNEL, thread=thread), view, "key-1")


def press(world: Any, ts: str, action: str, user: str = APPROVER) -> None:
    message = world.workspace.message(CHANNEL, ts)
    block = next(b for b in message["blocks"] if b["type"] == "actions")
    answer = world.person(
        "action", user=user, channel=CHANNEL, message_ts=ts, block_id=block["block_id"], action_id=action
    )
    assert answer == {"ok": True}


def last_payload(world: Any, kind: str) -> dict[str, Any]:
    entries = [e["request"] for e in world.workspace.traffic.after(0) if e["direction"] == "to_bot"]
    return next(json.loads(json.dumps(e)) for e in reversed(entries) if e.get("type", "command") == kind)
