"""Of what schedules do under a standing approval, people are told the trouble, whole and in order, and its end."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from bot.core.errors import Refused
from bot.core.plan import Answer, Note, Report
from bot.core.view import OPEN, State, StepState
from bot.engine import applying, messages, outbox, retiring, schedules, ticker
from bot.engine.messages import HEAD, message
from bot.settings import Schedule, Standing

WELL = "note-well"


class Hourly:
    """A bench with an hourly schedule of /world under a standing approval, whose step is undone by `again`."""

    def __init__(self, bench: Any, *, stands: bool = True, tell: Any = "trouble", **ask: Any) -> None:
        self.bench = bench
        document = {"folder": str(bench.folder), "on_failure": "go_on"} | ask
        plans = {"tokens": Schedule(command="world", ask=document, every_minutes=60, channel="C7", tell=tell)}
        standing = {"s": Standing(owner="U5", command="world", ask=document, until="2030-01-01")} if stands else {}
        parts = {"schedules": plans, "standing": standing}
        object.__setattr__(bench.shop, "settings", bench.shop.settings.model_copy(update=parts))
        bench.shop.write(lambda conn: schedules.sync(conn, plans, bench.now))

    def warn(self, *, plan: tuple[str, ...] = (), report: tuple[str, ...] = (), **more: Any) -> None:
        """From now on the handler says this."""
        make = self.bench.world.plan
        self.bench.with_handler(
            plan=lambda ask, settings, tools: make(ask, settings, tools).model_copy(update={"warnings": plan, **more}),
            report=lambda plan, settings, tools: Report(warnings=report),
        )

    def tick(self) -> str:
        """An hour later: the run that the schedule asks for, as it is after its planning."""
        (self.bench.folder / "ledger").unlink(missing_ok=True)
        self.bench.now += 3600
        ticker.fire_schedules(self.bench.shop)
        run: str = self.bench.desk.schedules()[0].last_run
        self.bench.plan(run)
        return run

    def hour(self) -> Any:
        """The run of an hour as it ended."""
        run = self.tick()
        return self.bench.apply(run) if self.bench.see(run).state == State.APPROVED else self.bench.see(run)

    def rows(self) -> list[tuple[str, str]]:
        """(run, slot) of all messages, in the order in which they were wanted."""
        query = sa.select(message.c.run, message.c.slot).order_by(message.c.id)
        return [tuple(row) for row in self.bench.shop.read(lambda conn: conn.execute(query).all())]

    def slots(self, run: str) -> list[str]:
        return [slot for owner, slot in self.rows() if owner == run]


@pytest.fixture
def hourly(bench: Any) -> Hourly:
    return Hourly(bench)


def test_an_hour_without_trouble_is_in_the_rows_and_not_in_the_channel(hourly: Hourly) -> None:
    """The run is approved, applied, reported, audited and listed, and no message of it is wanted at any moment."""
    bench = hourly.bench
    for _ in range(3):
        view = hourly.hour()
        assert (view.state, view.standing, view.report.notes[0].text) == (State.DONE, "s", "1 lines")
    assert hourly.rows() == []
    assert [one.state for one in bench.desk.runs()] == [State.DONE] * 3
    assert {"approved", "applying", "step_done", "done"} <= set(bench.audited())
    with bench.shop.store.connect() as conn:
        assert outbox.lag(conn, bench.now) == (0, 0)


def test_a_schedule_that_tells_always_is_posted_as_its_plan_is_made(bench: Any) -> None:
    """From the plan on, each hour, and without a word that it is well again; also when there was nothing to do."""
    hourly = Hourly(bench, tell="always")
    run = hourly.tick()
    assert hourly.slots(run) == [HEAD]
    bench.apply(run)
    assert hourly.slots(run) == [HEAD, "note-end"]
    bench.mood("do", "a", "refused")
    hourly.hour()
    (bench.folder / "mood-do-a").unlink()
    assert hourly.slots(hourly.hour().id) == [HEAD, "note-end"]
    bench.with_handler(plan=lambda ask, settings, tools: Answer(command="world", title="All is well", quiet=True))
    assert hourly.slots(hourly.hour().id) == [HEAD]


def test_a_failure_in_the_middle_is_shown_whole_from_that_moment_on(hourly: Hourly) -> None:
    """While the first stage works nothing is wanted; when a step of it fails the head is, at once, and the end under
    it. What is rendered holds the plan and every step."""
    bench, seen = hourly.bench, []
    hourly = Hourly(bench, stages=[["a"], ["b"], ["c"]])
    make = bench.world.Write.do

    def do(step: Any, tools: Any, run: Any) -> None:
        seen.append((step.name, hourly.slots(run.id)))
        make(step, tools, run)

    bench.mood("do", "b", "refused")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bench.world.Write, "do", do)
        view = hourly.hour()
    assert seen == [("a", []), ("b", []), ("c", [HEAD])]
    assert hourly.slots(view.id) == [HEAD, "note-end"]
    assert (view.state, len(view.plan.steps)) == (State.PARTLY, 3)
    assert [step.state for step in view.steps] == [StepState.DONE, StepState.FAILED, StepState.DONE]


def test_what_is_sent_comes_in_order_also_after_a_restart(hourly: Hourly) -> None:
    """A run that was quiet until it failed: a sender that begins only then posts the head as it is now, its end in
    the thread, and nothing twice."""
    bench = hourly.bench
    hourly.hour()
    bench.mood("do", "a", "refused")
    view = hourly.hour()
    posts: list[tuple[str, str | None, Any]] = []

    class Board(bench.world.Board):  # type: ignore[misc, name-defined]  # the tests' own Slack
        def post(self, place: Any, shown: Any, key: str) -> str:
            posts.append((key, place.thread, shown))
            return str(super().post(place, shown, key))

    for _ in range(2):
        board = Board(bench.folder / "slack")
        bench.now += 60
        outbox.Sender(bench.shop.store, board, bench.desk.shown, lambda: bench.now).send_due()
        bench.now += 60
        outbox.Sender(bench.shop.store, board, bench.desk.shown, lambda: bench.now).send_due()
    assert [(key, thread) for key, thread, _ in posts] == [
        (f"{view.id}/{HEAD}", None), (f"{view.id}/note-end", f"{view.id}/{HEAD}")
    ]  # fmt: skip
    assert posts[0][2].state == State.STOPPED
    assert posts[0][2].plan is not None


@pytest.mark.parametrize("lost", [False, True])
@pytest.mark.parametrize("fails", [False, True])
@pytest.mark.parametrize("step", ["begin", "premises", "stage 0", "report", "end"])
def test_killed_anywhere_the_same_is_told_in_the_end(hourly: Hourly, step: str, fails: bool, lost: bool) -> None:
    """Before a part of the work or right after it, with the memory of it lost: a run without trouble stays quiet, one
    with trouble has its head and its end once."""
    bench, kept = hourly.bench, dict[str, Any]()
    if fails:
        bench.mood("do", "a", "refused")
    run = hourly.tick()

    class Dead(BaseException):
        pass

    def dying(name: str, call: Any) -> Any:
        if name == step and not lost:
            raise Dead
        kept[name] = kept[name] if name in kept else call()
        if name == step:
            del kept[name]
            raise Dead
        return kept[name]

    def again(name: str, call: Any) -> Any:
        kept[name] = kept[name] if name in kept else call()
        return kept[name]

    with pytest.raises(Dead):
        applying.apply(bench.shop, run, dying)
    applying.apply(bench.shop, run, again)
    assert bench.see(run).state == (State.STOPPED if fails else State.DONE)
    assert hourly.slots(run) == ([HEAD, "note-end"] if fails else [])


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


def test_without_a_channel_nothing_is_wanted(bench: Any) -> None:
    """And nothing fails."""
    hourly = Hourly(bench)
    bench.shop.write(lambda conn: conn.execute(schedules.schedule.update().values(channel=None)))
    slack = bench.shop.settings.slack.model_copy(update={"channel": None})
    object.__setattr__(bench.shop, "settings", bench.shop.settings.model_copy(update={"slack": slack}))
    bench.mood("do", "a", "refused")
    assert hourly.hour().state == State.STOPPED
    (bench.folder / "mood-do-a").unlink()
    assert hourly.hour().state == State.DONE
    assert hourly.rows() == []


KINDS = ("good", "fails", "warns", "nothing", "refused")


@examples(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(hours=st.lists(st.sampled_from(KINDS), min_size=1, max_size=5))
def test_for_any_course_of_hours_all_trouble_and_each_end_of_it_is_told(hourly: Hourly, hours: list[str]) -> None:
    """Exactly the bad hours have a message of their own, but for a warning that stood there last; and a line stands
    exactly at each first good hour after."""
    told = ""  # the trouble that was posted last, until it is over
    hourly.bench.shop.write(lambda conn: conn.execute(schedules.schedule.update().values(trouble=None)))
    for kind in hours:
        prepare(hourly, kind)
        view = hourly.hour()
        assert view.state not in OPEN
        good, known = kind in ("good", "nothing"), kind == told == "warns"
        shown = [WELL] if good and told else [] if good or known else [HEAD]
        assert [slot for slot in hourly.slots(view.id) if slot != "note-end"] == shown, (kind, view.state)
        told = "" if good else kind


def prepare(hourly: Hourly, kind: str) -> None:
    bench = hourly.bench
    (bench.folder / "mood-do-a").unlink(missing_ok=True)
    hourly.warn(report=("A node did not answer.",) if kind == "warns" else ())
    if kind == "fails":
        bench.mood("do", "a", "refused")
    if kind == "nothing":
        bench.with_handler(plan=lambda ask, settings, tools: Answer(command="world", title="All is well", quiet=True))
    if kind == "refused":
        bench.with_handler(plan=refuse)


def test_a_run_of_a_person_is_shown_as_ever(bench: Any) -> None:
    """Also one under the same command and parameters."""
    Hourly(bench)
    view = bench.carried_out(on_failure="go_on")
    query = sa.select(message.c.slot).where(message.c.run == view.id)
    assert bench.shop.read(lambda conn: list(conn.execute(query).scalars())) == [HEAD, "note-end"]
    assert bench.shop.read(lambda conn: messages.has_head(conn, view.id))
