"""The checklist of an answer, such as a runbook's steps: each a line with its buttons until it is ticked.

A long list shows the part where people are: what comes before is counted as done, what comes after as still to come.
"""

from __future__ import annotations

from bot.core.checklist import Offer, RunbookStep, Tick
from bot.core.view import RunView
from bot.edges import offers
from bot.edges.blocks import Block
from bot.edges.elements import button, context, section, words
from bot.edges.text import count, mrkdwn, person, plain, size, when

DONE, NOT_DONE, OFFER = "walk-done", "walk-undone", "walk-offer"  # action ids
_SHOWN, _BACK = 15, 2  # steps in one message; of these, ticked ones before the first that is not
_ROOM = 5000  # characters of all of them
_LONG, _SHORT = 1200, 160  # characters of a step that is to be done, and of one that is


def progress(view: RunView) -> str:
    """How far people have come; empty without a checklist."""
    steps = view.answer.checklist if view.answer else ()
    if not steps:
        return ""
    done = len(_ticks(view))
    if done == len(steps):
        return f"All {done} steps are done." if done > 1 else "The step is done."
    return f"{done} of {count(len(steps), 'step is', 'steps are')} done."


def blocks(view: RunView) -> list[Block]:
    steps = view.answer.checklist if view.answer else ()
    if not steps:
        return []
    ticks = _ticks(view)
    texts = [_text(steps, n, ticks) for n in range(len(steps))]
    begin, end = _window(steps, texts, ticks)
    shown = [block for n in range(begin, end) for block in _step(view, n, texts[n], steps[n], ticks.get(steps[n].name))]
    before = [context("walk-before", f"✔️ The first {count(begin, 'step is', 'steps are')} done.")] if begin else []
    rest = f"… and {count(len(steps) - end, 'more step')}, shown here as these are done. All of them: "
    after = (
        [context("walk-after", f"{rest}`hivekeeper show {view.id}` on the command line.")] if end < len(steps) else []
    )
    ended = [section("walk-ended", "🎉 *All steps are done.*")] if len(ticks) == len(steps) else []
    return [*before, *shown, *after, *ended]


def _ticks(view: RunView) -> dict[str, Tick]:
    names = {step.name for step in view.answer.checklist} if view.answer else set()
    return {tick.step: tick for tick in view.ticks if tick.step in names}


def _window(steps: tuple[RunbookStep, ...], texts: list[str], ticks: dict[str, Tick]) -> tuple[int, int]:
    """Which steps to show, from and up to: all if they fit, else those around the first that is not done."""
    first = next((n for n, step in enumerate(steps) if step.name not in ticks), len(steps))
    fits = len(steps) <= _SHOWN and sum(map(size, texts)) <= _ROOM
    begin = 0 if fits else max(0, first - _BACK)
    end, left = begin, _ROOM
    while end < min(len(steps), begin + _SHOWN) and left >= size(texts[end]):
        left -= size(texts[end])
        end += 1
    return begin, end


def _text(steps: tuple[RunbookStep, ...], n: int, ticks: dict[str, Tick]) -> str:
    """The step under its heading, where another one begins."""
    step, tick = steps[n], ticks.get(steps[n].name)
    heading = (
        f"*{mrkdwn(step.section, 150)}*\n" if step.section and (not n or steps[n - 1].section != step.section) else ""
    )
    if tick:
        return f"{heading}✔️ {n + 1}. {mrkdwn(step.text, _SHORT)}\ndone by {person(tick.user)} {when(tick.at)}"
    return f"{heading}☐ {n + 1}. {mrkdwn(step.text, _LONG)}"


def _step(view: RunView, n: int, text: str, step: RunbookStep, tick: Tick | None) -> list[Block]:
    line = section(f"walk-{n}", text)
    if not offers.STEP.fullmatch(step.name):
        return [line]
    label, action = ("Not done", NOT_DONE) if tick else ("Done", DONE)
    hint = plain(f"{label}: step {n + 1}, {step.text}", 75)
    press = button(action, label, offers.of_step(view.id, step.name), accessibility_label=hint)
    if tick or step.offer is None:
        return [{**line, "accessory": press}]
    elements = [_offer(view, step, step.offer), press]
    return [line, {"type": "actions", "block_id": f"walk-{n}-do", "elements": elements}]


def _offer(view: RunView, step: RunbookStep, given: Offer) -> Block:
    style = {"style": "danger"} if given.danger else {"style": "primary"}
    value = offers.of_step(view.id, step.name, given)
    return button(OFFER, plain(given.label, 75), value, confirm=_confirm(given), **style)


def _confirm(given: Offer) -> Block:
    return {
        "title": words(plain(f"/{given.command}?", 100)),
        "text": words("It is looked into now. If it would change something, its plan waits for approval first."),
        "confirm": words("Ask for it"),
        "deny": words("Go back"),
    }
