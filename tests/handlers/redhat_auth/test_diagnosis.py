"""What is told about Red Hat logins, with every outside system well, down or lying."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bot.core.diagnosis import Mood
from bot.core.errors import Refused
from bot.core.plan import Answer
from handlers import ALERT_HANDLERS, diagnose_redhat_auth, open_cie
from handlers.redhat_auth import ALERT, METRIC, QUERY
from handlers.redhat_auth_look import seconds
from playground.prometheus import Raw


def names(found: Any) -> list[str]:
    return [step.name for step in found.steps]


def offers(found: Any) -> dict[str, dict[str, Any]]:
    return {step.offer.command: step.offer.ask for step in found.steps if step.offer}


def test_both_fail(world: Any) -> None:
    """A CIE: its verdict, since when, the counts, a picture, and the four steps with their buttons filled in."""
    world.well(), world.both_fail()
    found = world.diagnose()
    assert (found.verdict, found.mood, found.over) == ("both_failing", Mood.BAD, False)
    assert "us-south" in found.title
    assert abs(found.since - (1_900_000_000 - 40 * 60)) <= 60
    assert found.chart.begins == found.since
    assert names(found) == ["open-cie", "contact-redhat", "escalate", "monitor"]
    filled = {"region": "us-south", "incident": "i-abc"}
    assert offers(found) == {"open-cie": filled, "contact-redhat": filled, "escalate-redhat-auth": filled}
    assert found.table.head == ("method", "status", "last hour", "last seen")
    assert ("token", "failed", "40", "now") in found.table.rows
    assert found.unchecked == ()
    assert any("g0.expr" in link.text for link in found.links)


def test_the_query_is_the_seeds(world: Any) -> None:
    """What Prometheus is asked is the runbook's query, to the letter; over time with a short window."""
    world.well()
    world.diagnose()
    asked = [entry["query"] for entry in world.prometheus["us-south"].log]
    assert asked == [QUERY, QUERY.replace("[1h]", "[5m]")]
    assert not world.prometheus["eu-de"].log


def test_the_picture(world: Any) -> None:
    """One line for each method and outcome on one grid with gaps, the begin marked, the numbers in words."""
    world.well(), world.happened("jwt", "failed", 30, since=90, until=60)
    chart = world.diagnose().chart
    assert [(line.name, line.bad) for line in chart.series] == [("jwt failed", True), ("jwt success", False)]
    assert {len(line.points) for line in chart.series} == {181}
    assert chart.series[0].points[-1][1] is None
    assert "jwt failed: none at the end, at most" in chart.alt
    assert chart.threshold == pytest.approx(10 / 3, abs=0.01)


def test_jwt_over_calls_for_watching_only(world: Any) -> None:
    """Over: no CIE, no support; the last failure is told."""
    world.well(), world.happened("jwt", "failed", 20, since=50, until=30)
    found = world.diagnose()
    assert (found.verdict, found.mood, found.over) == ("jwt_over", Mood.WATCH, True)
    assert names(found) == ["monitor"]
    assert "Last failure" in [note.label for note in found.evidence]


def test_all_is_well(world: Any) -> None:
    """Nothing to do, and nothing offered."""
    world.well()
    found = world.diagnose()
    assert (found.verdict, found.mood, found.over, found.steps) == ("healthy", Mood.GOOD, True, ())


def test_the_endpoint_is_down(world: Any) -> None:
    """A CIE, with what the status page says by component and incident; logins that still work are pointed out."""
    world.well()
    world.accounts.state = 503
    world.page.trouble("Registry", "partial_outage")
    world.page.incident("Pulls fail", impact="major")
    found = world.diagnose()
    assert (found.verdict, found.mood) == ("endpoint_down", Mood.BAD)
    assert "open-cie" in names(found)
    told = {note.label: note.text for note in found.evidence}
    assert "Registry" in told["Status page quay.io"]
    assert "Pulls fail" in told["Status page quay.io"]
    assert any("Logins still work" in line for line in found.reason)


@pytest.mark.parametrize("state", ["html", "login", "empty", "garbage", 500, 404])
def test_what_is_no_answer_of_the_api(state: str | int, world: Any) -> None:
    """A page, a login form, nothing, or an error in the API's place is an endpoint that is down."""
    world.well()
    world.accounts.state = state
    assert world.diagnose().verdict == "endpoint_down"


@pytest.mark.parametrize("state", ["up", "open", "forbidden"])
def test_what_is_an_answer_of_the_api(state: str, world: Any) -> None:
    """JSON, or JSON that asks for a login, is an endpoint that works."""
    world.well()
    world.accounts.state = state
    assert world.diagnose().verdict == "healthy"


def test_an_endpoint_nobody_configured(world: Any) -> None:
    """It is told as not checked, with what to do by hand, and does not count as down."""
    world.both_fail()
    found = world.diagnose(without=("endpoints",))
    assert found.verdict == "both_failing"
    assert names(found)[0] == "check-endpoint"
    assert [note.label for note in found.unchecked] == ["Accounts endpoint"]
    assert "By hand: Ask the accounts endpoint" in found.unchecked[0].text


@pytest.mark.parametrize(
    ("fault", "verdict"),
    [
        ("timeout", "prometheus_down"),
        ("internal", "prometheus_down"),
        ("bad_data", "query_failed"),
        ("execution", "query_failed"),
        (Raw(401), "query_failed"),
        (Raw(502), "prometheus_down"),
        (Raw(200, b"<html>"), ""),
    ],
)
def test_prometheus_does_not_tell(fault: Any, verdict: str, world: Any) -> None:
    """Down and refused are told apart, nothing of it is called well, and the step by hand stands beside it."""
    world.well()
    world.prometheus["us-south"].fault = fault
    found = world.diagnose()
    assert found.verdict.startswith(f"no_data_{verdict}")
    assert (found.mood, found.over) == (Mood.UNKNOWN, False)
    assert "By hand: Run the runbook's query" in found.unchecked[0].text
    assert QUERY in found.unchecked[0].text
    assert QUERY in found.steps[0].text
    assert names(found) == ["find-method", "escalate"]


def test_the_metric_is_gone(world: Any) -> None:
    """An empty answer is no good news."""
    found = world.diagnose()
    assert (found.verdict, found.mood) == ("no_data_metric_absent", Mood.UNKNOWN)


def test_a_part_of_the_data(world: Any) -> None:
    """A warning of Prometheus's keeps a good verdict from being given."""
    world.well()
    world.prometheus["us-south"].warnings = ("partial response",)
    assert world.diagnose().verdict == "unclear"


def test_without_a_region_the_worst_leads(world: Any) -> None:
    """All regions are looked at; the title names the worst, the others follow, and the table has them all."""
    world.well("us-south"), world.well("eu-de"), world.both_fail("eu-de")
    found = world.diagnose(key="")
    assert found.verdict == "both_failing"
    assert "eu-de" in found.title
    assert offers(found)["open-cie"] == {"region": "eu-de", "incident": "i-abc"}
    assert {row[0] for row in found.table.rows} == {"us-south", "eu-de"}
    assert ("us-south", "Logins to Red Hat are well") in [(note.label, note.text) for note in found.evidence]


def test_two_regions_fail(world: Any) -> None:
    """The title counts them, and the buttons name none."""
    world.both_fail("us-south"), world.both_fail("eu-de")
    found = world.diagnose(key="")
    assert "2 regions" in found.title
    assert offers(found)["open-cie"] == {"incident": "i-abc"}


def test_a_region_nobody_knows(world: Any, alert: Callable[..., Any]) -> None:
    """A label of the alert's that the settings do not know reaches no query; it is said, and the others are looked at."""
    world.well("us-south"), world.well("eu-de")
    evil = 'x"}[1h])) or vector(1) #<!channel>'
    found = world.diagnose(key=evil, alerts=(alert(region=evil),))
    assert found.verdict == "no_data_not_configured"
    assert not found.over
    assert all(evil not in str(entry) for one in world.prometheus.values() for entry in one.log)
    assert len(world.prometheus["eu-de"].log) == 2
    assert all(offer == {"incident": "i-abc"} for offer in offers(found).values())


def test_no_prometheus_at_all(world: Any) -> None:
    """Nothing is known, and that is what is said."""
    found = world.diagnose(regions=())
    assert found.verdict == "no_data_not_configured"
    assert found.mood is Mood.UNKNOWN


def test_a_label_by_another_name(world: Any, alert: Callable[..., Any]) -> None:
    """The settings say which label names the region, where the incident's key does not."""
    world.well("us-south"), world.both_fail("eu-de")
    world.settings = world.settings.model_copy(update={"region_label": "dc"})
    assert world.diagnose(key="", alerts=(alert(dc="eu-de"),)).title.endswith("open a CIE")
    assert not world.prometheus["us-south"].log


def test_a_cie_that_is_open_is_linked(world: Any) -> None:
    """Once the issue is there, the next look shows it; the button is gone once it is known that somebody was paged."""
    world.both_fail()
    tools = world.tools()
    tools.tracker.open("x", "y", labels=(), marker="hivekeeper/redhat-auth/cie/i-abc")
    found = world.diagnose(without=("pager",))
    assert found.evidence[0].label == "CIE"
    assert found.evidence[0].text.endswith("/issues/1")
    assert found.title.endswith("its CIE is open")
    assert found.steps[0].text.endswith("/issues/1")
    assert "open-cie" in names(found)
    assert "open-cie" not in offers(found)
    unpaged = world.diagnose()
    assert "not known that PagerDuty was called" in unpaged.steps[0].text
    assert "open-cie" in offers(unpaged)
    world.apply(world.ask(open_cie.HANDLER, tools, region="us-south", incident="i-abc"), tools)
    assert "open-cie" not in offers(world.diagnose(tools=tools))
    assert world.diagnose(incident="i-xyz").evidence[0].label != "CIE"


def test_a_tracker_that_is_down_is_told(world: Any) -> None:
    """Whether a CIE is open is then not known, and the button stays."""
    world.both_fail()
    world.github.state = 500
    found = world.diagnose()
    assert "Is a CIE open?" in [note.label for note in found.unchecked]
    assert "open-cie" in offers(found)


def test_offers_need_their_command(world: Any) -> None:
    """A command that is switched off is no button; the step stays, to be ticked."""
    from dataclasses import replace

    from bot.core.diagnosis import Subject
    from handlers.redhat_auth_diagnosis import diagnose

    world.both_fail()
    tools = replace(world.tools(), commands=frozenset({"contact-redhat"}))
    found = diagnose(Subject(incident="i-abc", key="us-south", began=0), world.settings, tools)
    assert list(offers(found)) == ["contact-redhat"]
    assert "open-cie" in names(found)


def test_the_organisations_own_runbook(world: Any, tmp_path: Path) -> None:
    """Its words are shown; steps it leaves out are ours."""
    (tmp_path / "diagnose-redhat-auth.md").write_text("1. Call Ada. <!-- step: open-cie -->\n")
    world.both_fail()
    texts = {step.name: step.text for step in world.diagnose(runbooks=(tmp_path,)).steps}
    assert texts["open-cie"] == "Call Ada."
    assert texts["monitor"].startswith("Keep an eye")


def test_by_hand(world: Any) -> None:
    """The command answers with the same verdict, since when, the steps, and looks as far back as it is asked to."""
    world.both_fail("eu-de")
    found = world.ask(diagnose_redhat_auth.HANDLER, region="eu-de", since="90m")
    assert isinstance(found, Answer)
    assert found.text[0] == "Verdict: both_failing."
    assert found.text[1].startswith("Since ")
    assert [step.offer and step.offer.command for step in found.checklist] == [
        "open-cie", "contact-redhat", "escalate-redhat-auth", None,
    ]  # fmt: skip
    assert found.checklist[0].offer.ask == {"region": "eu-de"}
    assert {line.name for line in found.chart.series} == {"jwt failed", "token failed"}
    (_, over) = world.prometheus["eu-de"].log
    assert float(over["end"]) - float(over["start"]) == pytest.approx(5400)


def test_since_when_is_looked_for(world: Any) -> None:
    """An incident that is older than the usual hours has its begin found; one that began before all that can be read
    is said to have; and a person who asks for so many hours gets just these."""
    world.happened("jwt", "failed", 300, since=600), world.happened("token", "success", 300, since=600)
    found = world.diagnose()
    assert (found.since, found.earlier) == (pytest.approx(1_900_000_000 - 600 * 60, abs=240), False)
    assert any("jwt 100%, 100%, 100%, 100%; token 0%" in note.text for note in found.evidence)
    assert "g0.range_input=24h" in found.links[0].text, "the link shows what the picture does"
    asked = world.ask(diagnose_redhat_auth.HANDLER, region="us-south", since="90m")
    assert asked.text[1].startswith("Since before ")
    world.happened("jwt", "failed", 300, since=2000)
    assert world.diagnose().earlier


def test_by_hand_for_a_region_that_is_none(world: Any) -> None:
    """The regions there are are named."""
    with pytest.raises(Refused, match="us-south, eu-de"):
        world.ask(diagnose_redhat_auth.HANDLER, region="mars")


@pytest.mark.parametrize(
    ("text", "length"), [("90m", 5400), ("3h", 10800), ("2", 7200), ("1.5h", 5400), ("99h", 86400)]
)
def test_lengths_of_time(text: str, length: float) -> None:
    """Minutes, hours, or a bare number of hours; a day at most."""
    assert seconds(text) == length


@pytest.mark.parametrize("text", ["", "0h", "3d", "-1h", "1h30m", "nan", "9" * 9, "yesterday"])
def test_what_is_no_length_of_time(text: str) -> None:
    """Refused, with how to write it."""
    with pytest.raises(Refused, match="90m or 3h"):
        seconds(text)


@pytest.mark.parametrize(
    "labels",
    [{"alertname": ALERT}, {"alert_situation": ALERT}, {"alertname": f"[#12] {METRIC} is failing"}],
)
def test_alerts_that_are_taken(labels: dict[str, str]) -> None:
    """By the alert's name, by its situation, or by a title that has the metric's name in it."""
    handler = ALERT_HANDLERS[0]
    assert any(all(m.fits(labels) for m in matchers) for matchers in handler.matchers)
    assert handler.recognises(f"FIRING {METRIC}")


@pytest.mark.parametrize(
    "labels", [{}, {"alertname": "other"}, {"service": "armada-kubx-deployer", "alertname": "disk"}]
)
def test_alerts_that_are_left_alone(labels: dict[str, str]) -> None:
    """Other alerts, also of the same service, are not ours."""
    assert not any(all(m.fits(labels) for m in matchers) for matchers in ALERT_HANDLERS[0].matchers)
    assert not ALERT_HANDLERS[0].recognises("all quiet")


@pytest.mark.parametrize(
    ("text", "alarm"),
    [
        (f"Labels:\n - alertname = armada-deploy/{METRIC}", True),
        (f"{METRIC}: armada-kubx-deployer has experienced 10 failures processing RedHat requests", True),
        (f"PR 12 merged: scrape {METRIC} every 30 s", False),
        (f"I looked at {METRIC}, that was last week's", False),
        ("[FIRING:1] disk", False),
    ],
)
def test_talk_is_no_alert(text: str, alarm: bool) -> None:
    """A pasted alert is looked into; what people or bots write about the metric is not."""
    assert ALERT_HANDLERS[0].recognises(text) is alarm
