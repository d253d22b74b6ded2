"""Prometheus, one per region, asked with prometheus-api-client. The client loads at the first question.

Its `custom_query` throws away warnings, `resultType` and the reason of an error; the session that it is given here
keeps the whole answer, and that is what is read (prometheus-api-client 0.7.2, `prometheus_connect.py`).
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from bot.core.errors import Refused, Told, Transient
from bot.core.outside import Matrix, Vector
from bot.core.secret import Secret
from bot.looking import BasicAuth, BearerAuth, Grafana, Prometheus
from bot.sources import SecretSource
from bot.tools import prometheus_answers as answers
from bot.tools.address import host
from bot.tools.http_answer import LOADING, Answer, twice

if TYPE_CHECKING:
    from prometheus_api_client import PrometheusConnect

Ask = Callable[["PrometheusConnect", dict[str, str]], object]  # with the parameters that every query has
OWN_SHARE = 0.9  # of our time is what the server gets, so that it can tell that it gave up


class PrometheusServers:
    """`bot.core.outside.Prometheus`. Thread-safe: every query has a connection of its own."""

    def __init__(self, servers: Mapping[str, Prometheus], resolve: Callable[[SecretSource], Secret]) -> None:
        self._servers = dict(servers)
        self._resolve = resolve

    def regions(self) -> tuple[str, ...]:
        return tuple(self._servers)

    def now(self, region: str, query: str) -> Vector:
        """An instant query, at the server's own time."""
        answer = self._asked(region, lambda client, params: client.custom_query(query, params=params))
        return answers.vector(answer, self._where(region))

    def over(self, region: str, query: str, *, start: float, end: float, step: float) -> Matrix:
        """A range query; times in seconds since the epoch, step in seconds."""
        exact = {"start": f"{start:.3f}", "end": f"{end:.3f}"}  # the client itself would round them

        def ask(client: PrometheusConnect, params: dict[str, str]) -> object:
            return client.custom_query_range(query, _time(start), _time(end), f"{step:g}", params={**params, **exact})

        return answers.matrix(self._asked(region, ask), self._where(region))

    def link(self, region: str, query: str, *, hours: float) -> str:
        server = self._server(region)
        if server.grafana:
            return _explore(server.grafana, query, hours)
        return f"{_base(server.address)}/graph?g0.expr={quote(query, safe='')}&g0.tab=0&g0.range_input={_span(hours)}"

    def _server(self, region: str) -> Prometheus:
        if region not in self._servers:
            known = ", ".join(self._servers) or "none"
            raise Refused("There is no Prometheus in the settings for that region.", f"Regions with one: {known}.")
        return self._servers[region]

    def _where(self, region: str) -> str:
        return f"Prometheus of {region} at {host(self._servers[region].address)}"

    def _asked(self, region: str, ask: Ask) -> Answer:
        """The answer, whatever it says. Raises when none came."""
        server = self._server(region)
        headers, auth = self._credentials(server)
        with LOADING:
            from prometheus_api_client import PrometheusConnect

            from bot.tools import http_session

        def look(seconds: float) -> Answer:
            session = http_session.Session(seconds=seconds, ca_file=server.ca_file)
            client = PrometheusConnect(
                _base(server.address), headers, auth=auth, session=session, timeout=seconds,
                retry=http_session.NO_RETRY,
            )  # fmt: skip
            params = {"timeout": f"{max(int(seconds * OWN_SHARE * 1000), 1)}ms"}
            return http_session.look(session, lambda _: ask(client, params))

        answer = twice(server.timeout, look)
        if answer.how != "answered":
            raise _unheard(answer, self._where(region), server.timeout)
        return answer

    def _credentials(self, server: Prometheus) -> tuple[dict[str, str], tuple[bytes, bytes] | None]:
        """Headers and basic login, read anew each time, so that a renewed secret is used at once."""
        headers = {n: v if isinstance(v, str) else self._resolve(v).reveal() for n, v in server.headers.items()}
        if isinstance(server.auth, BearerAuth):
            headers["Authorization"] = f"Bearer {self._resolve(server.auth.token).reveal()}"
        if isinstance(server.auth, BasicAuth):
            return headers, (server.auth.username.encode(), self._resolve(server.auth.password).reveal().encode())
        return headers, None


def _unheard(answer: Answer, where: str, seconds: float) -> Told:
    what = answer.silence(where, seconds)
    if answer.how in ("certificate", "tls", "ca_file"):
        return Refused(what, "Check the region's address and ca_file in the settings.")
    if answer.how == "unsendable":
        return Refused(what, "Check what the region's auth and headers name in the settings.")
    if answer.how == "dns":
        return Transient(what, "Check the host name in the settings and the name servers of the bot's machine.")
    if answer.how == "too_long":
        return Refused(what, "This is a fault of the bot or of its settings: report it, and run the query by hand.")
    return Transient(what, "Try again in a minute; if it goes on, check that it runs and that the network lets us.")


def _base(address: str) -> str:
    return address.rstrip("/")


def _time(at: float) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(at, datetime.UTC)


def _span(hours: float) -> str:
    """A length of time as Prometheus and Grafana write it: 3h, 90m."""
    minutes = max(round(hours * 60), 1)
    return f"{minutes // 60}h" if minutes % 60 == 0 else f"{minutes}m"


def _explore(grafana: Grafana, query: str, hours: float) -> str:
    source = {"type": "prometheus", "uid": grafana.datasource}
    shown: dict[str, Any] = {"refId": "A", "expr": query, "range": True, "instant": True, "datasource": source}
    pane = {"datasource": grafana.datasource, "queries": [shown], "range": {"from": f"now-{_span(hours)}", "to": "now"}}
    panes = quote(json.dumps({"a": pane}, separators=(",", ":")), safe="")
    return f"{_base(grafana.address)}/explore?schemaVersion=1&orgId={grafana.org}&panes={panes}"
