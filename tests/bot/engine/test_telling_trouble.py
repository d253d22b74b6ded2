"""What counts as trouble of a schedule's run, how often people are told of it, and when it is over."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from bot.core.errors import Refused
from bot.core.plan import Answer, Note
from bot.core.view import State
from bot.engine import retiring, ticker
from bot.engine.messages import HEAD, message
from tests.bot.engine.hourly import Hourly

WELL = "note-well"


def refuse(ask: Any, settings: Any, tools: Any) -> Any:
    raise Refused("No.", "Do something.")


def test_what_waits_for_a_person_is_posted(bench: Any) -> None:
    """A plan that no standing approval covers; and then its whole way, as ever."""
    hourly = Hourly(bench, stands=False)
    run = hourly.tick()
    assert (bench.see(run).state, hourly.slots(run)) == (State.PROPOSED, [HEAD])
    assert bench.decide(bench.see(run)).accepted
    bench.apply(run)
    assert hourly.slots(run) == [HEAD, "note-end"]


def test_what_was_refused_or_answered_aloud_is_posted(hourly: Hourly) -> None:
    """It is nothing that went well."""
    hourly.bench.with_handler(plan=refuse)
    assert hourly.slots(hourly.tick()) == [HEAD]
    hourly.bench.with_handler(plan=lambda ask, settings, tools: Answer(command="world", title="Look at this"))
    assert hourly.slots(hourly.tick()) == [HEAD]


def test_a_plan_with_warnings_is_posted_before_it_is_carried_out(hourly: Hourly) -> None:
    """And so is one after which people have something to do."""
    hourly.warn(plan=("It is Friday.",))
    assert hourly.slots(hourly.tick()) == [HEAD]
    hourly.warn(then=(Note(label="Next", text="Tell them"),))
    assert hourly.slots(hourly.tick()) == [HEAD]


def test_a_report_with_warnings_is_posted_with_its_run(hourly: Hourly) -> None:
    """Though every step went well."""
    hourly.warn(report=("A node did not answer.",))
    run = hourly.tick()
    assert hourly.slots(run) == []
    assert hourly.bench.apply(run).state == State.DONE
    assert hourly.slots(run) == [HEAD, "note-end"]


def test_a_warning_that_people_know_is_told_once_a_day(hourly: Hourly) -> None:
    """As long as it is the same; another one at once, and that it is over."""
    hourly.warn(plan=("No credd.",), report=("A node is silent.",))
    told = []
    for hours in (0, 0, 21, 0, 0):  # later than the next one
        hourly.bench.now += hours * 3600
        told.append(bool(hourly.slots(hourly.hour().id)))
    assert told == [True, False, False, True, False]
    hourly.warn(plan=("No credd.",))
    assert not hourly.slots(hourly.hour().id), "less than people know"
    hourly.warn(plan=("No credd.",), report=("Another one is silent.",))
    assert hourly.slots(hourly.hour().id) == [HEAD, "note-end"]
    hourly.warn()
    assert hourly.slots(hourly.hour().id) == [WELL]


def test_a_run_that_fails_or_failed_is_posted_whatever_people_know(hourly: Hourly) -> None:
    """Known warnings hide neither a failure nor the first success after it."""
    hourly.warn(plan=("No credd.",))
    hourly.hour()
    hourly.bench.mood("do", "a", "refused")
    assert hourly.slots(hourly.hour().id) == [HEAD, "note-end"]
    (hourly.bench.folder / "mood-do-a").unlink()
    assert hourly.slots(hourly.hour().id) == [HEAD, "note-end"]
    assert not hourly.slots(hourly.hour().id)


def test_a_step_that_fails_each_hour_is_told_once_a_day(bench: Any) -> None:
    """One dead node of many is not worth a message an hour: as long as it is the same one, for the same reason, and
    the others are well. Another one, another reason, all of them, and that it is over are told at once."""
    hourly = Hourly(bench, stages=[["a", "b", "c"]])
    posted = [HEAD, "note-end"]
    bench.mood("do", "a", "refused")
    first = hourly.hour()
    assert (first.state, hourly.slots(first.id)) == (State.PARTLY, posted)
    assert not hourly.slots(hourly.hour().id)
    assert bench.desk.schedules()[0].trouble == first.id, "the home tab goes on naming it"
    bench.now += 21 * 3600
    assert not hourly.slots(hourly.hour().id)
    assert hourly.slots(hourly.hour().id) == posted, "a day later"
    bench.mood("do", "b", "refused")
    assert hourly.slots(hourly.hour().id) == posted, "another one"
    (bench.folder / "mood-do-a").unlink()
    assert not hourly.slots(hourly.hour().id), "less than people know"
    bench.mood("do", "b", "away")
    assert hourly.slots(hourly.hour().id) == posted, "another reason"
    bench.mood("do", "a", "refused")
    bench.mood("do", "c", "refused")
    assert hourly.slots(hourly.hour().id) == posted, "all of them"
    for name in "abc":
        (bench.folder / f"mood-do-{name}").unlink(missing_ok=True)
    assert hourly.slots(hourly.hour().id) == [WELL]


def test_a_run_that_is_not_over_when_the_next_is_due_is_shown(hourly: Hourly) -> None:
    """People see what hangs, and what waits behind it only when that hangs too."""
    first = hourly.tick()
    assert not hourly.slots(first)
    second = hourly.tick()
    assert (hourly.slots(first), hourly.slots(second)) == ([HEAD], [])
    hourly.bench.apply(first)
    assert hourly.slots(first) == [HEAD, "note-end"]
    hourly.bench.apply(second)
    assert not hourly.slots(hourly.tick())


def test_the_home_tab_names_the_trouble(hourly: Hourly) -> None:
    """Until it is over."""
    hourly.bench.mood("do", "a", "refused")
    run = hourly.hour().id
    assert hourly.bench.desk.schedules()[0].trouble == run
    (hourly.bench.folder / "mood-do-a").unlink()
    hourly.hour()
    assert hourly.bench.desk.schedules()[0].trouble is None


def test_a_plan_that_drifted_is_posted_before_the_one_in_its_place(hourly: Hourly) -> None:
    """People see both, in the order of the story."""
    run = hourly.tick()
    (hourly.bench.folder / "storm").touch()
    new = hourly.bench.apply(run).superseded_by
    assert hourly.rows() == [(run, HEAD), (new, HEAD)]


def test_a_backup_that_cannot_be_removed_shows_its_run(hourly: Hourly) -> None:
    """Days later, when the run was quiet until then."""
    view = hourly.hour()
    hourly.bench.mood("retire", "a", "refused")
    retiring.retire(hourly.bench.shop, view.id, lambda _, call: call())
    assert hourly.slots(view.id) == [HEAD, "note-not retired"]


def test_the_end_of_trouble_is_told_once(hourly: Hourly) -> None:
    """The first hour without trouble says so in one line in the channel; the next ones nothing."""
    bench = hourly.bench
    bench.mood("do", "a", "refused")
    bad = [hourly.hour().id, hourly.hour().id]
    (bench.folder / "mood-do-a").unlink()
    good = hourly.hour().id
    assert hourly.slots(good) == [WELL]
    row = bench.shop.read(lambda conn: conn.execute(sa.select(message).filter_by(run=good)).one())
    assert row.channel == "C7"
    assert row.note["text"] == f"✅ The schedule tokens is well again: /world had no trouble ({good}) after {bad[1]}."
    assert hourly.slots(hourly.hour().id) == []


def test_nothing_to_do_is_an_end_of_trouble_too(hourly: Hourly) -> None:
    """Somebody has mended it by hand: the schedule finds all as it should be."""
    bench = hourly.bench
    bench.mood("do", "a", "refused")
    hourly.hour()
    run = hourly.tick()
    bench.apply(run)
    (bench.folder / "mood-do-a").unlink()
    bench.now += 3600
    bench.world.add(str(bench.folder), "a", "somebody")
    ticker.fire_schedules(bench.shop)
    view = bench.plan(bench.desk.schedules()[0].last_run)
    assert (view.state, hourly.slots(view.id)) == (State.ANSWERED, [WELL])


def test_a_run_that_somebody_stopped_is_no_end_of_the_story(bench: Any) -> None:
    """Denied is neither trouble nor well: the next good hour ends it."""
    hourly = Hourly(bench)
    bench.mood("do", "a", "refused")
    hourly.hour()
    (bench.folder / "mood-do-a").unlink()
    hourly = Hourly(bench, stands=False)
    bench.decide(bench.see(hourly.tick()), "deny")
    hourly = Hourly(bench)
    assert hourly.slots(hourly.hour().id) == [WELL]
