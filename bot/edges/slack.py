"""Slack's side of the bot, put together and run: Bolt, its listeners, the connection and the HTTP server."""

from __future__ import annotations

import asyncio
import logging
import sys
import time
from collections.abc import Callable, Mapping

from slack_bolt.adapter.socket_mode.websockets import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_sdk.web.async_client import AsyncWebClient

from bot.core.desk import Desk
from bot.core.errors import Refused, Told
from bot.edges import web
from bot.edges.alert_channel import AlertChannel, AlertSources
from bot.edges.connection import Connection
from bot.edges.guarded import GuardedApp
from bot.edges.listeners import Listeners
from bot.edges.metrics import Metrics
from bot.edges.parts import Parts
from bot.edges.signature import Door, Verify
from bot.edges.threads import Threads
from bot.edges.webhooks import Webhooks
from bot.edges.whisper import Whisper
from bot.settings import Settings

# Seconds a busy thread may keep the interpreter. An acknowledgement changes threads a dozen times (one per statement
# of its transaction); at Python's 5 ms each it would stand behind the engine's work at every change.
SWITCH_EVERY = 0.0005
BOLT = logging.getLogger("slack_bolt")
INTAKE = 4  # threads that store alerts: a storm of them leaves the other threads to people
MakeSocket = Callable[[AsyncApp], AsyncSocketModeHandler]


def bolt(client: AsyncWebClient, parts: Parts, alerts: AlertChannel | None = None) -> AsyncApp:
    """The Bolt app with our listeners.

    Answers when the listener has returned (`process_before_response`), since Bolt's other way looks for an answer
    only every ten milliseconds. Signatures are checked by bot.edges.signature. The token is taken as it is:
    bot.edges.connection checks it once instead of the first person waiting for that.
    """
    BOLT.setLevel(logging.CRITICAL)  # it logs whole payloads; listeners' failures are logged by ours

    async def authorize() -> AuthorizeResult:
        return AuthorizeResult(enterprise_id=None, team_id=None, bot_token=client.token)

    listeners = Listeners(parts, alerts)
    app = GuardedApp(
        listeners.unreadable,
        name="hivekeeper",
        logger=BOLT,
        client=client,
        authorize=authorize,
        process_before_response=True,
        request_verification_enabled=False,
        ssl_check_enabled=False,
        attaching_function_token_enabled=False,
        attaching_conversation_kwargs_enabled=False,
        raise_error_for_unhandled_request=True,
    )
    listeners.join(app)
    return app


async def serve(
    settings: Settings,
    desk: Desk,
    *,
    client: AsyncWebClient,
    stop: asyncio.Event,
    verify: Verify | None = None,
    make_socket: MakeSocket | None = None,
    metrics: Metrics | None = None,
    alerts: AlertSources | None = None,
    listening: Callable[[int], None] = lambda _: None,
) -> None:
    """Serve Slack until stopped. `listening` is told the HTTP port once it is bound.

    `verify` is needed in HTTP mode and `make_socket` in Socket Mode (bot.tools.slack_clients makes both). `alerts`: who
    takes alerts in, and from where; None leaves alerts alone.
    Refused when one is missing or the port is taken. Slack being away is no reason to end.
    """
    sys.setswitchinterval(SWITCH_EVERY)
    metrics = metrics or Metrics()
    threads, intake = Threads(), Threads(INTAKE)
    known: list[Connection] = []
    parts = Parts(
        desk,
        threads,
        Whisper(client),
        metrics,
        team=lambda: known[0].team() if known else None,
        ours=lambda: known[0].ours() if known else frozenset(),
    )
    app = bolt(client, parts, _alert_channel(settings, alerts, parts, intake))
    connection = Connection(client, _socket(settings, app, make_socket))
    known.append(connection)
    door = _door(settings, app, verify, parts)

    async def why_not_ready() -> list[str]:
        return [sentence for sentence in (await _store(parts), connection.trouble()) if sentence]

    async def counts() -> bytes:
        return await threads.call(metrics.text)  # gauges may ask the store, which must not hold up an answer to Slack

    await _run(
        settings,
        connection,
        web.server(
            web.application(
                why_not_ready, counts, door.answer if door else None, _hooks(settings, alerts, parts, intake)
            )
        ),
        stop,
        listening,
    )
    await asyncio.gather(threads.close(), intake.close())


async def _run(
    settings: Settings,
    connection: Connection,
    server: web.Server,
    stop: asyncio.Event,
    listening: Callable[[int], None],
) -> None:
    with web.listening(settings.web) as bound:
        listening(bound.getsockname()[1])
        serving = asyncio.create_task(server.serve(sockets=[bound]))
        keeping = asyncio.create_task(connection.keep(stop))
        stopped = asyncio.create_task(stop.wait())
        await asyncio.wait({serving, keeping, stopped}, return_when=asyncio.FIRST_COMPLETED)
        stop.set()
        server.should_exit = True
        keeping.cancel()
        await asyncio.wait({keeping})
        await connection.close()
        await asyncio.gather(serving, stopped)
        if not keeping.cancelled():
            keeping.result()  # it ended by itself: only a fault of ours does that, and it must not pass unseen


async def _store(parts: Parts) -> str | None:
    try:
        await parts.threads.call(parts.desk.check)
    except Told as error:
        return str(error)
    return None


def _socket(settings: Settings, app: AsyncApp, make: MakeSocket | None) -> AsyncSocketModeHandler | None:
    if settings.slack.mode == "http":
        return None
    if make is None:
        raise Refused("Socket Mode needs an app-level token.", "Set slack.app_token, or slack.mode: http.")
    return make(app)


def _door(settings: Settings, app: AsyncApp, verify: Verify | None, parts: Parts) -> Door | None:
    if settings.slack.mode == "socket":
        return None
    if verify is None:
        raise Refused("HTTP mode needs Slack's signing secret.", "Set slack.signing_secret, or slack.mode: socket.")
    return Door(app, verify, parts, settings.web.body_limit, time.time)


def _alert_channel(
    settings: Settings, alerts: AlertSources | None, parts: Parts, intake: Threads
) -> AlertChannel | None:
    channels = frozenset(settings.alerts.channels)
    return AlertChannel(alerts, parts, intake.call, channels) if alerts and channels else None


def _hooks(
    settings: Settings, alerts: AlertSources | None, parts: Parts, intake: Threads
) -> Mapping[str, web.Endpoint]:
    if alerts is None:
        return {}
    hooks = Webhooks(alerts.desk, parts, intake.call, settings.webhooks.body_limit, time.time)
    return hooks.doors(alerts.keys)
