"""A stand-in for a Prometheus server: its query API v1 over scripted samples (upstream.md, seed 002).

prometheus = PrometheusStandIn()
prometheus.scrape({"method": "jwt", "status": "failed"}, count=14, since=3300, until=120)   # seconds ago
server = run_in_thread(prometheus.app())
"""

from __future__ import annotations

import asyncio
import base64
import bisect
import json
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any, NamedTuple

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from playground import promql

METRIC = "armada_kubx_deployer_redhat_auth"
MOST_POINTS = 11_000
STATUSES = {"bad_data": 400, "not_found": 404, "not_acceptable": 406, "execution": 422, "canceled": 499,
            "internal": 500, "unavailable": 500, "timeout": 503}  # fmt: skip
WORDS = {"timeout": "query timed out in expression evaluation",
         "execution": "query processing would load too many samples into memory in query execution"}  # fmt: skip


class Wrong(Exception):
    """Answered with Prometheus's error document."""

    def __init__(self, error: str, text: str) -> None:
        super().__init__(error, text)
        self.error, self.text = error, text


class Raw(NamedTuple):
    """Answered instead of anything else."""

    status: int = 200
    body: bytes = b""
    media_type: str = "text/html"
    headers: tuple[tuple[str, str], ...] = ()


class PrometheusStandIn:
    """`clock` says what now is. `fault`: an errorType of Prometheus's, or a `Raw` answer, for every query. `warnings`
    go with every success. `login`: "user:password" or a bearer token, else 401. `delay` in seconds. `log`: the queries
    that came, newest last."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self.fault: str | Raw | None = None
        self.warnings: tuple[str, ...] = ()
        self.login: str | None = None
        self.delay = 0.0
        self.log: deque[dict[str, str]] = deque(maxlen=1000)
        self._samples: promql.Samples = {}
        self._lock = threading.Lock()

    def sample(self, labels: dict[str, str], at: float, value: float = 1.0, *, metric: str = METRIC) -> None:
        """One scraped value, at that time (seconds since the epoch)."""
        series = promql.labels_of({"__name__": metric, **labels})
        with self._lock:
            bisect.insort(self._samples.setdefault(series, []), (at, value), key=lambda point: point[0])

    def scrape(
        self, labels: dict[str, str], *, count: int, since: float, until: float = 0, metric: str = METRIC
    ) -> None:
        """So many values, evenly from `since` seconds ago to `until` seconds ago."""
        now = self._clock()
        for turn in range(count):
            self.sample(labels, now - since + (since - until) * turn / max(count - 1, 1), metric=metric)

    def forget(self) -> None:
        """No samples any more, as after a renamed metric or a lost disk."""
        with self._lock:
            self._samples.clear()

    def heal(self) -> None:
        """Answer again, at once; the samples stay."""
        self.fault, self.warnings, self.delay = None, (), 0.0

    def app(self) -> Starlette:
        """The ASGI application."""
        methods = ["GET", "POST"]
        return Starlette(
            routes=[
                Route("/-/ready", self._ready),
                Route("/api/v1/query", self._endpoint(self._instant), methods=methods),
                Route("/api/v1/query_range", self._endpoint(self._range), methods=methods),
            ]
        )

    async def _ready(self, _: Request) -> Response:
        return Response("Prometheus Server is Ready.\n", media_type="text/plain")

    def _endpoint(self, answer: Callable[[dict[str, str]], dict[str, Any]]) -> Callable[[Request], Any]:
        async def endpoint(request: Request) -> Response:
            await asyncio.sleep(self.delay)
            if not self._let_in(request.headers.get("Authorization", "")):
                headers = {"WWW-Authenticate": "Basic"}
                return Response("Unauthorized\n", 401, media_type="text/plain", headers=headers)
            if isinstance(self.fault, Raw):
                fault = self.fault
                return Response(fault.body, fault.status, media_type=fault.media_type, headers=dict(fault.headers))
            form = await request.form() if request.method == "POST" else {}
            params = {**request.query_params, **{key: str(value) for key, value in form.items()}}
            self.log.append(params)
            return self._document(answer, params)

        return endpoint

    def _let_in(self, authorization: str) -> bool:
        if self.login is None:
            return True
        encoded = base64.b64encode(self.login.encode()).decode()
        return authorization in (f"Basic {encoded}", f"Bearer {self.login}")

    def _document(self, answer: Callable[[dict[str, str]], dict[str, Any]], params: dict[str, str]) -> Response:
        try:
            if isinstance(self.fault, str):
                raise Wrong(self.fault, WORDS.get(self.fault, "the stand-in was told to fail"))
            told: dict[str, Any] = {"status": "success", "data": answer(params)}
        except Wrong as wrong:
            return _json(STATUSES[wrong.error], {"status": "error", "errorType": wrong.error, "error": wrong.text})
        return _json(200, {**told, "warnings": list(self.warnings)} if self.warnings else told)

    def _instant(self, params: dict[str, str]) -> dict[str, Any]:
        at = _number(params, "time", self._clock())
        found = self._evaluate(params)(at)
        result = [{"metric": dict(ls), "value": [at, promql.spelled(v)]} for ls, (_, v) in found.items()]
        return {"resultType": "vector", "result": result}

    def _range(self, params: dict[str, str]) -> dict[str, Any]:
        start, end, step = (_number(params, name) for name in ("start", "end", "step"))
        if end < start:
            raise Wrong("bad_data", 'invalid parameter "end": end timestamp must not be before start time')
        if step <= 0:
            raise Wrong("bad_data", 'invalid parameter "step": zero or negative query resolution step widths are wrong')
        if (end - start) / step > MOST_POINTS:
            raise Wrong("bad_data", "exceeded maximum resolution of 11,000 points per timeseries")
        evaluate, lines = self._evaluate(params), dict[promql.Labels, list[list[Any]]]()
        for turn in range(int((end - start) / step + 1e-9) + 1):
            at = start + turn * step
            for labels, (_, value) in evaluate(at).items():
                lines.setdefault(labels, []).append([at, promql.spelled(value)])
        result = [{"metric": dict(labels), "values": values} for labels, values in lines.items()]
        return {"resultType": "matrix", "result": result}

    def _evaluate(self, params: dict[str, str]) -> Callable[[float], promql.Result]:
        try:
            expression = promql.parse(params.get("query", ""))
        except promql.ParseError as error:
            raise Wrong("bad_data", f'invalid parameter "query": parse error: {error}') from None
        with self._lock:
            samples = {labels: list(points) for labels, points in self._samples.items()}
        return lambda at: expression(samples, at)


def _number(params: dict[str, str], name: str, default: float | None = None) -> float:
    """A time or a duration of the request, in seconds."""
    if name not in params and default is not None:
        return default
    try:
        return promql.seconds(params.get(name, ""))
    except promql.ParseError:
        raise Wrong("bad_data", f'invalid parameter "{name}": cannot parse it') from None


def _json(status: int, body: dict[str, Any]) -> Response:
    return Response(json.dumps(body), status, media_type="application/json")
