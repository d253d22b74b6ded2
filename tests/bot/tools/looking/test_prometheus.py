"""Queries and their values: what the bot makes of what Prometheus answers."""

from __future__ import annotations

import asyncio
import json
import math
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from pydantic import ValidationError

from bot.core.errors import Refused, Transient
from bot.core.outside import Vector
from bot.looking import Prometheus
from bot.sources import FromEnv
from bot.tools.prometheus import PrometheusServers
from playground.prometheus import METRIC, PrometheusStandIn, Raw

Open = Callable[..., PrometheusServers]
SEED = {("jwt", "success"): 34, ("jwt", "failed"): 14, ("token", "success"): 14}


def counts(vector: Vector) -> dict[tuple[str, str], float | None]:
    return {(s.labels.get("method", ""), s.labels.get("status", "")): s.value for s in vector.samples}


def fill(stand_in: PrometheusStandIn, wanted: dict[tuple[str, str], int]) -> None:
    for (method, status), count in wanted.items():
        stand_in.scrape({"method": method, "status": status, "instance": "d-0"}, count=count, since=3000, until=60)


def test_the_query_of_the_seed(stand_in: PrometheusStandIn, open_it: Open, query: str) -> None:
    """The counts per method and status are the samples of the last hour, and the query went out to the letter."""
    fill(stand_in, SEED)
    assert counts(open_it().now("us-south", query)) == SEED
    assert stand_in.log[-1]["query"] == query
    assert stand_in.log[-1]["timeout"] == "54000ms"


def test_nothing_there_is_an_empty_vector(open_it: Open, query: str) -> None:
    """An absent metric is no sample, not a zero and not an error."""
    assert open_it().now("us-south", query) == Vector(samples=())


def test_over_time(stand_in: PrometheusStandIn, open_it: Open, query: str) -> None:
    """A range gives a point per step, exactly from start to end, in order of time."""
    fill(stand_in, SEED)
    end = math.floor(time.time()) - 0.25
    matrix = open_it().over("us-south", query, start=end - 600, end=end, step=60)
    assert {tuple(sorted(line.labels.items())) for line in matrix.lines} == {
        (("method", method), ("status", status)) for method, status in SEED
    }
    for line in matrix.lines:
        assert [at for at, _ in line.points] == [end - 600 + 60 * turn for turn in range(11)]
        values = [value for _, value in line.points if value is not None]
        assert values == sorted(values)


def test_warnings_come_along(stand_in: PrometheusStandIn, open_it: Open, query: str) -> None:
    """Partial results say so; the warning is one line without hidden signs, cut, and at most five are told."""
    stand_in.warnings = ("a store\nis \u202eaway", "x" * 5000, *(f"w{n}" for n in range(9)))
    warnings = open_it().now("us-south", query).warnings
    assert warnings[0] == "a store is away"
    assert len(warnings[1]) == 200
    assert (len(warnings), warnings[-1]) == (6, "and 6 more")
    assert open_it().over("us-south", query, start=0, end=60, step=60).warnings == warnings


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_numbers_that_say_nothing(value: float, stand_in: PrometheusStandIn, open_it: Open) -> None:
    """NaN and infinities become None, at one time and over time."""
    now = time.time()
    stand_in.sample({"method": "jwt"}, now - 30, value)
    assert [s.value for s in open_it().now("us-south", METRIC).samples] == [None]
    line = open_it().over("us-south", METRIC, start=now - 20, end=now, step=10).lines[0]
    assert [v for _, v in line.points] == [None] * 3


def answering(stand_in: PrometheusStandIn, kind: str, result: Any) -> None:
    document = {"status": "success", "data": {"resultType": kind, "result": result}}
    stand_in.fault = Raw(body=json.dumps(document).encode(), media_type="application/json")


def test_other_kinds_of_results(stand_in: PrometheusStandIn, open_it: Open, query: str) -> None:
    """A scalar is one sample without labels, a native histogram has no value; a range where a value was wanted, and the
    reverse, is a fault of the query."""
    answering(stand_in, "scalar", [7.5, "42"])
    (sample,) = open_it().now("us-south", query).samples
    assert (sample.labels, sample.at, sample.value) == ({}, 7.5, 42)
    answering(stand_in, "vector", [{"metric": {"a": "b"}, "histogram": [7, {"count": "1"}]}])
    assert [(s.at, s.value) for s in open_it().now("us-south", query).samples] == [(7, None)]
    answering(stand_in, "matrix", [{"metric": {}, "values": [[1, "1"]], "histograms": [[0, {"count": "1"}]]}])
    assert open_it().over("us-south", query, start=0, end=1, step=1).lines[0].points == ((0, None), (1, 1))
    with pytest.raises(Refused, match="does not give a value per series"):
        open_it().now("us-south", query)
    answering(stand_in, "vector", [])
    with pytest.raises(Refused, match="does not give a range"):
        open_it().over("us-south", query, start=0, end=1, step=1)


GARBLED: list[tuple[str, Any]] = [
    ("vector", None), ("vector", {}), ("vector", [7]), ("vector", [{}]), ("vector", [{"metric": {}}]),
    ("vector", [{"metric": {"a": 1}, "value": [1, "1"]}]), ("vector", [{"metric": {}, "value": [1, 1]}]),
    ("vector", [{"metric": {}, "value": [1, "gobbledygook"]}]), ("vector", [{"metric": {}, "value": ["1", "1"]}]),
    ("vector", [{"metric": {}, "value": [True, "1"]}]), ("vector", [{"metric": {}, "value": [1]}]),
    ("vector", [{"metric": {}, "histogram": 7}]), ("vector", [{"metric": {}, "value": [10**400, "1"]}]),
    ("vector", [{"metric": {}, "value": [math.nan, "1"]}]), ("scalar", [1]), (7, []),  # type: ignore[list-item]  # on purpose
]  # fmt: skip


@pytest.mark.parametrize(("kind", "result"), GARBLED)
def test_wrong_shapes_are_not_believed(
    kind: str, result: Any, stand_in: PrometheusStandIn, open_it: Open, query: str
) -> None:
    """A success in another shape than the API's is no value and no crash."""
    answering(stand_in, kind, result)
    with pytest.raises(Transient, match="does not speak like Prometheus") as told:
        open_it().now("us-south", query)
    assert "gobbledygook" not in str(told.value)


def test_wrong_shapes_of_ranges(stand_in: PrometheusStandIn, open_it: Open, query: str) -> None:
    """The same for ranges."""
    for result in ([{"metric": {}, "values": 7}], [{"metric": {}, "values": [7]}], [{"metric": {}, "histograms": {}}]):
        answering(stand_in, "matrix", result)
        with pytest.raises(Transient, match="does not speak like Prometheus"):
            open_it().over("us-south", query, start=0, end=1, step=1)


def test_basic_login_bearer_and_headers(
    stand_in: PrometheusStandIn, open_it: Open, query: str, secrets: dict[str, str], canary: Any
) -> None:
    """Each way of logging in is accepted, read anew each time, and its absence is told as such."""
    secrets |= {"P": canary("password"), "T": canary("token"), "H": canary("header")}
    canary.watch("the log", lambda: repr(stand_in.log))
    basic = open_it(auth={"method": "basic", "username": "keeper", "password": {"env": "P"}})
    bearer = open_it(auth={"method": "bearer", "token": {"env": "T"}})
    by_header = open_it(headers={"Authorization": {"env": "H"}, "X-Scope-OrgID": "armada"})
    stand_in.login = f"keeper:{secrets['P']}"
    basic.now("us-south", query)
    for other in (bearer, by_header, open_it()):
        with pytest.raises(Refused, match="does not accept the bot's login"):
            other.now("us-south", query)
    stand_in.login = secrets["T"]
    bearer.now("us-south", query)
    secrets["T"] = stand_in.login = canary("new token")
    bearer.now("us-south", query)
    secrets["H"] = f"Bearer {stand_in.login}"
    by_header.now("us-south", query)


@pytest.mark.parametrize("bad", ["\n", "\r\nx: y", "ü€"])
def test_a_token_with_a_line_break_is_not_shown(
    bad: str, open_it: Open, query: str, secrets: dict[str, str], canary: Any
) -> None:
    """The client quotes a bad header in its error; ours does not."""
    secrets["T"] = canary("bad") + bad
    with pytest.raises(Refused, match="characters that none may have") as told:
        open_it(auth={"method": "bearer", "token": {"env": "T"}}).now("us-south", query)
    assert secrets["T"][:20] not in repr(told.value)


def test_settings_keep_secrets_out() -> None:
    """A secret header must be a reference; an address must be plain; errors do not repeat either."""
    for wrong in (
        {"headers": {"Authorization": "Bearer hush"}}, {"headers": {"X-Api-Key": "hush"}}, {"headers": {"a b": "hush"}},
        {"headers": {"X": "hush\nY: hush"}}, {"address": "https://user:hush@p.example.com"}, {"address": "hush"},
        {"address": "https://p.example.com/?x=hush"}, {"address": "ftp://hush"}, {"address": "http://hush:99999"},
        {"address": "http://[hush"},
    ):  # fmt: skip
        with pytest.raises(ValidationError) as told:
            Prometheus.model_validate({"address": "https://p.example.com", **wrong})
        assert "hush" not in str(told.value)
    kept = Prometheus.model_validate({"address": "https://p.example.com", "headers": {"X-Api-Key": {"env": "K"}}})
    assert kept.headers == {"X-Api-Key": FromEnv(env="K")}


def test_links_for_people(open_it: Open, query: str) -> None:
    """A link shows the same query and range: in Prometheus, or in Grafana's Explore when that is configured."""
    plain = urlsplit(open_it(address="https://p.example.com/prom/").link("us-south", query, hours=3))
    assert plain.path == "/prom/graph"
    assert parse_qs(plain.query) == {"g0.expr": [query], "g0.tab": ["0"], "g0.range_input": ["3h"]}
    grafana = {"address": "https://g.example.com/", "datasource": "prom-1"}
    explore = urlsplit(open_it(grafana=grafana).link("us-south", 'm{a="b&c#"}', hours=1.5))
    assert (explore.netloc, explore.path) == ("g.example.com", "/explore")
    pane = json.loads(parse_qs(explore.query)["panes"][0])["a"]
    assert (pane["datasource"], pane["queries"][0]["expr"], pane["range"]["from"]) == (
        "prom-1", 'm{a="b&c#"}', "now-90m")  # fmt: skip


def test_regions(open_it: Open, query: str) -> None:
    """Regions are those of the settings; another one, as an alert may name it, is refused without repeating it."""
    servers = open_it()
    assert servers.regions() == ("us-south",)
    for ask in (servers.now, lambda region, q: servers.link(region, q, hours=1)):
        with pytest.raises(Refused, match="Regions with one: us-south") as told:
            ask("<!channel>", query)
        assert "channel" not in str(told.value)


class Gate:
    """An application that answers nobody before `wanted` have asked."""

    def __init__(self, app: Any, wanted: int) -> None:
        self._app, self._wanted, self._open = app, wanted, asyncio.Event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self._wanted -= 1
        if self._wanted <= 0:
            self._open.set()
        await self._open.wait()
        await self._app(scope, receive, send)


def test_regions_side_by_side(served: Any, stand_in: PrometheusStandIn, open_it: Open) -> None:
    """Twelve queries wait for their answers at the same time, and none gets another's."""
    fill(stand_in, SEED)
    served.app = Gate(stand_in.app(), 12)
    servers = open_it(timeout=30)

    def ask(method: str) -> tuple[str, list[float]]:
        vector = servers.now("us-south", f'sum by (status) (count_over_time({METRIC}{{method="{method}"}}[1h]))')
        return method, sorted(sample.value or 0 for sample in vector.samples)

    with ThreadPoolExecutor(12) as pool:
        found = list(pool.map(ask, ("jwt", "token", "none") * 4))
    assert found == [("jwt", [14, 34]), ("token", [14]), ("none", [])] * 4


def test_the_client_loads_at_the_first_question() -> None:
    """Making the tools loads no HTTP client: the bot starts fast."""
    code = (
        "import sys, json; from bot import looking; from bot.tools import endpoint, prometheus, status_pages as s; "
        "prometheus.PrometheusServers({'x': looking.Prometheus(address='http://x')}, None).regions(); "
        "endpoint.CheckedEndpoints({}); s.ReadPages({}).read(); print(json.dumps(sorted(sys.modules)))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert not {"prometheus_api_client", "requests", "urllib3"} & set(json.loads(found.stdout))
