"""A TCP server that breaks the way networks and wrong addresses do, for the tests of every HTTP client.

with broken(reset) as server: …            # or: silent, cut(b"HTTP/1.1 200 OK…"), drip(…)
"""

from __future__ import annotations

import random
import re
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

LENGTH = re.compile(rb"\r\ncontent-length: *([0-9]{1,9})", re.IGNORECASE)
Breaks = Callable[[socket.socket, threading.Event], None]


@dataclass
class Broken:
    """`heard`: how many requests came."""

    port: int
    heard: int = 0
    stopped: threading.Event = field(default_factory=threading.Event)
    turn: threading.Condition = field(default_factory=threading.Condition)

    def came(self, least: int) -> int:
        """`heard`, once it is so many: a client may have given up before this server had its turn. Waits a minute at
        most."""
        with self.turn:
            self.turn.wait_for(lambda: self.heard >= least, 60)
            return self.heard

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@contextmanager
def broken(breaks: Breaks) -> Iterator[Broken]:
    """Serve until the block ends; each request is read to its end, then `breaks` has its way: a connection closed with
    something unread in it is reset, and the client may lose what was answered."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = Broken(listener.getsockname()[1])
    thread = threading.Thread(target=_accept, args=(listener, server, breaks), daemon=True, name="broken")
    thread.start()
    try:
        yield server
    finally:
        server.stopped.set()
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(5)


def unused_port() -> int:
    """A port that nobody listens on, also later by chance: the system hands out others to those who name none."""
    while True:
        port = random.randrange(15_000, 32_000)
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port


def reset(connection: socket.socket, _: threading.Event) -> None:
    """The connection is reset."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def silent(_: socket.socket, stopped: threading.Event) -> None:
    """Nothing ever comes back."""
    stopped.wait(60)


def cut(content: bytes) -> Breaks:
    """These bytes, then the connection is closed."""
    return lambda connection, _: connection.sendall(content)


def drip(content: bytes, every: float) -> Breaks:
    """These bytes one at a time, with so many seconds between."""

    def breaks(connection: socket.socket, stopped: threading.Event) -> None:
        for byte in content:
            connection.sendall(bytes([byte]))
            if stopped.wait(every):
                return

    return breaks


def answer(status: int, body: bytes = b"", *headers: str) -> bytes:
    """A whole HTTP answer."""
    lines = [f"HTTP/1.1 {status} Whatever", f"Content-Length: {len(body)}", "Connection: close", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def _accept(listener: socket.socket, server: Broken, breaks: Breaks) -> None:
    while not server.stopped.is_set():
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        threading.Thread(target=_serve, args=(connection, server, breaks), daemon=True).start()


def _serve(connection: socket.socket, server: Broken, breaks: Breaks) -> None:
    with connection, suppress(OSError):
        heard = b""
        while not _whole(heard):
            more = connection.recv(65536)
            if not more:
                return
            heard += more
        with server.turn:
            server.heard += 1
            server.turn.notify_all()
        breaks(connection, server.stopped)


def _whole(request: bytes) -> bool:
    """Its head, and as much body as that says."""
    head, ended, body = request.partition(b"\r\n\r\n")
    length = LENGTH.search(head)
    return bool(ended) and len(body) >= (int(length[1]) if length else 0)
