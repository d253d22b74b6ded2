"""The HTTP doors for alerts. Who posts is checked before anything is read; 202 is said only once it is stored."""

from __future__ import annotations

import asyncio
import logging
import math
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from pydantic_core import from_json
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from bot.core.alert import Notice
from bot.core.desk import IncidentDesk
from bot.core.errors import Told, Transient
from bot.edges.alerts import alertmanager, pagerduty, values
from bot.edges.parts import Parts
from bot.edges.refusals import Refusals
from bot.edges.signature import read

MOST = 64  # calls at once: others are told to come again, so that alerts never keep Slack waiting
IN_TIME = 15.0  # seconds a sender may take for its body
AGAIN = 5.0  # seconds after which a sender is to try again, where the store does not say
JSON = re.compile(r"application/([a-z0-9.+-]+\+)?json", re.I)
Parse = Callable[[Any, float], Notice | None]
Allowed = Callable[[Request, bytes], bool]
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Keys:
    """Who may post, built by bot.tools.webhook_keys. None: nobody, and the address does not exist."""

    alertmanager: Callable[[str], bool] | None = None
    grafana: Callable[[str], bool] | None = None
    pagerduty: Callable[[bytes, str], bool] | None = None


class Webhooks:
    """`call` runs the desk's blocking work in a thread of the alerts' own."""

    def __init__(
        self,
        desk: IncidentDesk,
        parts: Parts,
        call: Callable[..., Awaitable[Any]],
        limit: int,
        clock: Callable[[], float],
    ) -> None:
        self._desk, self._parts, self._call, self._limit, self._clock = desk, parts, call, limit, clock
        self._refusals = Refusals(parts, clock)
        self._busy = 0

    def doors(self, keys: Keys) -> dict[str, Callable[[Request], Awaitable[Response]]]:
        """Path to endpoint, for the sources that have keys."""
        found: dict[str, Callable[[Request], Awaitable[Response]]] = {}
        if keys.alertmanager:
            found["/webhooks/alertmanager"] = self._bearer("alertmanager", keys.alertmanager, _alertmanager)
        if keys.grafana:
            found["/webhooks/grafana"] = self._bearer("grafana", keys.grafana, _grafana)
        if keys.pagerduty:
            found["/webhooks/pagerduty"] = self._signed("pagerduty", keys.pagerduty, pagerduty.notice)
        return found

    def _bearer(
        self, source: str, fits: Callable[[str], bool], parse: Parse
    ) -> Callable[[Request], Awaitable[Response]]:
        async def door(request: Request) -> Response:
            if not fits(_token(request)):  # known from the header alone: a stranger's body is not even read
                return self._stranger(source)
            return await self._answer(request, source, lambda _request, _body: True, parse)

        return door

    def _signed(
        self, source: str, fits: Callable[[bytes, str], bool], parse: Parse
    ) -> Callable[[Request], Awaitable[Response]]:
        def allowed(request: Request, body: bytes) -> bool:
            return fits(body, request.headers.get("x-pagerduty-signature", ""))

        async def door(request: Request) -> Response:
            return await self._answer(request, source, allowed, parse)

        return door

    async def _answer(self, request: Request, source: str, allowed: Allowed, parse: Parse) -> Response:
        if self._busy >= MOST:
            return _later(AGAIN, "Too many calls at once.")
        self._busy += 1
        try:
            body = await asyncio.wait_for(read(request, self._limit), IN_TIME)
            if body is None:
                return self._no(source, "webhook_too_large", 413, "The body is longer than this bot takes.")
            if not allowed(request, body):
                return self._stranger(source)
            return await self._take(request, body, source, parse)
        except TimeoutError:
            return self._no(source, "webhook_too_slow", 408, "The body did not come in time.")
        except ClientDisconnect:
            return Response(status_code=400)  # nobody is there to read it
        finally:
            self._busy -= 1

    async def _take(self, request: Request, body: bytes, source: str, parse: Parse) -> Response:
        if not JSON.fullmatch(request.headers.get("content-type", "").partition(";")[0].strip()):
            return self._no(source, "webhook_media_type", 415, "The content type is not application/json.")
        try:
            found = await self._call(self._store, body, parse)
        except Transient as error:
            return _later(error.after or AGAIN, "The alert could not be stored.")
        except Told as error:
            return self._no(source, "webhook_unreadable", 400, str(error))
        except Exception as error:  # a fault of ours: its text may hold what was posted
            log.error("a webhook failed", extra={"source": source, "error": type(error).__name__})
            return _later(60, "The bot failed in a way nobody foresaw; its log has more.", 500)
        return JSONResponse({"incidents": found}, 202)

    def _store(self, body: bytes, parse: Parse) -> tuple[str, ...]:
        notice = parse(_document(body), self._clock())
        if notice is None:
            return ()
        found = self._desk.notice(notice)
        self._parts.metrics.noticed(notice)
        return found

    def _stranger(self, source: str) -> Response:
        """Which of the keys, the header or the signature was wrong is not told."""
        self._refusals.note("webhook_unauthorized", f"webhook:{source}")
        return JSONResponse({"error": "Not authorized."}, 401, {"www-authenticate": "Bearer"})

    def _no(self, source: str, reason: str, status: int, words: str) -> Response:
        self._refusals.note(reason, f"webhook:{source}")
        return JSONResponse({"error": words}, status)


def _token(request: Request) -> str:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _document(body: bytes) -> Any:
    """The JSON of a body. Refused, without its text, when it is none, too deep, or not UTF-8."""
    try:
        return from_json(body, allow_inf_nan=False)
    except ValueError:
        failed = values.wrong("it is not JSON")
    raise failed


def _later(seconds: float, words: str, status: int = 503) -> Response:
    """An answer after which senders try again."""
    after = str(max(1, min(300, math.ceil(seconds))))
    return JSONResponse({"error": f"{words} Try again in {after} s."}, status, {"retry-after": after})


def _alertmanager(body: Any, now: float) -> Notice | None:
    return alertmanager.notice(body, "alertmanager", now)


def _grafana(body: Any, now: float) -> Notice | None:
    return alertmanager.notice(body, "grafana", now)
