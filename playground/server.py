"""Serve an ASGI application from a thread, on loopback."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import uvicorn


@dataclass(frozen=True)
class Server:
    """A running server. `url` has no slash at its end."""

    url: str
    port: int
    _uvicorn: _Endable
    _thread: threading.Thread

    def stop(self) -> None:
        """Close all connections and wait for the thread."""
        self._uvicorn.end()
        self._thread.join(10)


class _Endable(uvicorn.Server):
    """Uvicorn that ends when it is told to. By itself it looks ten times a second whether it should, and then waits
    for what is under way: a hundred tests with a few servers each would spend half a minute on that. The twenty servers
    of a demo would look all the time: it is enough that they know the second, for the headers of their answers."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self._loop, self._told = asyncio.get_running_loop(), asyncio.Event()
        await super().startup(sockets)

    async def main_loop(self) -> None:
        ticks = asyncio.create_task(self._tick())
        await self._told.wait()
        ticks.cancel()

    async def _tick(self) -> None:
        while True:
            await self.on_tick(0)
            await asyncio.sleep(1)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for listener in (*self.servers, *(sockets or ())):
            listener.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()  # says goodbye to a WebSocket, but leaves a request that is under way
            connection.transport.close()
        await asyncio.sleep(0)  # transports close in the loop's next round

    def end(self) -> None:
        """From any thread, once it serves."""
        with suppress(RuntimeError):  # it has ended before
            self._loop.call_soon_threadsafe(self._told.set)


def run_in_thread(app: Any, port: int = 0, *, host: str = "127.0.0.1", date_header: bool = True) -> Server:
    """Serve `app` on a free port, or the given one, until `stop()`. Returns when it listens; OSError when it cannot.
    Without `date_header` the application tells the time itself."""
    listener = socket.create_server((host, port))
    # asyncio does this only for sockets that say they are TCP; without it every answer waits 40 ms for an ACK
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    config = uvicorn.Config(
        app,
        log_level="critical",
        access_log=False,
        lifespan="auto",
        ws="websockets-sansio",
        date_header=date_header,
    )
    server = _Endable(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True, name="playground")
    thread.start()
    while not server.started:
        if not thread.is_alive():
            raise OSError("the server did not start")
        time.sleep(0.005)
    bound = listener.getsockname()[1]
    return Server(f"http://{host}:{bound}", bound, server, thread)
