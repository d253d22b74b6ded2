"""`hivekeeper check` about what a diagnosis looks at."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from bot import doctor
from bot.app import Parts
from bot.settings import parse
from playground import accounts, broken
from playground.accounts import AccountsStandIn
from playground.prometheus import PrometheusStandIn
from playground.server import run_in_thread
from playground.status_page import StatusPageStandIn

World = tuple[PrometheusStandIn, AccountsStandIn, StatusPageStandIn, Parts]


@pytest.fixture
def world() -> Iterator[World]:
    prometheus, api, page = PrometheusStandIn(), AccountsStandIn(), StatusPageStandIn("quay.io")
    with ExitStack() as stack:
        urls = []
        for app in (prometheus.app(), api.app(), page.app()):
            server = run_in_thread(app)
            stack.callback(server.stop)
            urls.append(server.url)
        document = {
            "prometheus": {"us-south": {"address": urls[0]}},
            "endpoints": {"accounts": {"address": urls[1] + accounts.PATH},
                          "closed": {"address": f"http://127.0.0.1:{broken.unused_port()}"}},
            "status_pages": {"quay.io": {"address": urls[2]}},
        }  # fmt: skip
        yield prometheus, api, page, Parts(parse(document, "settings.yaml"))


def findings(parts: Parts) -> dict[str, doctor.Finding]:
    return {found.subject: found for found in (*doctor.prometheus(parts), *doctor.endpoints(parts))}


def test_all_that_is_looked_at_is_reached(world: World) -> None:
    """Each region, endpoint and status page has its finding; what is not reachable says how and what to do."""
    found = findings(world[-1])
    assert {subject: finding.good for subject, finding in found.items()} == {
        "prometheus us-south": True, "endpoint accounts": True, "endpoint closed": False, "status page quay.io": True,
    }  # fmt: skip
    assert "does not accept connections" in found["endpoint closed"].told
    assert found["endpoint closed"].now


def test_trouble_is_told(world: World) -> None:
    """A refused login, a page in HTML and partial results are told."""
    prometheus, api, page, parts = world
    prometheus.login, api.state, page.garbage = "made up", "html", b"<html>"
    found = findings(parts)
    assert not any(finding.good for finding in found.values())
    assert "does not accept the bot's login" in found["prometheus us-south"].told
    assert "does not speak Statuspage v2" in found["status page quay.io"].told
    prometheus.login, prometheus.warnings = None, ("a store is away",)
    assert findings(parts)["prometheus us-south"].told == "it answers queries, but not wholly: a store is away"


def test_nothing_to_look_at() -> None:
    """Settings without any of it have no findings about it."""
    assert findings(Parts(parse({}, "settings.yaml"))) == {}
