"""A stand-in for FERRY: `getUserInfo` with its real envelopes, for clients with a certificate or a bearer token.

ferry = FerryStandIn({"dunepro": 50381}, clients={"hivekeeper"})
with serve(ferry, tls) as server: …      # tls: an ssl.SSLContext that asks for client certificates, or None for http
"""

from __future__ import annotations

import json
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

Envelope = tuple[int, dict[str, Any]]


@dataclass
class FerryStandIn:
    """`uids`: account to UID. `about`: what is different about some (`{"dunepro": {"status": False}}`; None leaves the
    field out). `clients`: common names of certificates that may ask; `tokens`: bearers that may. `state`: "up",
    "database" (500, as when its database fails) or a status that answers everything instead. `delay` in seconds."""

    uids: dict[str, int] = field(default_factory=dict)
    clients: set[str] = field(default_factory=set)
    tokens: set[str] = field(default_factory=set)
    about: dict[str, dict[str, Any]] = field(default_factory=dict)
    state: str | int = "up"
    delay: float = 0.0
    log: list[str] = field(default_factory=list)

    def answer(self, path: str, client: str | None, bearer: str | None) -> Envelope | int:
        """Status and document, or a status alone. `client`: the common name of the certificate."""
        self.log.append(path)
        time.sleep(self.delay)
        asked = urlsplit(path)
        if isinstance(self.state, int):
            return self.state
        if asked.path != "/getUserInfo":
            return 404
        if client not in self.clients and bearer not in self.tokens:
            return 401, _failed("client not authorized")
        if self.state == "database":
            return 500, _failed("error while querying the database")
        query = parse_qs(asked.query, keep_blank_values=True)
        if strange := sorted(set(query) - {"username"}):
            return 200, _failed(f"{strange[0]} is not a valid parameter for this api")
        return 200, self._about(query.get("username", [""])[0].lower())

    def _about(self, name: str) -> dict[str, Any]:
        if not name:
            return _failed("required parameter username not provided")
        if name not in self.uids:
            return _failed("username not found")
        known = {
            "fullname": name, "uid": self.uids[name], "status": True, "groupaccount": True,
            "expirationdate": "2038-01-01T00:00:00Z", "vopersonid": None,
        }  # fmt: skip
        changed = {**known, **self.about.get(name, {})}
        output = {key: value for key, value in changed.items() if value is not None or key == "vopersonid"}
        return {"ferry_status": "success", "ferry_error": [], "ferry_output": output}


def _failed(error: str) -> dict[str, Any]:
    return {"ferry_status": "failure", "ferry_error": [error], "ferry_output": None}


@dataclass(frozen=True)
class Served:
    url: str
    port: int


def tls(certificate: Path, key: Path, clients: Path) -> ssl.SSLContext:
    """For a server that takes certificates of the authority in `clients`, and those who show none."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    context.load_verify_locations(clients)
    context.verify_mode = ssl.CERT_OPTIONAL
    return context


@contextmanager
def serve(ferry: FerryStandIn, context: ssl.SSLContext | None = None) -> Iterator[Served]:
    """On a free port of loopback, until the block ends."""
    server = _Server(("127.0.0.1", 0), _handler(ferry))
    server.context = context
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True, name="ferry")
    thread.start()
    port = server.server_address[1]
    try:
        yield Served(f"{'https' if context else 'http'}://127.0.0.1:{port}", port)
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


class _Server(ThreadingHTTPServer):
    """Shakes hands in the thread of each connection, so that a slow client keeps nobody else waiting."""

    daemon_threads = True
    context: ssl.SSLContext | None = None

    def finish_request(self, request: Any, client_address: Any) -> None:
        request.settimeout(10)
        if self.context:
            request = self.context.wrap_socket(request, server_side=True)
        super().finish_request(request, client_address)
        request.close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that breaks off is nothing to print."""


def _handler(ferry: FerryStandIn) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            scheme, _, bearer = self.headers.get("Authorization", "").partition(" ")
            told = ferry.answer(self.path, self._client(), bearer if scheme == "Bearer" else None)
            status, body = (told, b"<html>gobbledygook</html>") if isinstance(told, int) else _written(told)
            self.send_response(status)
            self.send_header("Content-Type", "text/html" if isinstance(told, int) else "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def _client(self) -> str | None:
            shown = self.connection.getpeercert() if isinstance(self.connection, ssl.SSLSocket) else None
            subject: Any = (shown or {}).get("subject", ())
            return dict(pair for part in subject for pair in part).get("commonName")

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing is printed."""

    return Handler


def _written(told: Envelope) -> tuple[int, bytes]:
    status, document = told
    return status, json.dumps(document).encode()
