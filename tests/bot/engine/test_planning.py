"""From a request to a proposal, an answer or a refusal."""

from __future__ import annotations

import threading
from typing import Any, ClassVar, Literal

import pytest
import sqlalchemy as sa

from bot.core.chart import Chart, Series
from bot.core.errors import Refused
from bot.core.intake import Request
from bot.core.plan import Answer, Plan, Stage, Step
from bot.core.view import State, StepState
from bot.engine import messages, planning, runs
from bot.engine.workshop import Patience


def test_a_request_is_stored_once_however_often_it_comes(bench: Any) -> None:
    """The same key gives the same run and asks once; the id is short and fit for names of backups."""
    one, again = bench.ask("trigger-1"), bench.ask("trigger-1")
    assert one == again
    assert len(one) == 9
    assert one.startswith("r-")
    assert one[2:].isalnum()
    assert one == one.lower()
    assert bench.audited() == ["asked"]


def test_two_keys_with_one_id_stay_two_runs(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ids are short hashes; a collision must not show one person's run to another."""
    monkeypatch.setattr(runs, "run_id", lambda key, again=0: f"r-same{'x' * again}")
    assert bench.ask("one") != bench.ask("two")


def test_a_plan_is_proposed_as_it_was_made(bench: Any) -> None:
    """State, digest, deadline, steps and their marks are there, and the message is wanted."""
    view = bench.proposal(stages=[["a", "b"], ["c!"]])
    assert view.digest == view.plan.digest
    assert (view.expires_at, view.approvals_needed, view.approver_groups) == (bench.now + 3600, 1, ("keepers", "devs"))
    assert [(s.says, s.reversible, s.state) for s in view.steps] == [
        ("write a", True, StepState.WAITING), ("write b", True, StepState.WAITING), ("write c", False, StepState.WAITING)
    ]  # fmt: skip
    assert view.channel == "C1"
    assert bench.lines() == []


def test_planning_twice_proposes_once(bench: Any) -> None:
    """A crash between planning and its end leads to planning again, which must find that there is nothing to do."""
    view = bench.proposal()
    bench.plan(view.id)
    assert bench.see(view.id).revision == view.revision
    assert bench.audited().count("proposed") == 1


def test_an_answers_picture_goes_into_its_thread(bench: Any) -> None:
    """Once, and it is not kept in the run's row."""
    picture = Chart(
        title="Logins", unit="samples", series=(Series(name="failed", points=((1.0, 2.0),)),), alt="2 failed"
    )
    bench.with_handler(plan=lambda *_: Answer(command="world", title="Seen", chart=picture))
    id = bench.ask()
    for _ in range(2):
        assert bench.plan(id).answer.chart is None
    query = sa.select(messages.message).where(messages.message.c.slot == messages.CHART)
    (row,) = bench.shop.read(lambda conn: list(conn.execute(query)))
    assert (row.run, row.wanted, row.channel, Chart.model_validate(row.note)) == (id, 1, None, picture)


def test_what_is_done_already_is_marked(bench: Any) -> None:
    """The approver sees which steps need no doing."""
    bench.world.add(str(bench.folder), "a", "before")
    assert [s.state for s in bench.proposal(stages=[["a", "b"]]).steps] == [StepState.ALREADY, StepState.WAITING]


class Together(Step):
    """Can tell whether it is done only while the other one is asked too."""

    kind: Literal["test.together"] = "test.together"
    name: str
    meeting: ClassVar[threading.Barrier] = threading.Barrier(2)

    def done(self, tools: Any) -> bool:
        self.meeting.wait(90)
        return self.name == "a"


def test_steps_are_asked_side_by_side() -> None:
    """Whether two hundred steps are done is asked of many at once, and each answer is put to its own step."""
    plan = Plan(command="x", title="Y", subject="z", stages=(Stage(steps=(Together(name="b"), Together(name="a"))),))
    tools: Any = None
    assert planning._already(plan, tools) == frozenset({(0, 1)})


@pytest.mark.parametrize("mood", ["transient", "refused"])
def test_a_system_that_is_away_keeps_no_other_from_being_called(bench: Any, mood: str) -> None:
    """Where the plan goes on after a failure, it is proposed although nobody knows whether one step is done; where it
    does not, it is refused."""
    bench.mood("done", "a", mood)
    view = bench.proposal(stages=[["a"], ["b"]], on_failure="go_on")
    assert [step.state for step in view.steps] == [StepState.WAITING] * 2
    assert bench.plan(bench.ask("other", stages=[["a"], ["b"]])).state == State.REFUSED


def test_nothing_to_do_asks_nobody(bench: Any) -> None:
    """When all steps are done already, the run ends as an answer that still shows its plan."""
    bench.world.add(str(bench.folder), "a", "before")
    view = bench.plan(bench.ask())
    assert view.state == State.ANSWERED
    assert view.answer.title == "Nothing to do: Change the world"
    assert view.plan is not None
    assert view.steps[0].state == StepState.ALREADY
    assert view.finished_at == bench.now


def test_an_answer_is_an_answer(bench: Any) -> None:
    """A command that changes nothing ends with what it found."""
    view = bench.plan(bench.ask(stages=[]))
    assert (view.state, view.answer.title, view.steps) == (State.ANSWERED, "All is well", ())


@pytest.mark.parametrize(("mood", "state"), [("transient 2", State.PROPOSED), ("transient", State.REFUSED)])
def test_a_short_absence_is_waited_for_and_a_long_one_told(bench: Any, mood: str, state: State) -> None:
    """Transient is tried again a bounded number of times, then told with its own words."""
    bench.mood("plan", "plan", mood)
    view = bench.plan(bench.ask())
    assert view.state == state
    assert state == State.PROPOSED or view.trouble.what == "plan said transient."


def test_who_waits_for_a_plan_is_told_sooner_than_a_schedule(bench: Any) -> None:
    """A person is not kept waiting for a system that is away; for a schedule, which cannot ask again, it is waited."""
    object.__setattr__(bench.shop, "patience", Patience(attempts=6, first=0.001, most=0.002))
    for source, state in (("slack", State.REFUSED), ("schedule", State.PROPOSED)):
        bench.mood("plan", "plan", "transient 4")
        ask = {"folder": str(bench.folder)}
        request = Request(key=source, command="world", ask=ask, asker="U1", source=source)
        assert bench.plan(bench.desk.ask(request)).state == state


def test_a_plan_that_cannot_be_stored_is_refused_at_once(bench: Any) -> None:
    """Half a character out of a foreign name has no digest: the asker hears of it now, not when somebody looks."""
    view = bench.plan(bench.ask(subject="\ud800"))
    assert view.state == State.REFUSED
    assert "UnicodeEncodeError" in view.trouble.what


def test_a_refusal_is_told_with_its_words(bench: Any) -> None:
    """Refused while planning ends the run with both of its sentences."""
    bench.mood("plan", "plan", "refused")
    view = bench.plan(bench.ask())
    assert (view.state, view.trouble.what, view.trouble.now) == (State.REFUSED, "plan said refused.", "Do something.")


def test_of_a_foreign_error_only_its_class_is_told(bench: Any, canary: Any) -> None:
    """Its text may hold anything, so neither the run, the log nor the store has it."""
    bench.mood("plan", "plan", canary("foreign"))
    canary.may_hold(bench.folder / "mood-plan-plan")
    view = bench.plan(bench.ask())
    assert view.state == State.REFUSED
    assert "ValueError" in view.trouble.what
    assert view.id in view.trouble.what


def test_parameters_that_are_not_right_are_named(bench: Any, canary: Any) -> None:
    """The place is told, the value is not."""
    view = bench.plan(bench.ask(on_failure="explode"))
    assert view.state == State.REFUSED
    assert "on_failure" in view.trouble.what
    assert "explode" not in view.trouble.what


def test_an_unknown_command_is_refused_and_audited(bench: Any) -> None:
    """Nothing is stored for it but the refusal."""
    with pytest.raises(Refused, match="no command /nonsense"):
        bench.desk.ask(Request(key="k", command="nonsense", asker="U1"))
    assert bench.audited() == ["refused_ask"]
    assert bench.desk.runs() == ()


def test_an_asker_outside_of_the_groups_is_refused(bench: Any) -> None:
    """Who may ask is checked here, against membership read now."""
    commands = {"world": bench.shop.settings.commands["world"].model_copy(update={"ask": ("keepers",)})}
    object.__setattr__(bench.shop, "settings", bench.shop.settings.model_copy(update={"commands": commands}))
    assert bench.ask("one", by="U3")
    with pytest.raises(Refused, match="may not ask"):
        bench.ask("two", by="U7")
