"""Of what schedules do under a standing approval, people are told the trouble, whole and in order, and its end."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from bot.core.errors import Refused
from bot.core.plan import Answer
from bot.core.view import OPEN, State, StepState
from bot.engine import applying, messages, outbox, schedules
from bot.engine.messages import HEAD, message
from tests.bot.engine.hourly import Hourly

WELL = "note-well"


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


def refuse(ask: Any, settings: Any, tools: Any) -> Any:
    raise Refused("No.", "Do something.")


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
