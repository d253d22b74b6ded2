"""Servers that answer a cluster's client as they are told to, and what every error of it must be."""

from __future__ import annotations

import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from bot.core.errors import Told
from bot.core.secret import Secret
from bot.tools.fingerprints import KeyedFingerprints
from playground import broken

FOREIGN = "gobbledygook"  # in what broken servers say; must be in no sentence of ours
MARKS = KeyedFingerprints(Secret("a key for these tests only"))
VERSION = broken.answer(200, b'{"gitVersion": "v1.33.1"}')


def told_by(call: Callable[[], Any], kind: type[Told], token: str) -> str:
    with pytest.raises(kind) as caught:
        call()
    error = caught.value
    assert type(error) is kind
    assert error.__cause__ is None
    assert error.__context__ is None
    assert FOREIGN not in repr(error)
    assert token not in repr(error)
    assert error.now
    return str(error)


def status(code: int, reason: str, message: str = FOREIGN, *headers: str, **details: Any) -> bytes:
    body = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": reason,
            "message": message, "details": details}  # fmt: skip
    return broken.answer(code, json.dumps(body).encode(), "Content-Type: application/json", *headers)


@contextmanager
def answering(content: bytes) -> Iterator[broken.Broken]:
    with broken.broken(broken.cut(content)) as server:
        yield server


@contextmanager
def heard_by(answer: Callable[[bytes], bytes]) -> Iterator[str]:
    """A server that answers by what it hears of the head of a request."""
    with raw_server(answer) as port:
        yield f"http://127.0.0.1:{port}"


@contextmanager
def served(port: int, content: bytes) -> Iterator[None]:
    with raw_server(lambda _: content, port=port):
        yield


@contextmanager
def tls_server(certificate: tuple[Path, Path]) -> Iterator[int]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    with raw_server(lambda _: broken.answer(200, b'{"gitVersion": "v1.33.1"}'), tls=context) as port:
        yield port


@contextmanager
def raw_server(answer: Callable[[bytes], bytes], *, port: int = 0, tls: ssl.SSLContext | None = None) -> Iterator[int]:
    listener = socket.create_server(("127.0.0.1", port))

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            try:
                with tls.wrap_socket(connection, server_side=True) if tls else connection as through:
                    heard = b""
                    while b"\r\n\r\n" not in heard and not heard.startswith(b"\x16"):  # or a hello of TLS
                        heard += through.recv(65536) or b"\r\n\r\n"
                    through.sendall(answer(heard))
            except OSError:
                continue

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(5)
