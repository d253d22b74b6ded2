"""Serve an ASGI application from a thread, on loopback."""

from __future__ import annotations

import socket
import threading
import time
from dataclasses import dataclass
from typing import Any

import uvicorn


@dataclass(frozen=True)
class Server:
    """A running server. `url` has no slash at its end."""

    url: str
    port: int
    _uvicorn: uvicorn.Server
    _thread: threading.Thread

    def stop(self) -> None:
        """Close all connections and wait for the thread."""
        self._uvicorn.should_exit = True
        self._uvicorn.force_exit = True
        self._thread.join(10)


def run_in_thread(app: Any, port: int = 0, *, host: str = "127.0.0.1") -> Server:
    """Serve `app` on a free port, or the given one, until `stop()`. Returns when it listens; OSError when it cannot."""
    listener = socket.create_server((host, port))
    # asyncio does this only for sockets that say they are TCP; without it every answer waits 40 ms for an ACK
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    config = uvicorn.Config(
        app,
        log_level="critical",
        access_log=False,
        lifespan="auto",
        ws="websockets-sansio",
        timeout_graceful_shutdown=1,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True, name="playground")
    thread.start()
    while not server.started:
        if not thread.is_alive():
            raise OSError("the server did not start")
        time.sleep(0.005)
    bound = listener.getsockname()[1]
    return Server(f"http://{host}:{bound}", bound, server, thread)
