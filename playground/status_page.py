"""A stand-in for a provider's status page: Statuspage v2, `/api/v2/summary.json` and `/api/v2/status.json`.

page = StatusPageStandIn("quay.io")
page.trouble("Registry", "partial_outage")
page.incident("Pulls fail", impact="major")
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

LEVELS = {"operational": 0, "under_maintenance": 0, "degraded_performance": 1, "partial_outage": 2, "major_outage": 3}
INDICATORS = (("none", "All Systems Operational"), ("minor", "Minor Service Outage"),
              ("major", "Partial System Outage"), ("critical", "Major Service Outage"))  # fmt: skip
MADE = "2026-01-01T00:00:00.000Z"


class StatusPageStandIn:
    """`fault`: a status that answers everything instead; `garbage`: a body that does, with 200; `delay` in seconds."""

    def __init__(self, name: str, components: tuple[str, ...] = ("API", "Registry", "Frontend")) -> None:
        self.name = name
        self.fault: int | None = None
        self.garbage: bytes | None = None
        self.delay = 0.0
        self._lock = threading.Lock()
        self._components = dict.fromkeys(components, "operational")
        self._incidents: list[dict[str, Any]] = []

    def trouble(self, component: str, status: str) -> None:
        """From now on this component has this status."""
        if status not in LEVELS:
            raise ValueError("no status of Statuspage v2")
        with self._lock:
            self._components[component] = status

    def incident(self, name: str, *, impact: str = "minor", status: str = "investigating") -> None:
        with self._lock:
            number = f"inc{len(self._incidents)}"
            self._incidents.append({"id": number, "name": name, "status": status, "impact": impact,
                                    "shortlink": f"https://status.example.com/{number}"})  # fmt: skip

    def heal(self) -> None:
        """All is well again."""
        with self._lock:
            self._components = dict.fromkeys(self._components, "operational")
            self._incidents.clear()
        self.fault, self.garbage, self.delay = None, None, 0.0

    def summary(self) -> dict[str, Any]:
        """What `/api/v2/summary.json` says now."""
        with self._lock:
            parts = [
                {"id": f"c{at}", "name": name, "status": status, "group": False, "group_id": None, "created_at": MADE}
                for at, (name, status) in enumerate(self._components.items())
            ]
            incidents = [dict(incident) for incident in self._incidents]
        worst = max((LEVELS[str(part["status"])] for part in parts), default=0)
        indicator, description = INDICATORS[worst]
        page = {"id": "stand-in", "name": self.name, "url": "https://status.example.com", "updated_at": MADE}
        return {"page": page, "components": parts, "incidents": incidents, "scheduled_maintenances": [],
                "status": {"indicator": indicator, "description": description}}  # fmt: skip

    def app(self) -> Starlette:
        """The ASGI application."""
        return Starlette(routes=[Route("/api/v2/{name}.json", self._endpoint)])

    async def _endpoint(self, request: Request) -> Response:
        await asyncio.sleep(self.delay)
        if self.fault:
            return Response("<h1>Something went wrong</h1>", self.fault, media_type="text/html")
        if self.garbage is not None:
            return Response(self.garbage, media_type="application/json")
        known: dict[str, tuple[str, ...]] = {
            "summary": ("page", "components", "incidents", "scheduled_maintenances", "status"),
            "status": ("page", "status"),
        }
        if request.path_params["name"] not in known:
            return Response("<h1>Not found</h1>", 404, media_type="text/html")
        whole = self.summary()
        body = {key: whole[key] for key in known[request.path_params["name"]]}
        return Response(json.dumps(body), media_type="application/json")
