"""The Prometheus stand-in beside its contract: faults, logins, scripted samples, and the PromQL it does not know."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from playground import promql
from playground.prometheus import METRIC, STATUSES, PrometheusStandIn, Raw
from playground.server import run_in_thread

Pair = tuple[PrometheusStandIn, httpx.Client]


@pytest.fixture(scope="module")
def shared() -> Iterator[Pair]:
    stand_in = PrometheusStandIn()
    server = run_in_thread(stand_in.app())
    with httpx.Client(base_url=server.url, trust_env=False) as client:
        yield stand_in, client
    server.stop()


@pytest.fixture
def pair(shared: Pair) -> Pair:
    """The server of this module, as if it were new."""
    stand_in, _ = shared
    stand_in.forget()
    stand_in.heal()
    stand_in.login = None
    return shared


def test_samples_are_scripted_and_forgotten(pair: Pair) -> None:
    """`scrape` spreads samples over the past, `forget` leaves no series."""
    stand_in, client = pair
    stand_in.scrape({"method": "jwt"}, count=3, since=100, until=20)
    now = time.time()
    asked = {"query": f"count_over_time({METRIC}[95s])", "time": f"{now:.3f}"}
    (series,) = client.get("/api/v1/query", params=asked).json()["data"]["result"]
    assert (series["metric"], series["value"][1]) == ({"method": "jwt"}, "2")
    stand_in.forget()
    assert client.get("/api/v1/query", params=asked).json()["data"]["result"] == []
    assert client.get("/-/ready").status_code == 200


def test_forms_are_read_too(pair: Pair) -> None:
    """A POST with a form is the same question."""
    stand_in, client = pair
    stand_in.sample({}, time.time() - 1, 7)
    told = client.post("/api/v1/query", data={"query": METRIC}).json()
    assert told["data"]["result"][0]["value"][1] == "7"
    assert stand_in.log[-1] == {"query": METRIC}


@pytest.mark.parametrize("error", STATUSES)
def test_faults_come_and_go(error: str, pair: Pair) -> None:
    """An errorType is answered with its status and document until the stand-in is healed."""
    stand_in, client = pair
    stand_in.fault = error
    answer = client.get("/api/v1/query", params={"query": METRIC})
    assert (answer.status_code, answer.json()["errorType"]) == (STATUSES[error], error)
    stand_in.fault = Raw(502, b"bad gateway", headers=(("Retry-After", "1"),))
    answer = client.get("/api/v1/query", params={"query": METRIC})
    assert (answer.status_code, answer.text, answer.headers["Retry-After"]) == (502, "bad gateway", "1")
    stand_in.heal()
    assert client.get("/api/v1/query", params={"query": METRIC}).json()["status"] == "success"


def test_warnings_and_logins(pair: Pair) -> None:
    """Warnings go with successes only; without the login there is nothing but 401."""
    stand_in, client = pair
    stand_in.warnings = ("a store is away",)
    assert client.get("/api/v1/query", params={"query": METRIC}).json()["warnings"] == ["a store is away"]
    assert "warnings" not in client.get("/api/v1/query", params={"query": "("}).json()
    stand_in.login = "keeper:made-up"
    assert client.get("/api/v1/query", params={"query": METRIC}).status_code == 401
    assert client.get("/api/v1/query", params={"query": METRIC}, auth=("keeper", "made-up")).status_code == 200
    stand_in.login = "made-up-token"
    headers = {"Authorization": "Bearer made-up-token"}
    assert client.get("/api/v1/query", params={"query": METRIC}, headers=headers).status_code == 200


@pytest.mark.parametrize("params", [{"query": METRIC, "time": "x"}, {"query": "rate(x[5m])"}, {"query": 'a{b=~"("}'},
                                    {"query": "a{b=c}"}, {"query": "a b"}, {"query": "a{b<c}"}, {"query": "a~"}])  # fmt: skip
def test_what_it_does_not_know_is_bad_data(params: dict[str, str], pair: Pair) -> None:
    """More PromQL than is known, and nonsense, is answered as a typing mistake, not with a number."""
    answer = pair[1].get("/api/v1/query", params=params)
    assert (answer.status_code, answer.json()["errorType"]) == (400, "bad_data")


@given(st.text(alphabet='ab_sumby(){}[],="~! 5mh\\', max_size=40))
def test_no_text_breaks_the_parser(text: str) -> None:
    """Any text is an expression or a ParseError."""
    try:
        expression = promql.parse(text)
    except promql.ParseError:
        return
    assert isinstance(expression({(("__name__", "a"),): [(0.0, 1.0)]}, 1.0), dict)


@given(st.floats())
def test_numbers_are_spelled_to_be_read_again(value: float) -> None:
    """What is spelled reads as the same number."""
    again = float(promql.spelled(value))
    assert again == value or (math.isnan(again) and math.isnan(value))


@pytest.mark.parametrize(
    ("text", "value"), [("5m", 300), ("1h30m", 5400), ("250ms", 0.25), ("12.5", 12.5), ("2d", 172800)]
)
def test_durations(text: str, value: float) -> None:
    """Durations read as Prometheus reads them."""
    assert promql.seconds(text) == value


@pytest.mark.parametrize("text", ["", "m", "5x", "-1m", "5m ", "5m5"])
def test_no_durations(text: str) -> None:
    """Other texts are none."""
    with pytest.raises(promql.ParseError):
        promql.seconds(text)
