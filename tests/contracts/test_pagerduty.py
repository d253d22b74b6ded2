"""What the bot relies on in PagerDuty. Asked of the stand-in; and of the real one when HIVEKEEPER_LIVE_PAGERDUTY_KEY is
the integration key of a service made for this (its incidents wake somebody!), with HIVEKEEPER_LIVE_PAGERDUTY_TOKEN for a
REST key, HIVEKEEPER_LIVE_PAGERDUTY for the address of Events v2 and HIVEKEEPER_LIVE_PAGERDUTY_API for that of the REST
API where they are not the usual ones. What is raised is resolved again."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from playground.pagerduty import PagerDutyStandIn
from playground.server import run_in_thread

KEY = os.environ.get("HIVEKEEPER_LIVE_PAGERDUTY_KEY", "")
TOKEN = os.environ.get("HIVEKEEPER_LIVE_PAGERDUTY_TOKEN", "")
EVENTS = os.environ.get("HIVEKEEPER_LIVE_PAGERDUTY", "https://events.pagerduty.com")
API = os.environ.get("HIVEKEEPER_LIVE_PAGERDUTY_API", "https://api.pagerduty.com")


class Pager:
    """One PagerDuty, asked over HTTP. `key` is of an incident of this test's own."""

    def __init__(self, events: str, api: str, routing_key: str, token: str) -> None:
        self._events, self._api, self._routing_key = events, api, routing_key
        self.token, self.key = token, f"hivekeeper-contract-{secrets.token_hex(8)}"

    def event(self, action: str = "trigger", *, routing_key: str = "", **payload: Any) -> httpx.Response:
        whole = {"summary": "A test of hivekeeper, please ignore", "source": "hivekeeper", "severity": "info"} | payload
        event = {
            "routing_key": routing_key or self._routing_key, "event_action": action, "dedup_key": self.key,
            "payload": {name: value for name, value in whole.items() if value is not None},
        }  # fmt: skip
        return self.send(json=event)

    def send(self, **content: Any) -> httpx.Response:
        return httpx.post(f"{self._events}/v2/enqueue", timeout=60, **content)

    def rest(self, path: str, *, token: str | None = None, **params: str) -> httpx.Response:
        headers = {"Authorization": f"Token token={self.token if token is None else token}"}
        return httpx.get(self._api + path, headers=headers, params=params, timeout=60)

    def found(self) -> list[dict[str, Any]]:
        """The incidents with the key, once they are there: real ones take a moment."""
        deadline = time.monotonic() + 60
        while True:
            answer = self.rest("/incidents", incident_key=self.key, date_range="all", limit="5").json()["incidents"]
            if answer or time.monotonic() > deadline:
                return list(answer)
            time.sleep(0.2)


@pytest.fixture(params=["stand-in", *(["live"] if KEY else [])])
def pager(request: pytest.FixtureRequest) -> Iterator[Pager]:
    if request.param == "live":
        made = Pager(EVENTS, API, KEY, TOKEN)
        yield made
        made.event("resolve")
        return
    routing_key, token = secrets.token_hex(16), secrets.token_hex(8)
    server = run_in_thread(PagerDutyStandIn(routing_key, token).app())
    yield Pager(server.url, server.url, routing_key, token)
    server.stop()


def test_a_page_is_accepted(pager: Pager) -> None:
    """202, "success", and the key comes back."""
    answer = pager.event()
    assert answer.status_code == 202
    assert answer.json()["status"] == "success"
    assert answer.json()["dedup_key"] == pager.key


def test_the_same_key_is_the_same_incident(pager: Pager) -> None:
    """Raising it again is accepted, and the REST API knows one incident by the key."""
    assert pager.event().status_code == pager.event().status_code == 202
    if not pager.token:
        return
    (incident,) = pager.found()
    assert incident["incident_key"] == pager.key


def test_it_is_resolved_by_the_key(pager: Pager) -> None:
    """The end of an incident is an event too."""
    pager.event()
    assert pager.event("resolve").json()["status"] == "success"


@pytest.mark.parametrize("wrong", [{"summary": None}, {"source": None}, {"severity": "terrible"}])
def test_a_faulty_event_is_refused(pager: Pager, wrong: dict[str, Any]) -> None:
    """400, "invalid event", with a list of what is wrong."""
    answer = pager.event(**wrong)
    assert answer.status_code == 400
    assert answer.json()["status"] == "invalid event"
    assert isinstance(answer.json()["errors"], list)


def test_a_key_of_the_wrong_length_is_refused(pager: Pager) -> None:
    """400 at once: the bot's check may rely on 32 characters."""
    assert pager.event(routing_key="short").status_code == 400


def test_what_is_no_json_is_refused(pager: Pager) -> None:
    """400."""
    assert pager.send(content=b"{", headers={"Content-Type": "application/json"}).status_code == 400


def test_the_rest_api_wants_a_key(pager: Pager) -> None:
    """401 without a good one; with one it tells what the account can, which the bot's check asks."""
    assert pager.rest("/incidents", token="wrong").status_code == 401
    assert pager.rest("/abilities", token="wrong").status_code == 401
    if pager.token:
        answer = pager.rest("/abilities")
        assert (answer.status_code, isinstance(answer.json()["abilities"], list)) == (200, True)
