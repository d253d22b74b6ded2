"""The parts of a plan as an approver sees them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from bot.core.plan import Change, Note, Plan
from bot.core.view import RunView, State, StepState, StepView
from bot.edges.blocks import Block
from bot.edges.elements import NOTHING, button, context, noted, sections, token, words
from bot.edges.text import clean, code, count, mrkdwn, plain, size

IRREVERSIBLE = "⚠ cannot be undone"
_MARK = f"  *{IRREVERSIBLE}*"
STEP_STATES = {
    StepState.WAITING: ("○", "waiting"),
    StepState.ALREADY: ("✔️", "already so"),
    StepState.RUNNING: ("⏳", "running"),
    StepState.DONE: ("✅", "done"),
    StepState.FAILED: ("❌", "failed"),
    StepState.UNDONE: ("↩️", "put back"),
    StepState.UNDO_FAILED: ("⛔", "could not be put back"),
}
_BAD = (StepState.UNDO_FAILED, StepState.FAILED)
_FAILED, _RUNNING = 10, 8  # steps that a folded list names


def title(view: RunView) -> str:
    """What the run is about, foreign text."""
    if view.answer:
        return view.answer.title
    return view.plan.title if view.plan else typed(view)


def typed(view: RunView) -> str:
    """The command as it was asked for, foreign text."""
    return f"/{view.command} {view.text}".strip()


STEPS = 2400  # characters of the list of steps, unless a message has room for more


def more(view: RunView) -> str:
    """Where the rest of a list is: only a plan that waits has a Details button in its message."""
    if view.state is State.PROPOSED:
        return ": press Details"
    return f": type /hivekeeper show {view.id}"


def steps(view: RunView) -> tuple[StepView, ...]:
    """The steps in order, read from the plan as long as the run has none of its own."""
    if view.steps or not view.plan:
        return tuple(sorted(view.steps, key=lambda s: (s.stage, s.place)))
    return tuple(StepView(stage=s, place=i, says=t.says(), reversible=t.reversible) for s, i, t in view.plan.steps)


def warnings(texts: Sequence[str], rest: str, budget: int = 1000) -> list[Block]:
    lines = [f"⚠️ {mrkdwn(text, 400)}" for text in texts]
    return sections("warnings", "", lines, budget, rest) if lines else []


def changes(given: Sequence[Change], rest: str, *, head: str = "What changes", budget: int = 2200) -> list[Block]:
    """One paragraph per thing that is copied: its name, whose it is, from where, and each place it goes to."""
    if not given:
        return []
    paragraphs = [_paragraph(list(group)) for _, group in groupby(given, key=lambda c: (c.name, c.source, c.subject))]
    blocks = sections("changes", f"*{head}*", paragraphs, budget, rest, gap="\n")
    fingerprints = any(change.old or change.new for change in given)
    legend = "The short codes are fingerprints: they tell old from new and show neither."
    return blocks + ([context("changes-legend", legend)] if fingerprints else [])


def _paragraph(group: Sequence[Change]) -> str:
    first = group[0]
    name = " · ".join(filter(None, [f"*{mrkdwn(first.name, 100) or NOTHING}*", mrkdwn(first.subject, 150)]))
    source = f"from {code(first.source, 250)}" if first.source else ""
    more = [f"  … and {count(len(group) - 3, 'more place')}"] if len(group) > 3 else []
    return "\n".join(filter(None, [name, source, *map(_place, group[:3]), *more]))


def _place(change: Change) -> str:
    return " ".join(filter(None, [f"to {code(change.target, 250)}" if change.target else "", _fingerprints(change)]))


def _fingerprints(change: Change) -> str:
    if change.matches:
        return f"– already matches {code(change.old or '', 20)}"
    if change.old is None and change.new is None:
        return ""
    old = code(change.old or "", 20) or "nothing yet"
    return f"– {old} → {code(change.new or '', 20) or 'removed'}"


def notes(block_id: str, head: str, given: Sequence[Note], rest: str, budget: int = 800) -> list[Block]:
    lines = [f"• *{mrkdwn(note.label, 100)}*: {noted(note, 500)}" for note in given]
    return sections(block_id, head, lines, budget, rest) if lines else []


def step_list(view: RunView, head: str, *, live: bool, budget: int = STEPS) -> list[Block]:
    """The steps numbered, under their stages; `live` shows where each stands, and folds a list that is too long to
    what needs a person and what goes on now."""
    lines = step_lines(view, live=live)
    if live and too_long(lines, budget):
        lines = _folded(view, budget)
    return sections("steps", head, lines, budget, more(view)) if lines else []


def too_long(lines: Sequence[str], budget: int = STEPS) -> bool:
    """Is that more than a list with this budget shows?"""
    return sum(size(line) + 1 for line in lines) > budget - 200


def step_lines(view: RunView, *, live: bool) -> list[str]:
    numbered = list(enumerate(steps(view), 1))
    stages = [list(group) for _, group in groupby(numbered, key=lambda pair: pair[1].stage)]
    lines: list[str] = []
    for number, stage in enumerate(stages, 1):
        once = _all_marked(stage)
        if len(stages) > 1 or len(stage) > 1:
            side = f" · {len(stage)} steps side by side" if len(stage) > 1 else ""
            lines.append(f"*Stage {number} of {len(stages)}*{side}{_MARK if once else ''}")
        lines += [step_line(n, step, live=live, marked=_marked(step) and not once) for n, step in stage]
    return lines


def _all_marked(stage: Sequence[tuple[int, StepView]]) -> bool:
    """Then once for all of them is enough."""
    return len(stage) > 1 and all(_marked(step) for _, step in stage)


def _marked(step: StepView) -> bool:
    """Once it is over, nobody can think twice about it."""
    return not step.reversible and step.state in (StepState.WAITING, StepState.RUNNING)


def step_line(number: int, step: StepView, *, live: bool, marked: bool = False) -> str:
    symbol, words = STEP_STATES[step.state] if live or step.state is not StepState.WAITING else ("", "")
    mark = _MARK if marked else ""
    far = f": {mrkdwn(step.progress, 200)}" if step.progress and step.state is StepState.RUNNING else ""
    state = f" – {words}{far}" if words else ""
    why = f"\n      {mrkdwn(step.trouble.what, 300)}" if step.trouble else ""
    return f"{symbol} {number}. {mrkdwn(step.says, 300)}{mark}{state}{why}".lstrip()


def _folded(view: RunView, budget: int) -> list[str]:
    """What failed and what runs now, a few of each by name; the headline counts the rest."""
    numbered = list(enumerate(steps(view), 1))
    failed = _failed([(n, step) for n, step in numbered if step.state in _BAD])
    running = [step_line(n, step, live=True) for n, step in numbered if step.state is StepState.RUNNING]
    where = f"All {len(numbered)} steps{more(view)}"
    left = budget - size(where) - 200
    named = _few(failed, _FAILED, left if not running else left * 2 // 3, "more failed")
    return [*named, *_few(running, _RUNNING, left - sum(map(size, named)), "more running"), where]


def _failed(numbered: Sequence[tuple[int, StepView]]) -> list[str]:
    """A line for each; a reason that is the one of the step before is not repeated."""
    lines, before = [], None
    for n, step in numbered:
        same = step.trouble is not None and step.trouble == before
        shown = step.model_copy(update={"trouble": None}) if same else step
        lines.append(step_line(n, shown, live=True) + (", for the same reason" if same else ""))
        before = step.trouble
    return lines


def _few(lines: Sequence[str], most: int, budget: int, rest: str) -> list[str]:
    """The first of them, and how many there are besides."""
    taken = 0
    while taken < min(most, len(lines)) and budget >= size(lines[taken]) + 2:
        budget -= size(lines[taken]) + 2
        taken += 1
    left = len(lines) - taken
    return [*lines[:taken], *([f"… and {left} {rest}"] if left else [])]


def counts(view: RunView) -> str:
    """2 failed, 1 running, 3 done, 116 waiting: what needs a person first."""
    states = [step.state for step in steps(view)]
    order = dict.fromkeys((*_BAD, *list(StepState)[1:], StepState.WAITING))
    parts = [(state, states.count(state)) for state in order]
    return ", ".join(f"{n} {STEP_STATES[state][1]}" for state, n in parts if n)


def on_failure(plan: Plan, given: Sequence[StepView]) -> str:
    """What becomes of a failure, one sentence or two."""
    sentence = {
        "undo": "If a step fails, what was done is put back.",
        "stop": "If a step fails, the run stops there and what was done stays.",
        "go_on": "If a step fails, the others go on; the report names what failed.",
    }[plan.on_failure]
    irreversible = sum(not step.reversible for step in given)
    if plan.on_failure != "undo" or not irreversible:
        return sentence
    return f"{sentence} {count(irreversible, 'step')} cannot be undone."


def buttons(view: RunView, block_id: str = "decide") -> Block:
    """Approve (asked once more), Deny and Details."""
    value = token(view)
    elements = [
        button("approve", "Approve", value, style="primary", confirm=_confirm(view)),
        button("deny", "Deny…", value, style="danger"),
        button("details", "Details", value),
    ]
    return {"type": "actions", "block_id": block_id, "elements": elements}


def details_button(view: RunView, block_id: str = "more") -> Block:
    """Opens all there is to know about a run, whatever its state."""
    return {"type": "actions", "block_id": block_id, "elements": [button("details", "Details", token(view))]}


def _confirm(view: RunView) -> Block:
    given = steps(view)
    effect = [clean(title(view), 110).rstrip(".") + "."]
    changed = [change for change in (view.plan.changes if view.plan else ()) if not change.matches]
    if targets := dict.fromkeys(change.target for change in changed):
        effect.append(f"Changes {clean(', '.join(targets), 80)}.")
    if view.plan:
        effect.append(on_failure(view.plan, given))
    danger = any(not step.reversible for step in given)
    return {
        "title": words("Approve this plan?"),
        "text": words(plain(" ".join(effect), 300)),
        "confirm": words("Approve"),
        "deny": words("Go back"),
        "style": "danger" if danger else "primary",
    }
