"""The door for Slack's HTTP requests: size, headers and signature are checked before anything reads the body."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Protocol

from slack_bolt.async_app import AsyncApp, AsyncBoltRequest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from bot.edges.parts import Parts
from bot.edges.refusals import Refusals

TIMESTAMP, SIGNATURE = re.compile(r"[0-9]{1,12}"), re.compile(r"v0=[0-9a-f]{64}")
CERTIFICATE_CHECK = re.compile(rb"(^|&)ssl_check=1(&|$)")


class Verify(Protocol):
    """Is this body signed by Slack, now? Built by bot.tools.slack_clients."""

    def __call__(self, body: bytes, timestamp: str, signature: str) -> bool: ...


class Door:
    """`/slack/events` of the HTTP mode. Bolt's own check is off: it logs whole bodies and fails on odd headers."""

    def __init__(self, app: AsyncApp, verify: Verify, parts: Parts, limit: int, clock: Callable[[], float]) -> None:
        self._app, self._verify, self._limit, self._clock = app, verify, limit, clock
        self._refusals = Refusals(parts, clock)

    async def answer(self, request: Request) -> Response:
        body = await read(request, self._limit)
        if body is None:
            return self._refused("too_large", 413)
        if CERTIFICATE_CHECK.search(body[:1000]):
            return Response()  # Slack looks at our certificate now and then, and wants a 200; nothing is done
        if reason := self._wrong(request, body):
            return self._refused(reason, 401)
        try:
            read_by_bolt = AsyncBoltRequest(body=body.decode(), headers=dict(request.headers))
        except Exception:  # Bolt takes payloads apart without looking: odd ones make it fail in any way
            return self._refused("unreadable", 400)
        answer = await self._app.async_dispatch(read_by_bolt)
        headers = {name: values[0] for name, values in answer.headers.items() if values}
        return Response(answer.body, answer.status, headers)

    def _wrong(self, request: Request, body: bytes) -> str | None:
        timestamp = request.headers.get("x-slack-request-timestamp", "")
        signature = request.headers.get("x-slack-signature", "")
        if not TIMESTAMP.fullmatch(timestamp) or not SIGNATURE.fullmatch(signature):
            return "unsigned"
        if abs(self._clock() - int(timestamp)) > 300:
            return "stale_signature"
        if not _is_text(body):
            return "not_text"
        return None if self._verify(body, timestamp, signature) else "bad_signature"

    def _refused(self, reason: str, status: int) -> Response:
        self._refusals.note(reason)
        return JSONResponse({"error": reason}, status)


def _is_text(body: bytes) -> bool:
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True


async def read(request: Request, limit: int) -> bytes | None:
    """The body, or None as soon as it is longer than the limit."""
    chunks, size = [], 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > limit:
            return None
        chunks.append(chunk)
    return b"".join(chunks)
