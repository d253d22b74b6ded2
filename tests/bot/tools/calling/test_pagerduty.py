"""Pages: taken once for a key, found again, and every refusal a sentence."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any

import pytest

from bot.calling import PagerDuty
from bot.core.errors import Refused, Told, Transient
from bot.tools.pagerduty import Pages
from playground.broken import unused_port
from playground.pagerduty import PagerDutyStandIn
from playground.tcp_proxy import proxied


@pytest.fixture
def pagerduty(served: Any, kept: dict[str, str], canary: Any) -> PagerDutyStandIn:
    kept |= {"KEY": canary.add("routing key", secrets.token_hex(16)), "API": canary("api token")}
    made = PagerDutyStandIn(kept["KEY"], kept["API"])
    served.app = made.app()
    return made


@pytest.fixture
def pages(served: Any, pagerduty: PagerDutyStandIn, resolve: Any) -> Callable[..., Pages]:
    def made(**changed: Any) -> Pages:
        document = {"routing_key": {"env": "KEY"}, "address": served.url, "api_address": served.url, "timeout": 60}
        return Pages(PagerDuty.model_validate(document | changed), resolve)

    return made


def page(tool: Pages, key: str = "k") -> None:
    tool.page(key, "It burns", severity="critical", details={"why": "fire"})


def test_a_page_is_taken(pages: Callable[..., Pages], pagerduty: PagerDutyStandIn) -> None:
    """The event holds summary, source, severity, details and the key; then it counts as raised, for the reader too."""
    tool = pages()
    assert not tool.raised("k")
    page(tool)
    (event,) = pagerduty.events
    assert event["dedup_key"] == "k"
    assert event["payload"] == {
        "summary": "It burns",
        "source": "hivekeeper",
        "severity": "critical",
        "custom_details": {"why": "fire"},
    }
    assert tool.raised("k")
    assert tool.reader.raised("k")
    assert not tool.raised("other")


def test_the_same_key_is_the_same_incident(pages: Callable[..., Pages], pagerduty: PagerDutyStandIn) -> None:
    """Paging again after a crash makes no second incident, whichever process does it."""
    page(pages())
    page(pages())
    assert pagerduty.incidents == ("k",)


def test_a_page_is_found_again_after_a_restart(pages: Callable[..., Pages], pagerduty: PagerDutyStandIn) -> None:
    """With a REST key a new process finds it; without one it says only what it knows."""
    page(pages())
    assert pages(api_token={"env": "API"}).raised("k")
    assert not pages(api_token={"env": "API"}).raised("other")
    assert not pages().raised("k")


def test_the_reader_cannot_page(pages: Callable[..., Pages]) -> None:
    """What planning gets has no way to page."""
    assert not hasattr(pages().reader, "page")


def test_a_lost_answer_is_not_taken_for_a_success(pages: Callable[..., Pages], pagerduty: PagerDutyStandIn) -> None:
    """The page was taken but the answer was lost: it is Transient, and the second try makes no second incident."""
    tool = pages()
    pagerduty.cut = True
    with pytest.raises(Transient):
        page(tool)
    assert not tool.raised("k")
    pagerduty.cut = False
    page(tool)
    assert pagerduty.incidents == ("k",)


@pytest.mark.parametrize(
    ("status", "kind"),
    [(s, Refused) for s in (302, 400, 401, 403, 404, 422)] + [(s, Transient) for s in (200, 202, 429, 500, 502, 503)],
)
def test_each_refusal_is_a_sentence(
    status: int, kind: type[Told], pages: Callable[..., Pages], pagerduty: PagerDutyStandIn, clean: Any
) -> None:
    """What a retry may mend is Transient, the rest Refused; no word of the server's travels."""
    pagerduty.fault = status
    for call in (lambda: page(pages()), lambda: pages(api_token={"env": "API"}).raised("k")):
        with pytest.raises(kind) as told:
            call()
        clean(told.value)
        assert str(status) in str(told.value)


def test_retry_after_is_kept(pages: Callable[..., Pages], pagerduty: PagerDutyStandIn) -> None:
    """A 429 says when to come again."""
    pagerduty.fault, pagerduty.retry_after = 429, 7
    with pytest.raises(Transient) as told:
        page(pages())
    assert told.value.after == 7


def test_a_wrong_key_is_refused(
    pages: Callable[..., Pages], pagerduty: PagerDutyStandIn, kept: dict[str, str], clean: Any
) -> None:
    """A routing key of the wrong length or of nobody names the setting, not the key."""
    for wrong in (kept["KEY"][:10], secrets.token_hex(16)):
        kept["KEY"] = wrong
        with pytest.raises(Refused, match=r"pagerduty\.routing_key") as told:
            page(pages())
        clean(told.value)


def test_a_long_summary_is_cut(pages: Callable[..., Pages], pagerduty: PagerDutyStandIn) -> None:
    """PagerDuty takes 1024 characters."""
    pages().page("k", "x" * 3000, severity="info", details={})
    assert len(pagerduty.events[0]["payload"]["summary"]) == 1024


def test_broken_ways(pages: Callable[..., Pages], served: Any, pagerduty: PagerDutyStandIn, clean: Any) -> None:
    """Reset, cut off, swallowed or not there at all: Transient each time, with a sentence."""
    with proxied(served.port) as way:
        for fault, value in (("reset", True), ("cut", 20), ("blackhole", True)):
            way.heal()
            setattr(way, fault, value)
            tool = pages(address=f"http://127.0.0.1:{way.port}", timeout=0.5 if way.blackhole else 60)
            with pytest.raises(Transient) as told:
                page(tool)
            clean(told.value)
    with pytest.raises(Transient, match="does not accept connections"):
        page(pages(address=f"http://127.0.0.1:{unused_port()}"))


def test_an_address_in_another_s_hands_gets_no_key(
    pages: Callable[..., Pages], pagerduty: PagerDutyStandIn, kept: dict[str, str]
) -> None:
    """A line break in the secret does not become a header."""
    kept["API"] = "abc\r\nX-Evil: 1"
    with pytest.raises(Refused, match="secrets"):
        pages(api_token={"env": "API"}).raised("k")
