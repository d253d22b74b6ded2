"""What is quoted from providers' status pages."""

from __future__ import annotations

import json
import socket
import threading
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.outside import StatusPage
from bot.looking import StatusPage as Page
from bot.tools import status_pages
from bot.tools.http_answer import Answer
from bot.tools.status_pages import ReadPages
from playground import broken
from playground.server import run_in_thread
from playground.status_page import StatusPageStandIn
from playground.tcp_proxy import proxied


@pytest.fixture
def page(served: Any) -> StatusPageStandIn:
    fresh = StatusPageStandIn("quay.io")
    served.app = fresh.app()
    return fresh


def read(url: str, timeout: float = 60) -> StatusPage:
    (only,) = ReadPages({"quay.io": Page(address=url, timeout=timeout)}).read()
    return only


def test_all_is_well(served: Any, page: StatusPageStandIn) -> None:
    """A page without trouble names no component and no incident."""
    assert read(served.url + "/") == StatusPage(name="quay.io", address=served.url + "/", indicator="none")


def test_only_what_is_not_well_is_quoted(served: Any, page: StatusPageStandIn) -> None:
    """Components with their status, open incidents with impact and status, nothing that is well or over."""
    page.trouble("Registry", "partial_outage")
    page.trouble("Frontend", "under_maintenance")
    page.incident("Pulls fail", impact="major", status="identified")
    page.incident("Slow pulls", impact="none", status="monitoring")
    page.incident("Long ago", status="resolved")
    told = read(served.url)
    assert told.indicator == "major"
    assert told.components == ("Registry: partial outage", "Frontend: under maintenance")
    assert told.incidents == ("Pulls fail: major, identified", "Slow pulls: monitoring")
    page.heal()
    assert read(served.url).components == ()


def test_names_are_cleaned_and_cut(served: Any, page: StatusPageStandIn) -> None:
    """A provider's words are one line each, cut, and only so many."""
    page.trouble("A\n\u202eB " + "c" * 500, "major_outage")
    for turn in range(20):
        page.incident(f"Incident {turn}")
    told = read(served.url)
    assert told.components[0].startswith("A B ccc")
    assert told.components[0].endswith("…: major outage")
    assert len(told.components[0]) < 140
    assert (len(told.incidents), told.incidents[-1]) == (9, "and 12 more")


def test_groups_are_told_by_their_parts(served: Any) -> None:
    """A group repeats what its parts say; it is left out."""
    parts = [{"name": "All", "status": "major_outage", "group": True}, {"name": "One", "status": "major_outage"}, 7, {}]
    summary = {"status": {"indicator": "maintenance"}, "components": parts, "incidents": None}
    with broken.broken(broken.cut(broken.answer(200, json.dumps(summary).encode()))) as server:
        told = read(server.url)
    assert (told.indicator, told.components, told.incidents) == ("unknown", ("One: major outage",), ())


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (200, b"<html>", "does not speak Statuspage v2"),
        (200, b"", "does not speak Statuspage v2"),
        (200, b"[]", "does not speak Statuspage v2"),
        (200, b'{"status": "good"}', "does not speak Statuspage v2"),
        (301, b"", "has moved (301)"),
        (404, b"<html>", "answered with an error (404)"),
        (503, b"<html>", "answered with an error (503)"),
    ],
)
def test_pages_that_cannot_be_read_say_why(status: int, body: bytes, words: str) -> None:
    """An unreadable page is not a healthy one: its indicator is unknown, and the trouble is told."""
    moved = "Location: https://elsewhere.example.com/"
    with broken.broken(broken.cut(broken.answer(status, body, moved))) as server:
        told = read(server.url)
    assert told.indicator == "unknown"
    assert words in told.trouble
    assert told.trouble.startswith("The status page of quay.io ")


def test_broken_ways(served: Any, page: StatusPageStandIn) -> None:
    """Reset, cut and swallowed are told; a blip is not."""
    with proxied(served.port) as way:
        url = f"http://127.0.0.1:{way.port}"
        way.cut = 50
        assert "broke off" in read(url).trouble
        way.heal()
        way.blackhole = True
        assert "did not answer within 0.4 s" in read(url, 0.4).trouble
        way.heal()
        way.reset, way.failing = True, way.connections + 1
        assert read(url).indicator == "none"


def test_a_dead_page_does_not_hold_up_the_others(served: Any, page: StatusPageStandIn) -> None:
    """Pages are read side by side, in the order of the settings: here none of the dead ones ends before all of them
    have been asked."""
    asked = threading.Barrier(4)

    def dies(_: socket.socket, __: threading.Event) -> None:
        asked.wait(30)

    with broken.broken(dies) as dead:
        pages = {f"dead {n}": Page(address=dead.url, timeout=60) for n in range(4)}
        told = ReadPages({**pages, "quay.io": Page(address=served.url, timeout=60)}).read()
        assert not asked.broken
    assert [p.name for p in told] == [*pages, "quay.io"]
    assert [bool(p.trouble) for p in told] == [True] * 4 + [False]


def test_no_pages() -> None:
    """Without pages there is nothing to read."""
    assert ReadPages({}).read() == ()


def test_the_stand_in_knows_both_documents() -> None:
    """`status.json` is the short form of `summary.json`; other paths are not found."""
    import httpx

    stand_in = StatusPageStandIn("Red Hat")
    server = run_in_thread(stand_in.app())
    with httpx.Client(base_url=server.url, trust_env=False) as client:
        short, whole = client.get("/api/v2/status.json").json(), client.get("/api/v2/summary.json").json()
        assert short == {key: whole[key] for key in ("page", "status")}
        assert client.get("/api/v2/else.json").status_code == 404
    server.stop()
    with pytest.raises(ValueError, match="no status"):
        stand_in.trouble("API", "fine")


JSONISH = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.just("operational"),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["status", "components", "incidents", "name", "indicator", "impact"]), inner)
    ),
    max_leaves=12,
)


@given(JSONISH)
def test_any_summary_is_survived(summary: Any) -> None:
    """Whatever a page says, there is a value or a trouble."""
    answer = Answer("answered", 200, json.dumps(summary).encode())
    if not status_pages._trouble(answer, "It", 1):
        StatusPage(
            name="x", address="https://x.example.com", indicator=status_pages._indicator(answer.object or {}),
            components=status_pages.some(status_pages._components(answer.object or {}), 3),
            incidents=status_pages.some(status_pages._incidents(answer.object or {}), 3),
        )  # fmt: skip
