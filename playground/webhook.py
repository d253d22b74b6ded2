"""A stand-in for an organisation's own webhook that opens a CIE: it takes JSON, and one call for an idempotency key.

webhook = WebhookStandIn(token)
server = run_in_thread(webhook.app())     # the address is the server's, with /cie
"""

from __future__ import annotations

import asyncio
import hmac
import json
import threading
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

FIELDS = {"title": str, "body": str, "marker": str, "region": str, "links": dict}


class WebhookStandIn:
    """`fault`: a status that answers everything instead, with `retry_after` if that is set; `cut`: what was asked is
    done, but the answer is an empty 502. `delay` in seconds. `opened`: the documents taken, oldest first, one for a
    key; `calls`: each accepted call's headers, repeats included."""

    def __init__(self, token: str) -> None:
        self._token = token
        self.fault: int | None = None
        self.retry_after: int | None = None
        self.cut = False
        self.delay = 0.0
        self.calls: list[dict[str, str]] = []
        self._opened: dict[str, dict[str, Any]] = {}
        self._lock = threading.Lock()

    @property
    def opened(self) -> tuple[dict[str, Any], ...]:
        with self._lock:
            return tuple(self._opened.values())

    def app(self) -> Starlette:
        """The ASGI application."""
        return Starlette(routes=[Route("/cie", self._take, methods=["POST"])])

    async def _take(self, request: Request) -> Response:
        body = await request.body()
        await asyncio.sleep(self.delay)
        if self.fault is not None:
            headers = {} if self.retry_after is None else {"Retry-After": str(self.retry_after)}
            return Response(b"<html>gobbledygook</html>", self.fault, headers, "text/html")
        if not hmac.compare_digest(request.headers.get("Authorization", ""), f"Bearer {self._token}"):
            return Response(status_code=401)
        key, document = request.headers.get("Idempotency-Key", ""), _read(body)
        if not key or document is None:
            return Response(b'{"error": "gobbledygook"}', 400, media_type="application/json")
        with self._lock:
            self.calls.append(dict(request.headers))
            first = key not in self._opened
            self._opened.setdefault(key, document)
        return Response(status_code=502 if self.cut else 201 if first else 200)


def _read(body: bytes) -> dict[str, Any] | None:
    """The document, None if it is not one of ours."""
    try:
        found = json.loads(body)
    except ValueError:
        return None
    fits = isinstance(found, dict) and all(isinstance(found.get(name), kind) for name, kind in FIELDS.items())
    return found if fits else None
