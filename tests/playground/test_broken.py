"""The server that breaks, breaks only in the way that it is told to."""

from __future__ import annotations

import socket
import threading

from playground import broken

HEAD = b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n"


def test_a_body_that_comes_late_costs_no_answer() -> None:
    """Nothing is answered before the request is whole: else closing would reset what the client has not read yet."""
    content, began = broken.answer(200, b"[" * 1_000_000), threading.Event()

    def breaks(connection: socket.socket, _: threading.Event) -> None:
        began.set()
        connection.sendall(content)

    with broken.broken(breaks) as server, socket.create_connection(("127.0.0.1", server.port), 10) as client:
        client.sendall(HEAD)
        assert not began.wait(0.05)
        client.sendall(b"12345")
        heard = b""
        while more := client.recv(65536):
            heard += more
    assert heard == content
    assert server.heard == 1
