"""HTTP mode: signed POSTs to the bot's request URL."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import time
from typing import Any
from urllib.parse import urlencode, urlsplit

import aiohttp

from playground.slack.delivery import Kind
from playground.slack.errors import Undelivered
from playground.slack.workspace import Json, Workspace

REASONS = {"timeout": "http_timeout", "error": "http_error", "connection_failed": "connection_failed"}
AGENT = "Slackbot 1.0 (+https://api.slack.com/robots)"


class HttpMode:
    """The transport of an app with a request URL."""

    def __init__(self, workspace: Workspace, url: str, signing_secret: str) -> None:
        self.workspace = workspace
        self.url = url
        self._secret = signing_secret

    async def connected(self) -> bool:
        """Whether something listens at the request URL."""
        parts = urlsplit(self.url)
        try:
            reader = asyncio.open_connection(parts.hostname, parts.port or 443)
            _, writer = await asyncio.wait_for(reader, 1.0)
        except (OSError, TimeoutError):
            return False
        writer.close()
        return True

    async def send(self, kind: Kind, payload: Json, retry: tuple[int, str] | None) -> Any:
        body, media = encoded(kind, payload)
        headers = {**signed(self._secret, body), "content-type": media, "user-agent": AGENT}
        if retry is not None:
            headers |= {"X-Slack-Retry-Num": str(retry[0]), "X-Slack-Retry-Reason": REASONS[retry[1]]}
        try:
            async with (
                aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(self.workspace.times.ack)) as session,
                session.post(self.url, data=body, headers=headers, allow_redirects=False) as response,
            ):
                return _read(response, await response.text())
        except TimeoutError:
            raise Undelivered("timeout") from None
        except aiohttp.ClientError:
            raise Undelivered("connection_failed") from None


def encoded(kind: Kind, payload: Json) -> tuple[bytes, str]:
    """The body and media type by which Slack sends this kind of payload."""
    if kind == "events_api":
        return json.dumps(payload).encode(), "application/json"
    fields = {"payload": json.dumps(payload)} if kind == "interactive" else payload
    return urlencode(fields).encode(), "application/x-www-form-urlencoded"


def signed(secret: str, body: bytes, at: float | None = None) -> dict[str, str]:
    """The signature headers over a body; `at` in seconds since the epoch, now by default."""
    stamp = str(int(time.time() if at is None else at))
    mac = hmac.new(secret.encode(), b"v0:" + stamp.encode() + b":" + body, hashlib.sha256)
    return {"X-Slack-Request-Timestamp": stamp, "X-Slack-Signature": "v0=" + mac.hexdigest()}


def _read(response: aiohttp.ClientResponse, text: str) -> Any:
    if not 200 <= response.status < 300:
        raise Undelivered("error", again=response.headers.get("X-Slack-No-Retry") != "1")
    if not text.strip():
        return None
    try:
        return json.loads(text)
    except ValueError:
        return {"text": text}
