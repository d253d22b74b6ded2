"""Where alerts belong that do not say which incident they are of, as messages in a channel often do."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.alert import Alert, Matcher, Notice
from bot.core.diagnosis import AlertHandler, Diagnosis, Mood
from bot.core.handler import HandlerSettings
from bot.engine import home

NOW = 1_000_000.0
SSO = AlertHandler(
    "sso", "", HandlerSettings, ((Matcher(label="alertname", equal="sso"),),),
    lambda _subject, _settings, _tools: Diagnosis(verdict="x", mood=Mood.BAD, title="x"),
    key=lambda alert: alert.labels.get("region", ""),
)  # fmt: skip


@pytest.fixture
def answering(bench: Any) -> Any:
    """The bench with one alert handler."""
    bench.shop = bench.desk._shop = dataclasses.replace(
        bench.shop, alert_handlers={"sso": SSO}, alert_settings={"sso": HandlerSettings()}
    )
    return bench


def sent(region: str, status: str = "firing") -> Notice:
    """By webhook, with the region."""
    alert = Alert(identity=region, status=status, labels={"alertname": "sso", "region": region}, starts_at=NOW)  # type: ignore[arg-type]
    return Notice(key=f"sent {region} {status}", origin="alertmanager", alerts=(alert,))


def posted(region: str, status: str = "firing", at: float = NOW) -> Notice:
    """In the channel: what Alertmanager's title says is all there is."""
    title = f"[{status.upper()}] sso {region} (critical)"
    alert = Alert(
        identity=f"title {region}", status=status, labels={"alertname": "sso"},  # type: ignore[arg-type]
        annotations={"summary": title}, starts_at=at, ends_at=at if status == "resolved" else None,
    )  # fmt: skip
    return Notice(key=f"posted {title} {at}", origin="channel", alerts=(alert,), text=title, channel="C1", ts=f"{at}")


def keys(bench: Any) -> list[str]:
    return sorted(view.key for view in bench.desk.incidents())


def test_of_several_the_one_that_is_named(answering: Any) -> None:
    """With several regions failing, the message joins the incident whose region it names, also when one region's name
    begins with another's."""
    ids = {region: answering.desk.notice(sent(region)) for region in ("eu-de", "eu-de-2", "us-south")}
    for region, id in ids.items():
        assert answering.desk.notice(posted(region)) == id
    assert keys(answering) == sorted(ids)


def test_what_is_known_already_goes_where_it_is(answering: Any) -> None:
    """The end of an alert that was told in a thread ends it there, whatever else has begun since, and also when that
    story is closed: it opens nothing."""
    first = answering.desk.notice(posted("somewhere"))
    assert answering.desk.notice(sent("us-south")) == first
    answering.desk.notice(sent("eu-de"))
    assert answering.desk.notice(posted("somewhere", "resolved", NOW + 1)) == first
    for view in answering.desk.incidents():
        answering.desk.incident_action(f"close {view.id}", view.id, "U1", "close")
    assert answering.desk.notice(posted("somewhere", "resolved", NOW + 2)) == first
    assert keys(answering) == ["eu-de", "us-south"]


def test_what_leaves_a_choice_has_one_of_its_own(answering: Any) -> None:
    """A message that names no region while several fail is not put to any of them."""
    for region in ("eu-de", "us-south"):
        answering.desk.notice(sent(region))
    answering.desk.notice(posted("nowhere"))
    answering.desk.notice(posted("eu-de us-south"))
    assert keys(answering) == ["", "eu-de", "us-south"]


@given(st.from_regex(r"[a-z]{1,5}(-[a-z0-9]{1,4}){0,2}", fullmatch=True), st.text(max_size=20), st.text(max_size=20))
def test_words(key: str, before: str, after: str) -> None:
    """A key is found between blanks and brackets, wherever it stands, and never as part of a longer name."""
    assert home._says(f"{before} {key} {after}", key)
    assert home._says(f"({key}).", key)
    assert not home._says(f"x{key} {key}x {key}-2 a.{key} {key}.example", key)
