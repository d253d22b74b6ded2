"""A run that did not end well can be asked for once more, by a button, by a command."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from slack_sdk import WebClient

from bot.core.plan import Plan
from bot.core.ports import Place
from bot.core.view import RunView, State, StepState, StepView, Trouble
from bot.edges import again, render
from bot.edges.messenger import SlackMessenger
from tests.bot.edges.shown import buttons, plan, run, shown

ASKER, STRANGER, CHANNEL = "U0ASKER", "U0STRANGER", "C0ONCALL"
ENDED = [State.PARTLY, State.STOPPED, State.UNDONE, State.REFUSED, State.EXPIRED]
D, F, W, A, B = StepState.DONE, StepState.FAILED, StepState.WAITING, StepState.ALREADY, StepState.UNDO_FAILED


def ended(state: State, *states: StepState) -> RunView:
    steps = tuple(
        StepView(stage=n, place=0, says=f"Write {n}", reversible=True, state=one, progress="half")
        for n, one in enumerate(states)
    )
    given: Plan | None = plan(*(step.says for step in steps)) if steps else None
    return run(state, plan=given, steps=steps, digest="d" * 64 if given else None)


@pytest.mark.parametrize("state", State)
def test_the_button_is_there_after_every_ending_that_was_not_the_wanted_one(state: State) -> None:
    """And after no other; it carries the run and nothing else."""
    found = [b for b in buttons(render.run_message(ended(state, D, F))) if b["action_id"] == again.AGAIN]
    assert [b["value"] for b in found] == (['{"run":"r-abc2345"}'] if state in ENDED else [])


@pytest.mark.parametrize(
    ("view", "label"),
    [
        (ended(State.PARTLY, D, F, F, A, F), "Try the 3 that failed again"),
        (ended(State.PARTLY, D, F), "Try the one that failed again"),
        (ended(State.STOPPED, D, F, W), "Try the 2 that are not done again"),
        (ended(State.STOPPED, D, B), "Try the one that is not done again"),
        (ended(State.UNDONE, StepState.UNDONE, F), "Try again"),
        (ended(State.REFUSED), "Try again"),
        (ended(State.EXPIRED, W, W), "Try again"),
    ],
)
def test_it_says_how_much_is_left(view: RunView, label: str) -> None:
    """Where a part is done and stays, how many steps are not; else only that it is tried again."""
    assert again.label(view) == label


def test_a_long_list_of_steps_can_be_tried_again_from_the_full_message() -> None:
    """The message that shows all two hundred steps has the button too."""
    view = ended(State.PARTLY, *[D] * 150, *[F] * 50)
    assert "Try the 50 that failed again" in [b["text"]["text"] for b in buttons(render.full_message(view))]


def test_progress_stands_after_the_line_of_a_running_step() -> None:
    """Only there: a step that has ended shows its state."""
    told = shown(render.run_message(ended(State.APPLYING, D, StepState.RUNNING)))
    assert "⏳ 2. Write 1 – running: half" in told
    assert told.count("half") == 1


def test_two_hundred_steps_are_folded() -> None:
    """Counts in the headline; the first failures and what runs by name; how many more of each; where all of it is."""
    states = [D] * 100 + [F] * 15 + [StepState.RUNNING] * 60 + [W] * 25
    view = ended(State.APPLYING, *states)
    steps = tuple(
        s.model_copy(update={"trouble": Trouble(what="No answer.")}) if s.state is F else s for s in view.steps
    )
    told = shown(render.run_message(view.model_copy(update={"steps": steps})))
    assert "15 failed, 60 running, 100 done, 25 waiting" in told
    assert "❌ 101. Write 100 – failed\n      No answer." in told
    assert "… and 5 more failed" in told
    assert "⏳ 116. Write 115 – running: half" in told
    assert "… and 52 more running" in told
    assert "All 200 steps: type /hivekeeper show r-abc2345" in told
    assert "Write 199" not in told


Start = Callable[..., Any]


def posted(world: Any, view: RunView) -> str:
    world.desk.views[view.id] = view
    client = WebClient(world.tokens[0], base_url=world.api_url, retry_handlers=[])
    return SlackMessenger(client).post(Place(channel=CHANNEL), view, f"{view.id}/head")


def press(world: Any, ts: str, user: str = ASKER) -> None:
    pressed = world.person("action", user=user, channel=CHANNEL, message_ts=ts, block_id="again", action_id=again.AGAIN)
    assert pressed == {"ok": True}


@pytest.mark.parametrize("mode", ["socket", "http"])
def test_pressing_it_asks_the_desk(start: Start, mode: str) -> None:
    """With the run and who pressed; that person alone reads what came of it, a refusal too."""
    world = start(mode)
    ts = posted(world, ended(State.PARTLY, D, F))
    press(world, ts)
    assert world.told("Looking into it as run r-new2345")
    assert list(world.desk.again.values()) == [("r-abc2345", ASKER)]
    press(world, ts, STRANGER)
    assert world.told("You may not ask", STRANGER)


def test_a_store_that_is_down_is_told(start: Start) -> None:
    """So that nobody waits for a run that was never stored; a fault of ours is told without its text."""
    world = start("http")
    ts = posted(world, ended(State.UNDONE, F))
    world.desk.down = True
    press(world, ts)
    assert world.told("nothing was started")
    world.desk.down, world.desk.broken = False, True
    press(world, ts)
    assert "secret" not in world.told("RuntimeError")


def test_it_can_be_typed(start: Start) -> None:
    """`/hivekeeper again RUN` is the same; without a run the person is told how to type it."""
    world = start("http")
    world.command("/hivekeeper again r-abc2345")
    assert world.told("Looking into it as run r-new2345")
    assert list(world.desk.again.values()) == [("r-abc2345", ASKER)]
    world.command("/hivekeeper again")
    assert world.told("Which run?")
