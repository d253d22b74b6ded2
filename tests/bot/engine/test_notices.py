"""From a notice to incidents: matched, deduplicated, in any order, flapping, in storms, and told in the right place."""

from __future__ import annotations

import dataclasses
import random
import threading
import time
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.alerting import AlertRoute, Alerts
from bot.core.alert import Alert, Matcher, Notice
from bot.core.diagnosis import AlertHandler, Diagnosis, Mood, Subject, Watching
from bot.core.errors import Transient
from bot.core.handler import HandlerSettings
from bot.core.incident import IncidentState, IncidentView
from bot.engine import audit, diagnosing, messages, notices, store, tables

NOW = 1_000_000.0


def diagnose(subject: Subject, settings: Any, tools: Any) -> Diagnosis:
    firing = sum(alert.status == "firing" for alert in subject.alerts)
    return Diagnosis(verdict="failing", mood=Mood.BAD, title=f"{firing} fail") if firing else GOOD


GOOD = Diagnosis(verdict="fine", mood=Mood.GOOD, title="All is well", over=True)


def handler(name: str, *matchers: Matcher, **more: Any) -> AlertHandler:
    return AlertHandler(
        name, "", HandlerSettings, (matchers,), diagnose, key=lambda a: a.labels.get("region", ""), **more
    )


SSO = handler("sso", Matcher(label="alertname", equal="sso"), recognises=lambda text: "invalid_grant" in text)


def alert(name: str = "a", status: str = "firing", at: float = NOW, **more: Any) -> Alert:
    region = more.pop("region", "us-south")
    labels = {"alertname": more.pop("alertname", "sso"), "host": name} | ({"region": region} if region else {})
    return Alert(identity=f"{name}-{region}", status=status, labels=labels, starts_at=at, **more)  # type: ignore[arg-type]


def notice(key: str, *alerts: Alert, origin: str = "alertmanager", **more: Any) -> Notice:
    return Notice(key=key, origin=origin, alerts=alerts, **more)  # type: ignore[arg-type]


@pytest.fixture
def answering(bench: Any) -> Any:
    """The bench with one alert handler."""
    answer(bench, SSO)
    return bench


def answer(bench: Any, *handlers: AlertHandler, alerts: Alerts | None = None) -> None:
    shop = dataclasses.replace(
        bench.shop, alert_handlers={h.name: h for h in handlers}, alert_settings={h.name: HandlerSettings() for h in handlers},
        settings=bench.shop.settings.model_copy(update={"alerts": alerts or Alerts()}),
    )  # fmt: skip
    bench.shop = bench.desk._shop = shop


def only(bench: Any) -> IncidentView:
    (view,) = bench.desk.incidents()
    return view


def look(bench: Any, id: str) -> IncidentView:
    diagnosing.diagnose(bench.shop, id, lambda _name, call: call())
    return bench.desk.incident(id)


def rows(bench: Any, table: sa.Table, **which: Any) -> list[Any]:
    query = sa.select(table).filter_by(**which)
    return bench.shop.read(lambda conn: list(conn.execute(query)))


def test_an_alert_opens_an_incident_that_is_looked_into(answering: Any) -> None:
    """One row, one look to come, one message wanted, one line in the audit."""
    (id,) = answering.desk.notice(notice("n", alert()))
    view = only(answering)
    assert (view.id, view.handler, view.key, view.state) == (id, "sso", "us-south", IncidentState.OPEN)
    assert (view.firing, view.resolved, view.notices, view.channel) == (1, 0, 1, "C1")
    assert answering.shop.queues.state("diagnose", id) == "waiting"
    assert [row.slot for row in rows(answering, messages.message, run=id)] == ["head"]
    assert answering.audited() == ["incident_opened"]
    assert id.startswith("i-")
    assert len(id) == 9


def test_twice_is_once(answering: Any) -> None:
    """The sender's retry, and its twin to another replica, give the same ids and change nothing."""
    first = answering.desk.notice(notice("n", alert()))
    before = only(answering)
    assert answering.desk.notice(notice("n", alert())) == first
    assert only(answering) == before


def test_an_hour_later_the_same_is_a_repeat(answering: Any) -> None:
    """It says that the alert still fires: counted, but no new story while there is one."""
    answering.desk.notice(notice("n", alert()))
    answering.now += notices.REPEAT
    answering.desk.notice(notice("n", alert()))
    assert (only(answering).notices, only(answering).firing) == (2, 1)


def test_the_most_specific_handler_answers(bench: Any) -> None:
    """More conditions before fewer, equality before expressions, and the first of equals."""
    loose = handler("loose", Matcher(label="alertname", regex="s.*"))
    exact = handler("exact", Matcher(label="alertname", equal="sso"))
    both = handler("both", Matcher(label="alertname", regex="s.*"), Matcher(label="host", regex="b+"))
    answer(bench, loose, exact, handler("twin", Matcher(label="alertname", equal="sso")), both)
    bench.desk.notice(notice("n", alert("a"), alert("b"), alert("c", alertname="smtp")))
    assert {view.handler: view.firing for view in bench.desk.incidents()} == {"exact": 1, "both": 1, "loose": 1}


def test_text_is_recognised(answering: Any) -> None:
    """In a posted log, and in the annotations of an alert that no matcher fits."""
    answering.desk.notice(
        notice("log", text="can't get access token: invalid_grant", origin="channel", channel="C7", ts="1.1")
    )
    view = only(answering)
    assert (view.key, view.firing, view.channel) == ("", 0, "C7")
    assert answering.shop.read(lambda conn: conn.execute(sa.select(tables.incident.c.text)).scalar()).endswith(
        "invalid_grant"
    )
    answering.desk.notice(notice("n", alert(alertname="ci", region="", annotations={"summary": "invalid_grant"})))
    assert only(answering).firing == 1


def test_what_nobody_answers_is_counted_and_told_if_wanted(bench: Any) -> None:
    """Once a day for each name, under the message that told it."""
    answer(bench, SSO, alerts=Alerts(tell_unhandled=True))
    for n in range(3):
        told = notice(f"n{n}", alert(f"x{n}", alertname="disk"), origin="channel", channel="C7", ts=f"{n}.1")
        assert bench.desk.notice(told) == ()
    (row,) = rows(bench, messages.message)
    assert (row.channel, row.thread) == ("C7", "0.1")
    assert "No handler answers the alert disk" in row.note["text"]
    assert [row.unhandled for row in rows(bench, tables.notice)] == [1, 1, 1]


def test_what_nobody_answers_is_not_told_by_itself(answering: Any) -> None:
    """Silence is the default."""
    assert answering.desk.notice(notice("n", alert(alertname="disk"))) == ()
    assert rows(answering, messages.message) == []


def test_a_handler_that_fails_loses_nothing(bench: Any) -> None:
    """Neither its own alert, which joins the incident without a key, nor those of others."""

    def broken(_: Any) -> Any:
        raise ValueError("boom")

    answer(
        bench,
        dataclasses.replace(SSO, name="broken", key=broken, recognises=broken),
        handler("disk", Matcher(label="alertname", equal="disk")),
    )
    bench.desk.notice(notice("n", alert(), alert("d", alertname="disk"), alert("x", alertname="unknown")))
    assert {view.handler: view.key for view in bench.desk.incidents()} == {"broken": "", "disk": "us-south"}


def test_resolved_never_turns_back(answering: Any) -> None:
    """A firing that comes late, for the same start, changes nothing; a later start fires anew."""
    answering.desk.notice(notice("2", alert(status="resolved", ends_at=NOW + 5)))
    answering.desk.notice(notice("1", alert()))
    assert (only(answering).firing, only(answering).resolved, only(answering).state) == (0, 1, IncidentState.QUIET)
    answering.desk.notice(notice("3", alert(at=NOW + 60)))
    assert (only(answering).firing, only(answering).resolved, only(answering).state) == (1, 0, IncidentState.OPEN)


def test_a_channel_tells_less_than_a_webhook(answering: Any) -> None:
    """The same alert by both ways is one incident and one alert, and its end by webhook is its end."""
    by_channel = notice("c", alert("told"), origin="channel", channel="C7", ts="7.7")
    assert answering.desk.notice(notice("w", alert())) == answering.desk.notice(by_channel)
    assert only(answering).firing == 1
    answering.desk.notice(notice("r", alert(status="resolved", ends_at=NOW)))
    assert (only(answering).firing, only(answering).state) == (0, IncidentState.QUIET)


def test_an_alert_without_a_key_joins_the_only_incident(answering: Any) -> None:
    """Whichever comes first; with two open incidents it has one of its own."""
    first = answering.desk.notice(notice("1", alert(region="")))
    assert answering.desk.notice(notice("2", alert())) == first
    assert only(answering).key == "us-south"
    assert answering.desk.notice(notice("3", alert("c", region=""))) == first
    answering.desk.notice(notice("4", alert(region="eu-de")))
    answering.desk.notice(notice("5", alert("d", region="")))
    assert sorted(view.key for view in answering.desk.incidents()) == ["", "eu-de", "us-south"]


def test_the_story_is_told_under_the_first_message(bench: Any) -> None:
    """Also when the webhook was a little faster: its message waits for a moment, and moves."""
    answer(bench, SSO, alerts=Alerts(channels=("C7",), handlers={"sso": AlertRoute(channel="C5")}))
    (id,) = bench.desk.notice(notice("w", alert()))
    (head,) = rows(bench, messages.message, run=id)
    assert (head.channel, head.thread, head.due_at > bench.now) == ("C5", None, True)
    bench.desk.notice(notice("c", alert("told"), origin="channel", channel="C7", ts="7.7"))
    (head,) = rows(bench, messages.message, run=id)
    assert (head.channel, head.thread) == ("C7", "7.7")


def test_a_message_that_comes_too_late_is_pointed_to_the_story(answering: Any) -> None:
    """Once an hour, however many there are."""
    (id,) = answering.desk.notice(notice("w", alert()))
    answering.shop.write(lambda conn: conn.execute(messages.message.update().values(ts="5.5")))
    for n in range(4):
        answering.desk.notice(notice(f"c{n}", alert("told", at=NOW + n), origin="channel", channel="C7", ts=f"7.{n}"))
    head, pointer = rows(answering, messages.message, run=id)
    assert (head.channel, head.ts, head.thread) == ("C1", "5.5", None)
    assert (pointer.channel, pointer.thread) == ("C7", "7.0")
    assert id in pointer.note["text"]


def test_each_message_of_an_end_or_a_return_is_pointed_to_the_story(answering: Any) -> None:
    """Who sees it fire again sees that somebody looks; of repeats there is one pointer an hour."""

    def posted(ts: int, status: str = "firing") -> str:
        answering.now = NOW + ts
        told = alert("told", status, at=NOW + ts, **({"ends_at": NOW + ts} if status == "resolved" else {}))
        given = {"origin": "channel", "channel": "C7", "ts": f"{ts}.0"}
        return str(answering.desk.notice(notice(f"c{ts}", told, **given))[0])

    id = posted(1)
    for ts, status in ((2, "resolved"), (3, "firing"), (4, "firing"), (5, "firing"), (6, "resolved")):
        assert posted(ts, status) == id
    notes = [row for row in rows(answering, messages.message, run=id) if row.slot != messages.HEAD]
    assert sorted(row.thread for row in notes) == ["2.0", "3.0", "4.0", "6.0"]


def test_flapping_is_one_story(answering: Any) -> None:
    """What comes back within ten minutes of its end opens the same incident again; later it is a new one."""
    (id,) = answering.desk.notice(notice("1", alert()))
    look(answering, id)
    for turn in range(1, 4):
        answering.now += 60
        answering.desk.notice(notice(f"r{turn}", alert(status="resolved", at=NOW + turn - 1, ends_at=answering.now)))
        answering.desk.incident_action(f"close{turn}", id, "U1", "close")
        answering.now += 500
        answering.desk.notice(notice(f"f{turn}", alert(at=answering.now)))
        assert only(answering).state == IncidentState.OPEN
    assert answering.audited().count("incident_reopened") == 3
    answering.desk.incident_action("close", id, "U1", "close")
    answering.now += notices.REOPEN
    answering.desk.notice(notice("new", alert(at=answering.now)))
    assert len(answering.desk.incidents()) == 2


def test_the_end_of_a_closed_story_opens_nothing(answering: Any) -> None:
    """The resolved that comes after it was closed, a late delivery, and, where a person closed it, the repeats of what
    still fires as it did."""
    (id,) = answering.desk.notice(notice("1", alert(), alert("b")))
    answering.desk.incident_action("close", id, "U1", "close")
    answering.now += notices.REPEAT + 1
    for late in (notice("2", alert(), alert("b"), truncated=1), notice("3", alert(status="resolved", ends_at=NOW + 9))):
        assert answering.desk.notice(late) == (id,)
    assert (only(answering).state, only(answering).firing, only(answering).resolved) == (IncidentState.CLOSED, 1, 1)
    answering.now += Watching().longest
    answering.desk.notice(notice("1", alert("b")))
    assert len(answering.desk.incidents()) == 2


@pytest.mark.slow  # so much of it takes its time
def test_a_storm_costs_few_looks_and_one_message(answering: Any) -> None:
    """5,000 alerts in 150 notices, twice and shuffled, half of them resolved: the last state, one incident for each
    region, one head message each, and a look every few seconds."""
    calm = [alert(f"h{n}", region=f"r{n // 1000}") for n in range(5000)]
    over = [
        a.model_copy(update={"status": "resolved", "ends_at": NOW + 1}) for a in calm if int(a.labels["host"][1:]) % 2
    ]
    every = [notice(f"f{at}", *calm[at : at + 50]) for at in range(0, 5000, 50)]
    every += [notice(f"r{at}", *over[at : at + 50]) for at in range(0, 2500, 50)]
    every = every * 2
    random.Random(7).shuffle(every)
    for n, one in enumerate(every):
        answering.now = NOW + n * 0.05
        answering.desk.notice(one)
    views = answering.desk.incidents()
    assert [(v.firing, v.resolved) for v in views] == [(500, 500)] * 5
    assert len(rows(answering, messages.message)) == 5
    assert max(row.look_turn for row in rows(answering, tables.incident)) == 1
    assert audit.verify(answering.shop.store).ok


def test_a_store_that_is_away_is_told_to_all_who_wait(answering: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """At about the time that one of them waits, however many notices came at once, and not one after the other, which
    would take half a minute: their senders come again."""
    monkeypatch.setattr(store, "BUSY", 0.5)
    told: list[Transient] = []

    def hear(n: int) -> None:
        with pytest.raises(Transient) as error:
            answering.desk.notice(notice(f"n{n}", alert()))
        told.append(error.value)

    threads = [threading.Thread(target=hear, args=(n,)) for n in range(60)]
    began = time.monotonic()
    with store.writing(answering.shop.store):
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(told) == 60
    assert time.monotonic() - began < 15
    assert answering.desk.incidents() == ()


def test_labels_may_hold_anything(answering: Any) -> None:
    """Zero bytes, and much of it: stored, cut and shown."""
    (id,) = answering.desk.notice(notice("n\x00", alert("\x00", region="\x00" + "x" * 100), group="\x00"))
    assert answering.desk.incident(id).key == "x" * 100


occurrences = st.tuples(
    st.sampled_from(["a", "b", "c"]), st.sampled_from(["us-south", "eu-de"]), st.integers(0, 3), st.booleans(),
    st.sampled_from(["alertmanager", "channel"]),
)  # fmt: skip


@settings(max_examples=settings.default.max_examples // 8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(told=st.lists(st.lists(occurrences, min_size=1, max_size=4), min_size=1, max_size=6), chance=st.randoms())
def test_any_order_with_duplicates_ends_the_same(answering: Any, told: Any, chance: random.Random) -> None:
    """The same notices in another order, some of them twice: the same incidents with the same alerts and states."""
    every = [one for n, group in enumerate(told) for one in notices_of(n, group)]
    mixed = every + chance.sample(every, len(every) // 2)
    chance.shuffle(mixed)
    assert outcome(answering, every) == outcome(answering, mixed)


def notices_of(n: int, group: list[Any]) -> list[Notice]:
    """One notice for each way that alerts come in."""
    found = []
    for origin in ("alertmanager", "channel"):
        alerts = [happened(*what) for *what, by in group if by == origin]
        if alerts:
            found.append(notice(f"{origin}-{n}", *alerts, origin=origin))
    return found


def happened(name: str, region: str, turn: int, ended: bool) -> Alert:
    """The start or the end of an occurrence."""
    begun = NOW - 100 + 10 * turn
    ends = {"status": "resolved", "ends_at": begun + 5} if ended else {}
    return alert(name, at=begun, region=region, **ends)  # type: ignore[arg-type]


def outcome(bench: Any, every: list[Notice]) -> list[Any]:
    """All that is known after these notices, from nothing."""
    for table in (tables.incident_alert, tables.incident, tables.notice, messages.message):
        bench.shop.write(lambda conn, t=table: conn.execute(t.delete()))
    for one in every:
        bench.desk.notice(one)
    alerts = {row.id: [] for row in rows(bench, tables.incident)}
    for row in rows(bench, tables.incident_alert):
        alerts[row.incident].append((row.identity, row.status, row.at, row.starts_at))
    views = [bench.desk.incident(id) for id in alerts]
    return sorted((v.key, v.state, v.firing, v.resolved, v.notices, sorted(alerts[v.id])) for v in views)
