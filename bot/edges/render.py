"""The only maker of Slack messages. What comes out has passed the checker of Slack's limits (bot.edges.blocks)."""

from __future__ import annotations

from collections.abc import Callable

from bot.core.errors import Told
from bot.core.plan import Answer
from bot.core.view import NoteView, RunView, State, StepState
from bot.edges import again, checklist, proposal, report, wanted
from bot.edges.blocks import TOTAL, Block, Message, check, texts
from bot.edges.elements import context, header, section, sections, table
from bot.edges.incident import incident_message
from bot.edges.lists import audit_message, help_message, incidents_message, runs_message
from bot.edges.outcome import FAILED, failure, headline, story
from bot.edges.text import code, count, mention, mrkdwn, notice, person, size, when

__all__ = [
    "Message",
    "audit_message",
    "ephemeral",
    "error_message",
    "full_message",
    "help_message",
    "incident_message",
    "incidents_message",
    "note_message",
    "run_message",
    "runs_message",
]

_APPLIED = (State.DONE, State.PARTLY, State.STOPPED)  # something was changed, so there is something to report
_FOLDED = 700  # characters that a report leaves to the list of steps


def run_message(view: RunView) -> Message:
    """A run as it stands. Buttons are there exactly while it waits for a decision."""
    return _checked(Message(story(view), [*_head(view), *_BODIES.get(view.state, _plain_body)(view)]))


def full_message(view: RunView) -> Message:
    """A run with all its steps, for one person who wants to see them. What even one message does not hold, the
    button opens."""
    lines = proposal.step_lines(view, live=True)
    reported = view.report is not None and view.state in _APPLIED
    if view.plan is None or not (reported or proposal.too_long(lines)):
        return run_message(view)
    head, rest = _head(view), ": press Details"
    told = [*(failure(view) if view.state in FAILED else []), *proposal.warnings(view.plan.warnings, rest)]
    changes = proposal.changes(view.plan.changes, rest)
    waits = view.state is State.PROPOSED
    end = [
        context("safety", proposal.on_failure(view.plan, proposal.steps(view))),
        *_decisions(view),
        *again.blocks(view),
        proposal.buttons(view) if waits else proposal.details_button(view),
    ]
    told += report.blocks(view, min(4500, _room(head, told, changes, end)), report.ALL) if reported else []
    room = _room(head, told, changes, end)
    return _checked(
        Message(story(view), [*head, *told, *changes, *sections("steps", "*Steps*", lines, room, rest), *end])
    )


def note_message(view: NoteView) -> Message:
    """A line in a run's thread."""
    whom = " ".join(filter(None, map(mention, view.mention[:20])))
    said = [section("note", f"{whom} {mrkdwn(view.text, 2000)}".strip())]
    if view.lines:
        said += sections("lines", "", [mrkdwn(line, 500) for line in view.lines], 6000, "")
    return _checked(Message(f"{whom} {notice(view.text, 1500)}".strip() or "–", said))


def ephemeral(text: str) -> Message:
    """A sentence or two to one person. The text is taken as foreign; its lines stay lines."""
    lines = [mrkdwn(line, 900) for line in text.splitlines()[:200]]
    blocks = sections("told", "", [line for line in lines if line] or ["–"], 6000, "")
    return _checked(Message(notice(text, 2000) or "–", blocks))


def error_message(told: Told) -> Message:
    """What went wrong, and what to do now."""
    blocks = [section("what", f"❌ *{mrkdwn(told.what, 1500)}*")]
    if told.now:
        blocks.append(section("now", mrkdwn(told.now, 2000)))
    return _checked(Message(notice(str(told), 2000) or "–", blocks))


def _room(*parts: list[Block]) -> int:
    """Characters that a message with these parts still holds."""
    return TOTAL["message"] - sum(map(_taken, parts))


def _taken(blocks: list[Block]) -> int:
    return sum(map(size, texts(blocks)))


def _checked(message: Message) -> Message:
    check(message, "message")
    return message


def _head(view: RunView) -> list[Block]:
    return [header("title", proposal.title(view)), section("state", headline(view)), _who(view)]


def _who(view: RunView) -> Block:
    return context(
        "who",
        f"Asked by {person(view.asker)} {when(view.asked_at)}",
        f"run {code(view.id, 60)}",
        f"replaces run {code(view.supersedes, 60)}" if view.supersedes else "",
        f"expires {when(view.expires_at)}" if view.state is State.PROPOSED and view.expires_at is not None else "",
        f"ended {when(view.finished_at)}" if view.finished_at is not None else "",
    )


def _decisions(view: RunView) -> list[Block]:
    verdicts = {"approve": "👍 Approved", "deny": "🚫 Denied", "cancel": "✖️ Cancelled"}
    lines = [f"🕰️ Approved beforehand by the standing approval {mrkdwn(view.standing, 80)}"] if view.standing else []
    told = view.state in (State.DENIED, State.CANCELLED)  # the headline tells the last one
    for one in (view.decisions[:-1] if told else view.decisions)[-3:]:
        reason = f": {mrkdwn(one.reason, 250)}" if one.reason else ""
        lines.append(f"{verdicts.get(one.verdict, '•')} by {person(one.user)} {when(one.at)}{reason}")
    return [context("decisions", "\n".join(lines))] if lines else []


def _proposed(view: RunView) -> list[Block]:
    plan, given = view.plan, proposal.steps(view)
    blocks = [*_found(view, notes=True), *proposal.step_list(view, "*What will happen*", live=False)]
    if plan:
        premises = count(len(plan.premises), "fact is", "facts are")
        again = f"Before the first step {premises} checked once more; if anything moved, nothing runs."
        blocks.append(context("safety", proposal.on_failure(plan, given), again if plan.premises else ""))
    return [*blocks, *_decisions(view), proposal.buttons(view)]


def _found(view: RunView, *, notes: bool) -> list[Block]:
    """What planning found: warnings first."""
    if not view.plan:
        return []
    rest = proposal.more(view)
    head = {State.DONE: "What changed", State.ANSWERED: "What was found"}.get(view.state, "What changes")
    found = [
        *proposal.warnings(view.plan.warnings, rest),
        *proposal.changes(view.plan.changes, rest, head=head),
    ]
    return found + (proposal.notes("notes", "*Good to know*", view.plan.notes, rest) if notes else [])


def _working(view: RunView) -> list[Block]:
    steps = proposal.step_list(view, "*Steps*", live=True)
    return [*steps, *_decisions(view), *_found(view, notes=False)]


def _done(view: RunView) -> list[Block]:
    done = sum(step.state is StepState.DONE for step in view.steps)
    proof = f"Each of the {done} steps was" if done > 1 else "The step was"
    checked = [context("proof", f"{proof} checked against the real thing after it ran.")] if done else []
    then, decisions, found = _then(view), _decisions(view), [] if view.report else _found(view, notes=False)
    room = _room(_head(view), then, checked, decisions, found)
    now = report.blocks(view, room - _FOLDED)
    steps = proposal.step_list(view, "*Steps*", live=True, budget=min(proposal.STEPS, room - _taken(now)))
    return [*now, *then, *steps, *checked, *decisions, *found]


def _failed(view: RunView) -> list[Block]:
    head = f"*Steps*: {proposal.counts(view)}"
    told = [*failure(view), *again.blocks(view)]
    then = _then(view) if view.state is State.PARTLY else []
    room = _room(_head(view), told, then, _decisions(view))
    now = report.blocks(view, room - _FOLDED) if view.state in _APPLIED else []
    steps = proposal.step_list(view, head, live=True, budget=min(proposal.STEPS, room - _taken(now)))
    return [*told, *now, *steps, *then, *_decisions(view)]


def _then(view: RunView) -> list[Block]:
    then = view.plan.then if view.plan else ()
    return proposal.notes("then", "*What to do next*", then, proposal.more(view), 1200)


def _answered(view: RunView) -> list[Block]:
    answer = view.answer
    if not answer:
        return _found(view, notes=True)
    found = _found(view, notes=False) or proposal.warnings(answer.warnings, "")
    lines = [line for line in (mrkdwn(line, 600) for line in answer.text) if line]
    said = sections("text", "", lines, 2000, " lines") if lines else []
    return [
        *found,
        *said,
        *_table(answer),
        *checklist.blocks(view),
        *proposal.notes("notes", "", answer.notes, ""),
        *wanted.blocks(view),
        *report.buttons(view.id, answer.offers),
        *_decisions(view),
    ]


def _table(answer: Answer) -> list[Block]:
    if not answer.table:
        return []
    block, left_out = table("table", answer.table, 2500)
    rest = [context("left-out", f"… and {count(left_out, 'more row')} not shown here.")] if left_out else []
    return [*([block] if block else []), *rest]


def _plain_body(view: RunView) -> list[Block]:
    """Where the headline has told it all."""
    return [*_decisions(view), *again.blocks(view)]


_BODIES: dict[State, Callable[[RunView], list[Block]]] = {
    State.PROPOSED: _proposed,
    State.APPROVED: _working,
    State.APPLYING: _working,
    State.DONE: _done,
    State.ANSWERED: _answered,
    **dict.fromkeys(FAILED, _failed),
}
