"""What the page and the tests use: REST and a stream under /playground (see playground/README.md)."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
from collections.abc import Awaitable, Callable
from typing import Any, get_args

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from playground.slack.delivery import Delivery, Kind
from playground.slack.doings import Doings
from playground.slack.errors import ApiError, Undelivered, Unkind
from playground.slack.faults import KINDS
from playground.slack.socket_mode import SocketMode
from playground.slack.workspace import BOT_USER, Channel, Json, Workspace

NOT_SHOWN = ("for", "quiet", "previous")
Call = Callable[[Json], Awaitable[Json]]


class People:
    """The side of the workspace that people see."""

    def __init__(self, workspace: Workspace, delivery: Delivery) -> None:
        self.workspace = workspace
        self.delivery = delivery

    def routes(self) -> list[BaseRoute]:
        """All routes under /playground but those of the world and the scenarios."""
        doings = Doings(self.workspace, self.delivery)
        calls: dict[str, Call] = {
            name: getattr(doings, name) for name in ("command", "message", "action", "submit", "close", "home")
        }
        calls |= {"fault": self._fault, "forge": self._forge, "refresh": self._refresh}
        return [
            Route("/playground/state", self._state),
            Route("/playground/traffic", self._traffic),
            WebSocketRoute("/playground/stream", self._stream),
            *(Route(f"/playground/{name}", self._post(call), methods=["POST"]) for name, call in calls.items()),
        ]

    def _post(self, call: Call) -> Callable[[Request], Awaitable[Response]]:
        async def answer(request: Request) -> Response:
            if not self.workspace.base_url:
                self.workspace.base_url = str(request.base_url).rstrip("/")
            try:
                body = json.loads(await request.body() or b"{}")
                return JSONResponse(await call(body if isinstance(body, dict) else {}))
            except ValueError:
                return JSONResponse({"error": "The body is not JSON."}, 400)
            except (Unkind, ApiError) as error:
                return JSONResponse({"error": str(error)}, 400)

        return answer

    async def _state(self, request: Request) -> Response:
        """Everything a page needs to start. With `reload=1` the person's ephemeral messages are gone, as in Slack."""
        user = request.query_params.get("user", "")
        if user not in self.workspace.users:
            return JSONResponse({"error": "There is no such person."}, 404)
        if request.query_params.get("reload") == "1":
            for key in [key for key in self.workspace.ephemerals if key[0] == user]:
                del self.workspace.ephemerals[key]
        return JSONResponse(await self._seen(user))

    async def _seen(self, user: str) -> Json:
        space = self.workspace
        rooms = [channel for channel in space.channels.values() if user in channel.members]
        return {
            "workspace": space.name,
            "users": [dataclasses.asdict(each) for each in space.users.values()],
            "usergroups": [dataclasses.asdict(each) for each in space.usergroups.values()],
            "channels": [self._room(channel) for channel in rooms],
            "commands": [dataclasses.asdict(each) for each in space.commands.values()],
            "messages": {channel.id: self._said(channel, user) for channel in rooms},
            "views": [space.views[name] for name in space.stacks.get(user, [])],
            "home": space.homes.get(user),
            "bot": {"user_id": BOT_USER, "connected": await self.delivery.transport.connected()},
            "scenarios": space.scenarios,
            "me": user,
        }

    def _room(self, channel: Channel) -> Json:
        return {**dataclasses.asdict(channel), "is_im": channel.im_with is not None}

    def _said(self, channel: Channel, user: str) -> list[Json]:
        own = self.workspace.ephemerals.get((user, channel.id), [])
        return sorted([*self.workspace.messages.get(channel.id, []), *own], key=lambda message: str(message["ts"]))

    async def _traffic(self, request: Request) -> Response:
        after = request.query_params.get("after", "0")
        if not after.isdecimal():
            return JSONResponse({"error": "after is the number of an entry."}, 400)
        return JSONResponse({"entries": self.workspace.traffic.after(int(after))})

    async def _stream(self, socket: WebSocket) -> None:
        """All changes this person may see, as they happen."""
        user = socket.query_params.get("user", "")
        await socket.accept()
        loop = asyncio.get_running_loop()
        queue: asyncio.Queue[Json] = asyncio.Queue()

        def watch(event: Json) -> None:
            if user in event.get("for", [user]):
                text = json.dumps({key: value for key, value in event.items() if key not in NOT_SHOWN})
                with contextlib.suppress(RuntimeError):  # the loop is closed: the page is gone with it
                    loop.call_soon_threadsafe(queue.put_nowait, {"text": text})

        self.workspace.watchers.append(watch)
        sender = asyncio.create_task(_pour(queue, socket))
        try:
            while True:
                await socket.receive_text()
        except (WebSocketDisconnect, RuntimeError):
            pass
        finally:
            self.workspace.watchers.remove(watch)
            sender.cancel()

    async def _fault(self, body: Json) -> Json:
        """Switch a fault on: `{method, kind, count?, seconds?}`; kind "none" switches all off."""
        kind: Any = body.get("kind")
        if kind == "none":
            self.workspace.faults.clear()
            return {"ok": True}
        if kind not in KINDS:
            raise Unkind(f"A fault is one of {', '.join(KINDS)}, none.")
        method = str(body.get("method", "*"))
        self.workspace.faults.add(method, kind, count=body.get("count"), seconds=body.get("seconds"))
        return {"ok": True}

    async def _refresh(self, body: Json) -> Json:
        """Ask the bot's connections to come again, as Slack does every few hours."""
        if isinstance(self.delivery.transport, SocketMode):
            await self.delivery.transport.refresh(str(body.get("reason", "refresh_requested")))
        return {"ok": True}

    async def _forge(self, body: Json) -> Json:
        """Bring the bot any payload over the channel it trusts: `{kind, payload}`; answers what it acknowledged."""
        kind: Any = body.get("kind", "interactive")
        if kind not in get_args(Kind) or not isinstance(body.get("payload"), dict):
            raise Unkind(f"Give a payload and its kind: {', '.join(get_args(Kind))}.")
        try:
            answer = await self.delivery.send(kind, body["payload"])
        except Undelivered as failure:
            return {"ok": False, "error": failure.reason}
        return {"ok": True, "answer": answer}


async def _pour(queue: asyncio.Queue[Json], socket: WebSocket) -> None:
    with contextlib.suppress(WebSocketDisconnect, RuntimeError):
        while True:
            await socket.send_text((await queue.get())["text"])
