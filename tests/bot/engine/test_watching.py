"""How an incident is followed: sooner while it is bad, quiet and closed, handed over, and never lost."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.alerting import AlertRoute
from bot.core.diagnosis import Diagnosis, Mood, Watching
from bot.core.incident import IncidentState
from bot.engine import incidents, retention, tables, watching
from bot.engine.ticker import HEAL_EVERY, Ticker

BAD = Diagnosis(verdict="failing", mood=Mood.BAD, title="Logins fail")
WATCH = Diagnosis(verdict="wobbly", mood=Mood.WATCH, title="Some logins fail")
OVER = Diagnosis(verdict="recovered", mood=Mood.GOOD, title="Logins work", over=True)


def pass_by(story: Any, seconds: float) -> Any:
    """Time passes, and the ticker sees it."""
    story.bench.now += seconds
    Ticker(story.bench.shop).tick()
    return story.view


@pytest.mark.parametrize(("finds", "seconds"), [(BAD, 60), (WATCH, 120), (OVER, 120)])
def test_it_is_looked_into_again(story: Any, finds: Diagnosis, seconds: float) -> None:
    """In the handler's own time, sooner while it is bad; a look is put into the queue once."""
    id = story.hear()
    assert story.look(finds).next_look_at == story.bench.now + seconds
    pass_by(story, seconds - 1)
    assert story.bench.shop.queues.state("diagnose", id, 2) is None
    for _ in range(2):
        assert pass_by(story, 1).next_look_at is None
    assert story.bench.shop.queues.state("diagnose", id, 2) == "waiting"
    assert story.bench.shop.queues.state("diagnose", id, 3) is None


def test_it_is_closed_when_it_stays_quiet(story: Any) -> None:
    """Over, then half an hour: closed, told, audited, and nobody looks any more."""
    story.hear()
    assert story.look(OVER).state == IncidentState.QUIET
    assert pass_by(story, 1799).state == IncidentState.QUIET
    view = pass_by(story, 1)
    assert (view.state, view.closed_at, view.next_look_at) == (IncidentState.CLOSED, story.bench.now, None)
    assert story.notes() == [
        "It has been quiet for 30 minutes: closed. Last seen: Logins work (good). Alerts: 1 firing, 0 resolved."
    ]
    assert story.bench.audited()[-1] == "incident_closed"
    story.look()
    assert pass_by(story, 3600).state == IncidentState.CLOSED


def test_the_settings_say_how_it_is_followed(story: Any) -> None:
    """What they say counts; what they leave out is the handler's own."""
    route = AlertRoute.model_validate({"every_seconds": 40, "quiet_minutes": 5})
    known = story.bench.shop.settings
    alerts = known.alerts.model_copy(update={"handlers": {"sso": route}})
    story.bench.shop = replace(story.bench.shop, settings=known.model_copy(update={"alerts": alerts}))
    story.bench.desk._shop = story.bench.shop
    story.hear()
    assert story.row(tables.incident)[0].hand_over_at == story.bench.now + 43200
    assert story.look(BAD).next_look_at == story.bench.now + 20
    pass_by(story, 20)
    assert story.look(OVER).state == IncidentState.QUIET
    assert pass_by(story, 299).state == IncidentState.QUIET
    assert pass_by(story, 1).state == IncidentState.CLOSED
    assert any("quiet for 5 minutes" in note for note in story.notes())


def test_a_new_alert_ends_the_quiet(story: Any) -> None:
    """And it is looked into at once; what was heard already does not."""
    at = story.bench.now
    story.hear()
    story.look(OVER)
    story.bench.now += 60
    story.hear(at=at)
    assert story.view.state == IncidentState.QUIET
    story.hear(name="b")
    assert story.view.state == IncidentState.OPEN
    assert story.row(tables.incident)[0].look_turn == 2
    assert pass_by(story, 1800).state == IncidentState.OPEN


def test_all_resolved_is_quiet_unless_it_is_seen_failing(story: Any) -> None:
    """What the alerts say counts when nobody has looked or nobody knows, not against what was seen."""
    at = story.bench.now
    story.hear()
    story.hear("resolved", at=at)
    assert story.view.state == IncidentState.QUIET
    assert story.look(BAD).state == IncidentState.OPEN
    pass_by(story, 60)
    assert story.look(Diagnosis(verdict="no_data", mood=Mood.UNKNOWN, title="Nothing")).state == IncidentState.QUIET


def test_it_is_handed_over_after_the_longest_time(story: Any) -> None:
    """Told with what goes on; no look by itself, but by hand; quiet when all is resolved; closed when nothing comes."""
    at = story.bench.now
    story.hear()
    story.look(BAD)
    view = pass_by(story, 43200)
    assert (view.state, view.next_look_at) == (IncidentState.HANDED_OVER, None)
    (note,) = story.notes()
    assert "watched for 12 hours" in note
    assert "Last seen: Logins fail (bad)." in note
    story.look()
    assert story.desk.incident_action("k", view.id, "U1", "look").accepted
    assert story.look().state == IncidentState.HANDED_OVER
    assert story.view.next_look_at is None
    pass_by(story, 40000)
    story.hear(name="b")
    assert pass_by(story, 40000).state == IncidentState.HANDED_OVER
    story.look(WATCH)
    story.hear("resolved", at=at)
    story.hear("resolved", name="b")
    assert story.view.state == IncidentState.QUIET


def test_what_was_handed_over_ends_by_itself(story: Any) -> None:
    """When nothing new comes in for as long again."""
    story.hear()
    story.look(BAD)
    pass_by(story, 43200)
    assert pass_by(story, 43200).state == IncidentState.CLOSED


def test_a_look_that_was_lost_comes_again(story: Any) -> None:
    """Its work was cancelled, or ended without an outcome."""
    id = story.hear()
    story.bench.shop.queues._client.cancel_workflow(f"diagnose-{id}")
    clock = Ticker(story.bench.shop)
    story.bench.now += watching.LOST_AFTER
    clock.tick()
    story.bench.now += HEAL_EVERY
    clock.tick()
    assert story.bench.shop.queues.state("diagnose", id, 2) == "waiting"
    assert story.look().diagnosis is not None


def test_a_look_that_takes_long_is_not_doubled(story: Any) -> None:
    """It waits in its queue."""
    id = story.hear()
    for _ in range(5):
        pass_by(story, watching.LOST_AFTER)
    assert story.bench.shop.queues.state("diagnose", id, 2) is None


def test_old_incidents_are_forgotten(story: Any) -> None:
    """With all that belongs to them, a long time after their end; open ones are not, and notices go after a week."""
    id = story.hear()
    story.look(OVER)
    pass_by(story, 1800)
    story.bench.now += retention.NOTICES + 1
    retention.forget(story.bench.shop)
    assert story.row(tables.notice) == []
    assert story.desk.incident(id)
    story.hear(name="open")
    story.bench.now += 401 * 86400
    retention.forget(story.bench.shop)
    assert story.desk.incident(id) is None
    assert len(story.desk.incidents()) == 1


def test_figures_for_the_metrics(story: Any) -> None:
    """Open incidents, alerts that nobody answers, and how old the oldest look is."""
    read = lambda: story.bench.shop.read(lambda conn: incidents.figures(conn, story.bench.now))  # noqa: E731 - two lines
    assert (read().open, read().age) == (0, 0.0)
    story.hear()
    story.bench.now += 30
    assert (read().open, read().age) == (1, 30.0)
    story.look(BAD)
    assert read().age == 0.0


@given(
    st.sampled_from(IncidentState), st.booleans(), st.integers(0, 3), st.integers(0, 3), st.sampled_from([None, *Mood])
)
def test_the_rules_never_close(state: IncidentState, news: bool, firing: int, resolved: int, mood: Mood | None) -> None:
    """Neither a notice nor a look closes; while something fires and nobody saw it end, news open what was quiet."""
    after = watching.after_notice(state, news=news, firing=firing, resolved=resolved, mood=mood)
    assert after is not IncidentState.CLOSED or state is IncidentState.CLOSED
    if firing and news and state is IncidentState.QUIET:
        assert after is IncidentState.OPEN
    if mood is Mood.BAD:
        assert after is not IncidentState.QUIET or state is IncidentState.QUIET


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(45, "45 seconds"), (60, "1 minute"), (1800, "30 minutes"), (3600, "1 hour"), (43200, "12 hours")],
)
def test_spans_are_words(seconds: float, words: str) -> None:
    """For people."""
    assert watching.span(seconds) == words


def test_the_default_rule_is_for_handlers_that_are_gone(story: Any) -> None:
    """Their incidents end too."""
    assert incidents.rule(story.bench.shop, "gone") == Watching()
