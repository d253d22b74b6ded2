"""How a run goes and how it ended is told in words, with what to do now."""

from __future__ import annotations

from typing import Any

import pytest

from bot.core.plan import Note
from bot.core.view import DecisionView, RunView, State, StepState, StepView, Trouble
from bot.edges import render
from tests.bot.edges.shown import plan, run, shown


def progress(*states: StepState, trouble: Trouble | None = None) -> dict[str, Any]:
    steps = tuple(
        StepView(
            stage=n,
            place=0,
            says=f"Write {n}",
            reversible=True,
            state=state,
            trouble=trouble if state in (StepState.FAILED, StepState.UNDO_FAILED) else None,
        )
        for n, state in enumerate(states)
    )
    return {"plan": plan(*(f"Write {n}" for n in range(len(states)))), "steps": steps}


def test_progress_is_told_in_words_for_each_step() -> None:
    """A symbol alone would say nothing to a screen reader; the notification counts."""
    view = run(State.APPLYING, **progress(StepState.ALREADY, StepState.DONE, StepState.RUNNING, StepState.WAITING))
    message = render.run_message(view)
    for words in (
        "✔️ 1. Write 0 – already so",
        "✅ 2. Write 1 – done",
        "⏳ 3. Write 2 – running",
        "○ 4. Write 3 – waiting",
    ):
        assert words in shown(message)
    assert "1 already so, 1 running, 1 done, 1 waiting" in message.text.lower()


def test_what_failed_comes_first_in_a_long_list() -> None:
    """Of two hundred nodes the one that failed is seen, though the list is cut."""
    states = [StepState.DONE] * 150 + [StepState.FAILED] + [StepState.DONE] * 49
    told = shown(render.run_message(run(State.PARTLY, **progress(*states, trouble=Trouble(what="No answer.")))))
    assert "❌ 151. Write 150 – failed" in told


def test_steps_that_failed_for_one_reason_are_told_together() -> None:
    """A cluster that is away fails fifty steps and is one line; another reason is another one."""
    away, denied = Trouble(what="The cluster a did not answer."), Trouble(what="The cluster b said no.")
    facts = progress(*[StepState.FAILED] * 50, StepState.DONE, StepState.FAILED, trouble=away)
    facts["steps"] = (*facts["steps"][:-1], facts["steps"][-1].model_copy(update={"trouble": denied}))
    told = shown(render.run_message(run(State.PARTLY, **facts)))
    assert "50 steps, the first of them 1, Write 0: The cluster a did not answer." in told
    assert "Step 52, Write 51: The cluster b said no." in told
    assert "❌ 2. Write 1 – failed, for the same reason" in told


def test_a_failure_says_what_failed_what_now_and_how_things_are() -> None:
    """In this order, with the tool's own two sentences and the way to try again."""
    trouble = Trouble(what="Vault refused to write b.", now="Give the role update there.")
    view = run(
        State.UNDONE, text="only=a", **progress(StepState.UNDONE, StepState.FAILED, StepState.WAITING, trouble=trouble)
    )
    message = render.run_message(view)
    told = shown(message)
    order = [
        "*What failed*", "Step 2, Write 1: Vault refused to write b.", "*What to do now*", "Give the role update there.",
        "`/try-it only=a`", "*How things are*", "1 step was put back; 1 step never ran.",
    ]  # fmt: skip
    assert [told.index(words) for words in order] == sorted(told.index(words) for words in order)
    assert "Vault refused to write b. 1 step was put back" in message.text


def test_what_failed_is_told_once() -> None:
    """The run's trouble is its first step's with an account of all of them: the sentence does not come twice."""
    facts = progress(StepState.FAILED, StepState.DONE, trouble=Trouble(what="Vault refused it.", now="Grant it."))
    facts["trouble"] = Trouble(what="Vault refused it.", now="Grant it. Of 2 steps: 1 done and left so.")
    told = shown(render.run_message(run(State.PARTLY, **facts)))
    head = told[told.index("*What failed*") : told.index("*What to do now*")]
    assert head.count("Vault refused it.") == 1


def test_each_failure_has_its_own_remedy() -> None:
    """Where they differ: what is to be done about the first is not told of the others."""
    facts = progress(StepState.FAILED, StepState.FAILED, trouble=Trouble(what="The disk is full.", now="Make room."))
    link = Trouble(what="There is a link.", now="Have it removed.")
    facts["steps"] = (facts["steps"][0], facts["steps"][1].model_copy(update={"trouble": link}))
    facts["trouble"] = Trouble(what="The disk is full.", now="Make room. Of 2 steps: 2 failed.")
    told = shown(render.run_message(run(State.STOPPED, **facts)))
    assert "The disk is full. → Make room.\n" in told
    assert "There is a link. → Have it removed.\n" in told
    assert told.count("Make room.") == 1
    assert "after its arrow. Of 2 steps: 2 failed." in told


def test_a_failed_undo_is_not_glossed_over() -> None:
    """A step that could not be put back is told as such, with its reason."""
    trouble = Trouble(what="The backup is gone.")
    view = run(State.STOPPED, **progress(StepState.UNDO_FAILED, StepState.FAILED, trouble=trouble))
    told = shown(render.run_message(view))
    assert "1 step could not be put back" in told
    assert "⛔ 1. Write 0 – could not be put back\n      The backup is gone." in told


def test_done_tells_the_proof_and_what_people_do_next() -> None:
    """The jobs to run again stand above the list of steps."""
    facts = progress(StepState.DONE, StepState.DONE)
    facts["plan"] = facts["plan"].model_copy(update={"then": (Note(label="Run again", text="job-a, job-b"),)})
    told = shown(render.run_message(run(State.DONE, **facts)))
    assert "Done and verified" in told
    assert "Each of the 2 steps was checked" in told
    assert told.index("*Run again*: job-a, job-b") < told.index("1. Write 0")


DENIED = (DecisionView(user="U9", verdict="deny", at=1e9, reason="Not on a *Friday*."),)


@pytest.mark.parametrize(
    ("view", "words"),
    [
        (
            run(State.DENIED, decisions=DENIED),
            ["Denied by <@U9> ", "2001-09-09 01:46 UTC", ": Not on a", "Friday", "Nothing was changed."],
        ),
        (run(State.EXPIRED, text="only=a"), ["Nobody decided in time. Nothing was changed.", "/try-it only=a"]),
        (run(State.CANCELLED), ["Cancelled. Nothing was changed."]),
        (run(State.SUPERSEDED, superseded_by="r-new2345"), ["Things moved", "Nothing was changed.", "r-new2345"]),
        (run(State.REFUSED, trouble=Trouble(what="No path a.", now="Create it.")), ["No path a. Create it. Nothing"]),
        (run(State.ASKED), ["Looking at what this would change."]),
        (run(State.APPROVED), ["starts as soon as no other run"]),
    ],
    ids=lambda value: value.state if isinstance(value, RunView) else "",
)
def test_each_ending_is_told_the_same_in_blocks_and_in_the_notification(view: RunView, words: list[str]) -> None:
    """Both say what happened and whether anything was changed."""
    message = render.run_message(view)
    for expected in words:
        assert expected in shown(message)
        assert expected in message.text


def test_who_approved_stands_where_the_buttons_were() -> None:
    """Who and when, for each of them, and the standing approval if it ran under one."""
    two = tuple(DecisionView(user=f"U{n}", verdict="approve", at=1e9) for n in (1, 2))
    told = shown(render.run_message(run(State.DONE, decisions=two, standing="nightly", plan=plan("a"))))
    assert "Approved by <@U1> <!date^1000000000^" in told
    assert "Approved by <@U2>" in told
    assert "standing approval nightly" in told
