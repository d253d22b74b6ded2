"""A plan's message tells an approver all that the decision needs."""

from __future__ import annotations

import re

from bot.core.plan import Answer, Change, Plan, Stage
from bot.core.view import DecisionView, State, StepState, StepView
from bot.edges import modal, render
from tests.bot.edges.shown import Burn, Stands, Write, buttons, plan, run, shown


def test_a_plan_tells_all_that_an_approver_needs() -> None:
    """Who asked, when it expires, what changes from where to where, what cannot be undone, what a failure means."""
    given_plan = Plan(
        command="try-it",
        title="Move 2 tokens",
        subject="s",
        stages=(Stage(steps=(Write(text="Write a to b"),)), Stage(steps=(Burn(text="Burn c"), Write(text="Write d")))),
        changes=(
            Change(name="hive", source="app/out", target="sd/one", subject="sa:hive", old="aaaaaaaa", new="bbbbbbbb"),
            Change(name="hive", source="app/out", target="sd/two", subject="sa:hive", old="bbbbbbbb", new="bbbbbbbb"),
        ),
        warnings=("It is Friday.",),
        premises=(Stands(text="a is b"),),
    )
    view = run(State.PROPOSED, plan=given_plan, digest=given_plan.digest, expires_at=1e9 + 60, approver_groups=("sre",))
    message = render.run_message(view)
    told = shown(message)
    for words in (
        "Move 2 tokens", "Needs 1 approval from sre", "<@U123>", "<!date^1000000060^", "`r-abc2345`", "⚠️ It is Friday.",
        "*hive* · sa:hive", "from `app/out`", "to `sd/one` – `aaaaaaaa` → `bbbbbbbb`",
        "to `sd/two` – already matches `bbbbbbbb`", "1. Write a to b", "*Stage 2 of 2* · 2 steps side by side",
        "2. Burn c  *⚠ cannot be undone*", "what was done is put back. 1 step cannot be undone.",
        "1 fact is checked once more",
    ):  # fmt: skip
        assert words in told, words
    assert told.index("It is Friday") < told.index("*hive*") < told.index("1. Write a to b")


def test_what_cannot_be_undone_is_marked_once_for_a_stage() -> None:
    """Where it holds for all steps of one; and no longer of those that are over."""
    given_plan = Plan(command="try-it", title="Burn", subject="s",
                      stages=(Stage(steps=(Burn(text="Burn a"), Burn(text="Burn b"))),))  # fmt: skip
    told = shown(render.run_message(run(State.PROPOSED, plan=given_plan, digest="d")))
    assert "*Stage 1 of 1* · 2 steps side by side  *⚠ cannot be undone*" in told
    assert "Burn a  *⚠" not in told
    steps = tuple(StepView(stage=0, place=n, says=f"Burn {n}", reversible=False, state=state)
                  for n, state in enumerate((StepState.DONE, StepState.WAITING)))  # fmt: skip
    told = shown(render.run_message(run(State.APPLYING, plan=given_plan, digest="d", steps=steps)))
    assert "Burn 0 – done" in told
    assert "Burn 1  *⚠ cannot be undone* – waiting" in told


def test_approving_is_asked_once_more_with_target_and_effect() -> None:
    """The dialog names what is changed where, not what is right already, and is red when something cannot be undone."""
    right = Change(name="m", source="a", target="sd-uhc/sandbox (other)", old="cccccccc", new="cccccccc")
    change = Change(name="n", source="a", target="sd-uhc/sandbox", old=None, new="bbbbbbbb")
    for step, style in ((Write(text="w"), "primary"), (Burn(text="w"), "danger")):
        given_plan = plan(stages=(Stage(steps=(step,)),), changes=(right, change))
        approve = next(buttons(render.run_message(run(State.PROPOSED, plan=given_plan, digest="d"))))
        assert approve["confirm"]["style"] == style
        assert "Move 2 tokens. Changes sd-uhc/sandbox." in approve["confirm"]["text"]["text"]


def test_a_long_plan_is_cut_and_says_so() -> None:
    """Two hundred steps are counted, and the person is sent to the details, which show them."""
    view = run(State.PROPOSED, plan=plan(*(f"Write number {n:03d}" for n in range(200))), digest="d")
    assert re.search(r"… and \d+ more: press Details", shown(render.run_message(view)))
    assert "Write number 199" in shown(modal.details(view))


def test_half_of_the_approvals_is_told() -> None:
    """With one of two given, one more is asked for."""
    one = (DecisionView(user="U1", verdict="approve", at=1e9),)
    message = render.run_message(run(State.PROPOSED, plan=plan("a"), approvals_needed=2, decisions=one, digest="d"))
    assert "Needs 1 more approval (1 given)." in message.text


def test_nothing_to_do_still_shows_what_was_found() -> None:
    """An answer to a plan whose steps are all done already keeps the changes visible."""
    change = Change(name="hive", source="a", target="b", old="aaaaaaaa", new="aaaaaaaa")
    answer = Answer(command="try-it", title="Nothing to do: all is as it should be")
    told = shown(render.run_message(run(State.ANSWERED, answer=answer, plan=plan("w", changes=(change,)))))
    assert "Nothing to do: all is as it should be" in told
    assert "already matches `aaaaaaaa`" in told
