"""The demo's own routes beside those of the Slack stand-in: the page, the world and the scenarios."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Message, Receive, Scope, Send

from playground.scenario import Scenario

PAGE = Path(__file__).parent / "page"
RULES = (
    (b"content-security-policy", b"default-src 'self'; img-src 'self' data: http: https:; base-uri 'none'; "
     b"form-action 'none'; frame-ancestors 'none'"),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-store"),
)  # fmt: skip


def with_page(
    slack: list[BaseRoute],
    *,
    facts: Callable[[], dict[str, Any]],
    demo: Mapping[str, Any],
    scenarios: Mapping[str, Scenario],
    emit: Callable[[dict[str, Any]], None],
    hosts: list[str],
) -> Starlette:
    """The one application of the visible port. `facts` is the world, `demo` what only the demo's page knows."""

    async def world(_: Request) -> Response:
        return JSONResponse(facts())

    async def about(_: Request) -> Response:
        return JSONResponse(dict(demo))

    async def press(request: Request) -> Response:
        scenario = scenarios.get(await _name(request))
        if scenario is None:
            return JSONResponse({"error": "There is no such scenario."}, 404)
        told = await asyncio.to_thread(scenario.deed)
        emit({"type": "world", "facts": facts()})
        return JSONResponse({"ok": True, "told": told})

    own = [
        Route("/playground/world", world),
        Route("/playground/demo", about),
        Route("/playground/scenario", press, methods=["POST"]),
    ]
    guards = [Middleware(_Rules), Middleware(TrustedHostMiddleware, allowed_hosts=hosts)]
    routes = [*own, *slack, Mount("/", StaticFiles(directory=PAGE, html=True))]
    return Starlette(routes=routes, middleware=guards, lifespan=_remember_loop)


@contextlib.asynccontextmanager
async def _remember_loop(app: Starlette) -> AsyncIterator[None]:
    """Other threads hand their news to the loop that keeps the workspace: `app.state.loop`."""
    app.state.loop = asyncio.get_running_loop()
    yield


async def _name(request: Request) -> str:
    try:
        body = json.loads(await request.body() or b"{}")
    except ValueError:
        return ""
    return str(body.get("name")) if isinstance(body, dict) else ""


class _Rules:
    """What a browser may do with what it gets from us."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def ruled(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *RULES]
            await send(message)

        await self._app(scope, receive, ruled if scope["type"] == "http" else send)
