"""Which connections are used again."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from urllib3 import PoolManager
from urllib3.exceptions import ConnectTimeoutError

from bot.tools import connections
from tests.certificates import certificate


class Counted(BaseHTTPRequestHandler):
    """Keeps each connection, and counts them."""

    protocol_version = "HTTP/1.1"

    def setup(self) -> None:
        self.server.connections += 1  # type: ignore[attr-defined]  # the fixture's own
        super().setup()

    def do_GET(self) -> None:
        self.server.requests += 1  # type: ignore[attr-defined]  # likewise
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    do_POST = do_GET

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture(params=["http", "https"])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ThreadingHTTPServer]:
    made = ThreadingHTTPServer(("127.0.0.1", 0), Counted)
    made.connections, made.requests, made.scheme = 0, 0, request.param  # type: ignore[attr-defined]  # what the tests ask
    if request.param == "https":
        own = certificate(tmp_path, "server")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*own)
        made.socket = context.wrap_socket(made.socket, server_side=True)
        made.ca = str(own[0])  # type: ignore[attr-defined]  # likewise
    thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield made
    made.shutdown()
    made.server_close()
    thread.join(5)


@pytest.mark.parametrize(("idle", "made"), [(60.0, 1), (0.0, 3)], ids=["fresh", "idled"])
def test_only_a_fresh_connection_is_used_again(
    server: ThreadingHTTPServer, idle: float, made: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that has idled may be closed by the other side in the moment of the next request, which would be cut off."""
    monkeypatch.setattr(connections, "IDLE", idle)
    with PoolManager(ca_certs=getattr(server, "ca", None), retries=False) as manager:
        connections.keep_fresh(manager)
        for _ in range(3):
            answer = manager.request("GET", f"{server.scheme}://127.0.0.1:{server.server_port}/")  # type: ignore[attr-defined]
            assert answer.data == b"ok"
    assert server.connections == made  # type: ignore[attr-defined]  # likewise


@pytest.mark.parametrize("late", [True, False])
def test_nothing_is_sent_when_the_way_took_too_long(
    server: ThreadingHTTPServer, late: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name that is slow to resolve has no limit of its own: who waited no longer must not be surprised by a write."""
    resolved, asked = socket.getaddrinfo, server.connections  # type: ignore[attr-defined]  # what the tests ask

    def slowly(*args: Any, **named: Any) -> Any:
        threading.Event().wait(0.15 if late else 0)
        return resolved(*args, **named)

    monkeypatch.setattr(socket, "getaddrinfo", slowly)
    with PoolManager(ca_certs=getattr(server, "ca", None), retries=False) as manager:
        connections.never_late(manager)
        url = f"{server.scheme}://127.0.0.1:{server.server_port}/"  # type: ignore[attr-defined]  # likewise
        if not late:
            assert manager.request("GET", url, timeout=60.0).data == b"ok"
            return
        with pytest.raises(ConnectTimeoutError):
            manager.request("POST", url, timeout=0.1)
    assert server.requests == asked == 0  # type: ignore[attr-defined]  # likewise
