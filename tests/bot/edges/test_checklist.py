"""The checklist of an answer: how it is shown within Slack's limits, and its buttons."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from slack_sdk import WebClient

from bot.core.checklist import Offer, RunbookStep, Tick
from bot.core.plan import Answer, Note
from bot.core.ports import Place
from bot.core.view import RunView, State
from bot.edges import render
from bot.edges.messenger import SlackMessenger

ASKER, CHANNEL, RUN = "U0ASKER", "C0ONCALL", "r-walk222"
ROTATE = Offer(label="/rotate-demo", command="rotate-demo", ask={"only": "alpha"})
GRANT = Offer(label="/grant-demo", command="grant-demo")
GONE = Offer(label="/gone", command="gone")
STEPS = (
    RunbookStep(name="item-1", text="Look.", section="First"),
    RunbookStep(name="item-2", text="Rotate.", section="Then", offer=ROTATE),
    RunbookStep(name="item-3", text="Grant.", section="Then", offer=GRANT),
    RunbookStep(name="item-4", text="Ask.", section="Then", offer=GONE),
)


def walked(steps: tuple[RunbookStep, ...] = STEPS, done: int = 0, **more: Any) -> RunView:
    answer = Answer(command="runbook", title="A runbook", checklist=steps, **more)
    ticks = tuple(Tick(step=step.name, user="U0APPROVER", at=1e9) for step in steps[:done])
    return RunView(
        id=RUN, revision=1, command="runbook", asker=ASKER, source="slack", state=State.ANSWERED, asked_at=1e9,
        answer=answer, ticks=ticks,
    )  # fmt: skip


def labels(view: RunView) -> list[str]:
    """The buttons in order."""
    found = []
    for block in render.run_message(view).blocks:
        elements = [*block.get("elements", []), *([block["accessory"]] if "accessory" in block else [])]
        found += [element["text"]["text"] for element in elements if element.get("type") == "button"]
    return found


def words(view: RunView) -> str:
    return json.dumps(render.run_message(view).blocks, ensure_ascii=False)


def test_each_step_has_its_buttons() -> None:
    """Done, and the offer beside it; who ticked a step stands there instead, with the way back."""
    assert labels(walked()) == ["Done", "/rotate-demo", "Done", "/grant-demo", "Done", "/gone", "Done"]
    half = walked(done=2)
    assert labels(half) == ["Not done", "Not done", "/grant-demo", "Done", "/gone", "Done"]
    assert words(half).count("done by <@U0APPROVER>") == 2
    assert words(half).count("*Then*") == 1
    assert "2 of 4 steps are done." in render.run_message(half).text


def test_the_end_is_told() -> None:
    """In the message and in its notification."""
    assert "All steps are done" in words(walked(done=4))
    assert "All 4 steps are done." in render.run_message(walked(done=4)).text
    assert "All steps are done" not in words(walked(done=3))


@pytest.mark.parametrize("done", [0, 1, 30, 59, 60])
def test_a_long_list_shows_where_people_are(done: int) -> None:
    """The next step to do is always there with its button, and every other step is shown or counted."""
    steps = tuple(RunbookStep(name=f"item-{n}", text=f"Step number {n}. " + "x" * 900) for n in range(1, 61))
    told = words(walked(steps, done))
    assert done == 60 or f"☐ {done + 1}. Step number {done + 1}." in told
    assert done < 3 or f"The first {done - 2} steps are done" in told
    assert ("more step" in told) == (done < 55)


@settings(max_examples=settings.default.max_examples * 3 // 5)
@given(
    st.lists(st.tuples(st.text(max_size=2000), st.booleans()), max_size=60), st.integers(0, 60), st.text(max_size=3000)
)
def test_slack_takes_whatever_a_runbook_says(given: list[tuple[str, bool]], done: int, text: str) -> None:
    """The checker of Slack's limits passes, however long and hostile the steps; nobody is pinged."""
    steps = tuple(
        RunbookStep(name=f"item-{n}", text=text, section=text[:150], offer=ROTATE if offered else None)
        for n, (text, offered) in enumerate(given, 1)
    )
    notes = tuple(Note(label="sh", text=text[:300]) for _ in range(8))
    message = render.run_message(walked(steps, min(done, len(steps)), text=(text[:1000] or "-",), notes=notes))
    assert "<!" not in json.dumps(message.blocks).replace("<!date^", "")


def shown(world: Any, view: RunView) -> str:
    """The message in the channel; its ts."""
    world.desk.views[view.id] = view
    client = WebClient(world.tokens[0], base_url=world.api_url, retry_handlers=[])
    return SlackMessenger(client).post(Place(channel=CHANNEL), view, f"{view.id}/head")


def press(world: Any, ts: str, label: str, nth: int = 0) -> None:
    found = [
        (block["block_id"], element["action_id"])
        for block in world.workspace.message(CHANNEL, ts)["blocks"]
        for element in [*block.get("elements", []), block.get("accessory")]
        if element and element.get("type") == "button" and element["text"]["text"] == label
    ]
    block, action = found[nth]
    pressed = world.person("action", user=ASKER, channel=CHANNEL, message_ts=ts, block_id=block, action_id=action)
    assert pressed == {"ok": True}


Start = Callable[..., Any]


@pytest.mark.parametrize(("label", "action", "step"), [("Done", "tick", "item-2"), ("Not done", "untick", "item-1")])
def test_a_tick_reaches_the_desk(start: Start, label: str, action: str, step: str) -> None:
    """With the run, the step and who pressed."""
    world = start("http")
    press(world, shown(world, walked(done=1)), label)
    assert list(world.desk.acted.values()) == [(RUN, ASKER, action, step)]


def test_an_offer_becomes_a_request(start: Start) -> None:
    """Command and parameters come from the stored answer, the asker from the click."""
    world = start("http")
    press(world, shown(world, walked()), "/rotate-demo")
    (request,) = world.desk.requests.values()
    assert (request.command, request.ask, request.asker, request.channel) == (
        "rotate-demo", {"only": "alpha"}, ASKER, CHANNEL,
    )  # fmt: skip
    assert world.told("Looking into it")


def test_an_offer_that_needs_more_opens_the_form(start: Start) -> None:
    """Instead of a refusal: the person fills in what the runbook cannot know."""
    world = start("http")
    press(world, shown(world, walked()), "/grant-demo")
    assert world.modal(ASKER)["title"]["text"] == "/grant-demo"
    assert not world.desk.requests


def test_what_is_not_there_any_more_is_told(start: Start) -> None:
    """A command that is off here, and an offer that the answer does not make."""
    world = start("http")
    ts = shown(world, walked())
    press(world, ts, "/gone")
    assert world.told("not switched on here")
    world.desk.views[RUN] = walked(STEPS[:1])
    press(world, ts, "/rotate-demo")
    assert world.told("That step is not in the store any more")
    assert not world.desk.requests


def test_a_store_that_is_down_is_told(start: Start) -> None:
    """So that nobody takes the step for ticked."""
    world = start("http")
    ts = shown(world, walked())
    world.desk.down = True
    press(world, ts, "Done")
    world.desk.down = False
    assert world.told("nothing was changed")


@pytest.mark.parametrize(
    "value", ["", "{}", '{"run":"r-1","step":"../x"}', '{"run":"r-1","step":"a","offer":"0123456789abcdef"}']
)
def test_a_forged_button_is_refused(start: Start, value: str) -> None:
    """Acknowledged, audited, and nothing is asked of the desk."""
    world = start("http")
    payload = {
        "type": "block_actions", "trigger_id": f"t{time.time()}", "user": {"id": ASKER}, "channel": {"id": CHANNEL},
        "actions": [{"action_id": "walk-done", "block_id": "b", "type": "button", "value": value}],
    }  # fmt: skip
    world.forge("interactive", payload)
    assert world.told("That button is not one of mine")
    assert not world.desk.acted
