"""A stand-in for PagerDuty: Events v2, and as much of the REST API as finds an incident by its key (upstream.md).

pagerduty = PagerDutyStandIn(routing_key, api_token)
server = run_in_thread(pagerduty.app())     # both addresses are the server's
"""

from __future__ import annotations

import asyncio
import json
import threading
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

SEVERITIES = ("critical", "error", "warning", "info")
WORDS = {"invalid": "Event object is invalid"}


class PagerDutyStandIn:
    """`fault`: a status that answers everything instead, with `retry_after` if that is set; `cut`: what was asked is
    done, but the answer is an empty 502. `delay` in seconds. `events`: each accepted event, oldest first."""

    def __init__(self, routing_key: str, api_token: str = "") -> None:
        self._routing_key, self._api_token = routing_key, api_token
        self.fault: int | None = None
        self.retry_after: int | None = None
        self.cut = False
        self.delay = 0.0
        self.events: list[dict[str, Any]] = []
        self._incidents: dict[str, str] = {}
        self._lock = threading.Lock()

    @property
    def incidents(self) -> tuple[str, ...]:
        """The keys of the open incidents, oldest first."""
        with self._lock:
            return tuple(self._incidents)

    def app(self) -> Starlette:
        """The ASGI application."""
        return Starlette(
            routes=[
                Route("/v2/enqueue", self._enqueue, methods=["POST"]),
                Route("/incidents", self._list, methods=["GET"]),
                Route("/abilities", self._abilities, methods=["GET"]),
            ]
        )

    async def _enqueue(self, request: Request) -> Response:
        body = await request.body()
        await asyncio.sleep(self.delay)
        if fault := self._fault():
            return fault
        try:
            event = json.loads(body)
        except ValueError:
            return _json(400, {"status": "unrecognized object", "message": "Event object format is unrecognized"})
        if errors := self._errors(event):
            return _json(400, {"status": "invalid event", "message": WORDS["invalid"], "errors": errors})
        key = self._take(event)
        if self.cut:
            return Response(status_code=502)
        return _json(202, {"status": "success", "message": "Event processed", "dedup_key": key})

    def _errors(self, event: Any) -> list[str]:
        if not isinstance(event, dict):
            return ["Event must be an object"]
        payload = event.get("payload") if isinstance(event.get("payload"), dict) else {}
        assert isinstance(payload, dict)
        routing_key = str(event.get("routing_key", ""))
        checks = {
            "Length of 'routing_key' is incorrect (should be 32 characters)": len(routing_key) == 32,
            "Invalid routing key": routing_key == self._routing_key,
            "'event_action' is missing or unknown": event.get("event_action") in ("trigger", "acknowledge", "resolve"),
            "'payload.summary' is missing or blank": bool(str(payload.get("summary", "")).strip()),
            "'payload.summary' is too long": len(str(payload.get("summary", ""))) <= 1024,
            "'payload.source' is missing or blank": bool(str(payload.get("source", "")).strip()),
            "'payload.severity' is invalid": payload.get("severity") in SEVERITIES,
            "'dedup_key' is too long": len(str(event.get("dedup_key", ""))) <= 255,
        }
        return [text for text, good in checks.items() if not good]

    def _take(self, event: dict[str, Any]) -> str:
        with self._lock:
            self.events.append(event)
            key = str(event.get("dedup_key") or f"made-up-{len(self.events)}")
            if event["event_action"] == "resolve":
                self._incidents.pop(key, None)
            else:
                self._incidents.setdefault(key, f"Q{len(self.events)}")
        return key

    async def _list(self, request: Request) -> Response:
        await asyncio.sleep(self.delay)
        if fault := self._fault():
            return fault
        if request.headers.get("Authorization") != f"Token token={self._api_token}" or not self._api_token:
            return Response(status_code=401)
        wanted = request.query_params.get("incident_key")
        with self._lock:
            found = [{"id": id_, "type": "incident", "incident_key": key, "status": "triggered"}
                     for key, id_ in self._incidents.items() if wanted in (None, key)]  # fmt: skip
        return _json(200, {"incidents": found, "limit": 25, "offset": 0, "more": False})

    async def _abilities(self, request: Request) -> Response:
        await asyncio.sleep(self.delay)
        if fault := self._fault():
            return fault
        if request.headers.get("Authorization") != f"Token token={self._api_token}" or not self._api_token:
            return Response(status_code=401)
        return _json(200, {"abilities": ["teams"]})

    def _fault(self) -> Response | None:
        if self.fault is None:
            return None
        headers = {} if self.retry_after is None else {"Retry-After": str(self.retry_after)}
        return Response(b"<html>gobbledygook</html>", self.fault, headers, "text/html")


def _json(status: int, body: dict[str, Any]) -> Response:
    return Response(json.dumps(body), status, media_type="application/json")
