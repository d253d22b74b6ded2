"""Socket Mode: the bot's connections, one of which gets each payload."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import uuid
from dataclasses import dataclass, field
from typing import Any

from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from playground.slack.delivery import Kind
from playground.slack.errors import Undelivered
from playground.slack.faults import Fault
from playground.slack.workspace import APP, Json, Workspace

MOST_CONNECTIONS = 10


@dataclass(eq=False)
class Connection:
    """One WebSocket of the bot. `leaving`: told to reconnect, gets nothing new; `gone`: closed."""

    socket: WebSocket
    leaving: bool = False
    gone: asyncio.Event = field(default_factory=asyncio.Event)
    waiting: dict[str, asyncio.Future[Any]] = field(default_factory=dict)


class SocketMode:
    """The transport of an app in Socket Mode."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self.connections: list[Connection] = []
        self._turn = itertools.count()
        self._loop: asyncio.AbstractEventLoop | None = None
        workspace.faults.told.append(self._broken)

    def route(self) -> WebSocketRoute:
        """Where the address of apps.connections.open leads."""
        return WebSocketRoute("/link/", self._serve)

    async def connected(self) -> bool:
        return bool(self._live())

    async def send(self, kind: Kind, payload: Json, retry: tuple[int, str] | None) -> Any:
        """Send to one connection, in turn; the payload of its acknowledgement."""
        live = self._live()
        if not live:
            raise Undelivered("connection_failed")
        connection = live[next(self._turn) % len(live)]
        name = str(uuid.uuid4())
        acknowledged = asyncio.get_running_loop().create_future()
        connection.waiting[name] = acknowledged
        try:
            await connection.socket.send_text(json.dumps(_envelope(name, kind, payload, retry)))
            return await asyncio.wait_for(acknowledged, self.workspace.times.ack)
        except (TimeoutError, WebSocketDisconnect, RuntimeError):
            raise Undelivered("timeout") from None
        finally:
            connection.waiting.pop(name, None)

    async def refresh(self, reason: str = "refresh_requested") -> None:
        """Tell all connections to come again; those that do not go are closed after the grace."""
        old = self._live()
        for connection in old:
            connection.leaving = True
            await self._say(connection, {"type": "disconnect", "reason": reason, "debug_info": {"host": "playground"}})
        self._changed()
        if old:
            leaving = [asyncio.create_task(connection.gone.wait()) for connection in old]
            _, late = await asyncio.wait(leaving, timeout=self.workspace.times.refresh_grace)
            for task in late:
                task.cancel()
        await self._close([connection for connection in old if not connection.gone.is_set()])

    def _broken(self, fault: Fault) -> None:
        """An outage of all of Slack closes all connections without a word. May be called by any thread."""
        if fault.kind == "down" and fault.method == "*" and self._loop is not None:
            asyncio.run_coroutine_threadsafe(self._close(list(self.connections)), self._loop)

    async def _serve(self, socket: WebSocket) -> None:
        ticket = socket.query_params.get("ticket", "")
        if ticket not in self.workspace.tickets or self.workspace.faults.down():
            await socket.close(4401)
            return
        self.workspace.tickets.discard(ticket)
        await socket.accept()
        self._loop = asyncio.get_running_loop()
        connection = Connection(socket)
        if len(self._live()) >= MOST_CONNECTIONS:
            await self._say(connection, {"type": "disconnect", "reason": "too_many_websockets"})
            await socket.close()
            return
        self.connections.append(connection)
        await self._say(connection, self._hello())
        self._changed()
        try:
            while True:
                self._acknowledge(connection, await socket.receive_text())
        except (WebSocketDisconnect, RuntimeError):
            pass
        finally:
            self._gone(connection)

    def _hello(self) -> Json:
        return {
            "type": "hello",
            "num_connections": len(self._live()),
            "debug_info": {"host": "playground", "build_number": 1, "approximate_connection_time": 18060},
            "connection_info": {"app_id": APP},
        }

    def _acknowledge(self, connection: Connection, text: str) -> None:
        try:
            said = json.loads(text)
        except ValueError:
            return
        waiting = connection.waiting.get(str(said.get("envelope_id"))) if isinstance(said, dict) else None
        if waiting is not None and not waiting.done():
            waiting.set_result(said.get("payload"))

    def _live(self) -> list[Connection]:
        return [connection for connection in self.connections if not connection.leaving]

    def _gone(self, connection: Connection) -> None:
        if connection in self.connections:
            self.connections.remove(connection)
        connection.gone.set()
        self._changed()

    def _changed(self) -> None:
        self.workspace.emit({"type": "bot", "connected": bool(self._live())})

    async def _say(self, connection: Connection, said: Json) -> None:
        with contextlib.suppress(WebSocketDisconnect, RuntimeError):
            await connection.socket.send_text(json.dumps(said))

    async def _close(self, connections: list[Connection]) -> None:
        for connection in connections:
            with contextlib.suppress(WebSocketDisconnect, RuntimeError):
                await connection.socket.close()
            self._gone(connection)


def _envelope(name: str, kind: Kind, payload: Json, retry: tuple[int, str] | None) -> Json:
    envelope: Json = {
        "envelope_id": name,
        "type": kind,
        "payload": payload,
        "accepts_response_payload": kind != "events_api",
    }
    if kind == "events_api":
        envelope.update(retry_attempt=retry[0] if retry else 0, retry_reason=retry[1] if retry else "")
    return envelope
