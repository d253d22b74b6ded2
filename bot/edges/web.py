"""The bot's own HTTP: is it alive, is it ready, what does it count; Slack's requests in HTTP mode, and webhooks."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Awaitable, Callable, Mapping

import uvicorn
from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bot.core.errors import Refused
from bot.edges.metrics import Metrics
from bot.settings import Web

Endpoint = Callable[[Request], Awaitable[Response]]
HEADERS = {
    "x-content-type-options": "nosniff",
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
}


def application(
    why_not_ready: Callable[[], Awaitable[list[str]]],
    counts: Callable[[], Awaitable[bytes]],
    events: Endpoint | None,
    hooks: Mapping[str, Endpoint] | None = None,
) -> ASGIApp:
    """`why_not_ready` answers sentences, none when ready; `counts` what Prometheus reads. `events` takes Slack's
    requests, None in Socket Mode. `hooks`: path to endpoint of the webhooks that are configured."""

    async def healthz(_: Request) -> Response:
        return JSONResponse({"alive": True})

    async def readyz(_: Request) -> Response:
        why = await why_not_ready()
        return JSONResponse({"ready": not why, "why": why}, 503 if why else 200)

    async def counted(_: Request) -> Response:
        return Response(await counts(), media_type=Metrics.content_type)

    routes = [Route("/healthz", healthz), Route("/readyz", readyz), Route("/metrics", counted)]
    if events is not None:
        routes.append(Route("/slack/events", events, methods=["POST"]))
    routes += [Route(path, endpoint, methods=["POST"]) for path, endpoint in (hooks or {}).items()]
    return Starlette(routes=routes, middleware=[Middleware(SafeHeaders)])


class SafeHeaders:
    """Answers are data for machines: never to be kept, framed or guessed at by a browser."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def sent(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        await self._app(scope, receive, sent)


class Server(uvicorn.Server):
    """Uvicorn without its signal handlers: signals are the program's business, not the server's."""

    def capture_signals(self) -> contextlib.AbstractContextManager[None]:  # type: ignore[override]  # uvicorn: a generator
        return contextlib.nullcontext()


def server(app: ASGIApp) -> Server:
    return Server(
        uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            server_header=False,
            lifespan="off",
            limit_concurrency=500,
            timeout_graceful_shutdown=5,
        )
    )


def listening(web: Web) -> socket.socket:
    """The bound socket; port 0 takes a free one. Refused when the address cannot be had."""
    family = socket.AF_INET6 if ":" in web.host else socket.AF_INET
    try:
        bound = socket.create_server((web.host, web.port), family=family, backlog=512)
    except OSError:
        raise Refused(
            f"The address {web.host} port {web.port} cannot be listened on.",
            "Something else may have it; choose another with web.port or HIVEKEEPER_WEB_PORT.",
        ) from None
    # asyncio does this only for sockets it made itself; without it, answers wait 40 ms for a delayed TCP ACK.
    bound.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return bound
