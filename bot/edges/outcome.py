"""How a run stands or ended, in a headline, in one sentence for a notification, and after a failure in full."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from bot.core.people import listed
from bot.core.view import RunView, State, StepState, StepView, Trouble
from bot.edges import checklist, proposal
from bot.edges.blocks import Block
from bot.edges.elements import section
from bot.edges.text import code, count, mrkdwn, notice, person, someone, utc, when

FAILED = (State.PARTLY, State.UNDONE, State.STOPPED)
_NOTHING = "Nothing was changed."
# symbol, words
STATES = {
    State.ASKED: ("🔎", "Looking"),
    State.PROPOSED: ("✋", "Waits for approval"),
    State.APPROVED: ("👍", "Approved, waits for its turn"),
    State.APPLYING: ("⏳", "Working"),
    State.DONE: ("✅", "Done and verified"),
    State.PARTLY: ("⚠️", "Partly done"),
    State.UNDONE: ("↩️", "Failed, and put back"),
    State.STOPPED: ("⛔", "Failed and stopped"),
    State.DENIED: ("🚫", "Denied"),
    State.EXPIRED: ("⌛", "Expired"),
    State.CANCELLED: ("✖️", "Cancelled"),
    State.SUPERSEDED: ("➡️", "Replaced by a newer plan"),
    State.ANSWERED: ("💬", "Answer"),
    State.REFUSED: ("❌", "Could not be planned"),
}


def label(view: RunView) -> str:
    """Symbol and words: ✅ Done and verified."""
    return " ".join(STATES[view.state])


def headline(view: RunView) -> str:
    """The state, and the sentence that goes with it (mrkdwn)."""
    symbol, words = STATES[view.state]
    return f"{symbol} *{words}*\n{_sentence(view, marked=True)}".strip()


def story(view: RunView) -> str:
    """The whole story in a sentence or two: the notification text."""
    words = STATES[view.state][1]
    title = notice(proposal.title(view), 200).rstrip(".")
    who = f"Asked by {_name(view.asker, False)}, run {notice(view.id, 60)}."
    return f"{words}: {title}. {_sentence(view, marked=False)} {who}".replace("  ", " ")


def failure(view: RunView) -> list[Block]:
    """What failed, what to do now, what was put back or stays: in this order."""
    failed = [(n, s) for n, s in enumerate(proposal.steps(view), 1) if s.state in _BAD]
    reasons = _by_reason(failed)
    several = len(_remedies([s for _, s in failed])) > 1
    what = [_reason(group, remedy=several) for group in reasons[:3]]
    said = {step.trouble.what for _, step in failed if step.trouble}
    told = [_words(view.trouble)] if view.trouble and view.trouble.what not in said else []
    left = sum(map(len, reasons[3:]))
    more = [f"… and {left} more, marked below"] if left else []
    parts = [
        ("failed", "What failed", "\n".join([*told, *what, *more]) or "The run did not come to its end."),
        ("now", "What to do now", _now(view, [s for _, s in failed])),
        ("back", "How things are", mrkdwn(_left(view), 600)),
    ]
    return [section(block_id, f"*{head}*\n{text}") for block_id, head, text in parts]


_BAD = (StepState.FAILED, StepState.UNDO_FAILED)
_Numbered = tuple[int, StepView]


def _by_reason(failed: Sequence[_Numbered]) -> list[list[_Numbered]]:
    """The failed steps that were told the same, together, in the order of the first of each."""
    groups: dict[str, list[_Numbered]] = {}
    for n, step in failed:
        groups.setdefault(step.trouble.what if step.trouble else "", []).append((n, step))
    return list(groups.values())


def _reason(group: Sequence[_Numbered], *, remedy: bool) -> str:
    n, first = group[0]
    which = f"Step {n}" if len(group) == 1 else f"{len(group)} steps, the first of them {n}"
    now = f" → {mrkdwn(first.trouble.now, 300)}" if remedy and first.trouble and first.trouble.now else ""
    return f"{which}, {mrkdwn(first.says, 200)}: {_words(first.trouble)}{now}"


def _remedies(failed: Sequence[StepView]) -> list[str]:
    """What is to be done about these, each once."""
    return list(dict.fromkeys(step.trouble.now for step in failed if step.trouble and step.trouble.now))


def _words(trouble: Trouble | None) -> str:
    return mrkdwn(trouble.what, 300) if trouble else "no reason was recorded"


def _now(view: RunView, failed: list[StepView]) -> str:
    troubles = [view.trouble, *(step.trouble for step in failed)]
    told = next((t.now for t in troubles if t and t.now), "")
    if len(remedies := _remedies(failed)) > 1:
        told = f"Each has its own remedy, after its arrow. {told.removeprefix(remedies[0]).strip()}"
    less = view.report is not None and view.report.again is not None  # than what was typed, which may force it all
    typed = "" if less else f", or type {code(proposal.typed(view), 200)}"
    again = f"When that is mended, press the button below{typed}. What is done already is left out."
    return f"{mrkdwn(told, 600)} {again}".strip()


def _left(view: RunView) -> str:
    states = [step.state for step in view.steps]
    parts = [
        (StepState.UNDONE, "was put back", "were put back"),
        (StepState.UNDO_FAILED, "could not be put back", "could not be put back"),
        (StepState.DONE, "is done and stays", "are done and stay"),
        (StepState.WAITING, "never ran", "never ran"),
    ]
    told = [f"{count(n, 'step')} {one if n == 1 else many}" for s, one, many in parts if (n := states.count(s))]
    if view.state is State.UNDONE and not told:
        told = ["everything is as it was before"]
    return f"{'; '.join(told) or 'See the steps below'}.".capitalize()


def _name(user: str, marked: bool) -> str:
    name = person(user)
    return name if marked or name.startswith("<@") else notice(someone(user), 80)


def _sentence(view: RunView, *, marked: bool) -> str:
    """One or two sentences that the state calls for. `marked`: for mrkdwn, otherwise for the notification."""
    tell = _SENTENCES.get(view.state)
    return tell(view, marked) if tell else ""


def _asked(_view: RunView, _marked: bool) -> str:
    return "Looking at what this would change. Nothing changes before somebody approves."


def _approved(_view: RunView, _marked: bool) -> str:
    return "It starts as soon as no other run works on the same thing."


def _wanted(view: RunView, marked: bool) -> str:
    given = sum(d.verdict == "approve" for d in view.decisions)
    need = max(view.approvals_needed - given, 1)
    had = f" ({given} given)" if given else ""
    whose = f" from {listed(view.approver_groups)}" if view.approver_groups else ""
    wanted = f"Needs {count(need, 'more approval' if given else 'approval')}{whose}{had}."
    mind = f" Mind the {count(heed, 'warning')}." if not marked and (heed := _warnings(view)) else ""
    return _safe(f"{wanted}{mind} Nothing changes before that.", 500, marked)


def _warnings(view: RunView) -> int:
    return len(view.plan.warnings) if view.plan else 0


def _counted(view: RunView, marked: bool) -> str:
    return _safe(proposal.counts(view), 300, marked).capitalize() + "." if view.steps else ""


def _failed(view: RunView, marked: bool) -> str:
    if marked:  # the blocks of `failure` tell it
        return ""
    troubles = [view.trouble, *(step.trouble for step in view.steps if step.state in _BAD)]
    what = next((notice(t.what, 500) for t in troubles if t), "")
    return f"{what} {notice(_left(view), 300)}".strip()


def _closed(view: RunView, marked: bool) -> str:
    one = view.decisions[-1] if view.decisions else None
    by = f" by {_name(one.user, marked)} {when(one.at) if marked else utc(one.at)}" if one else ""
    reason = f": {_safe(one.reason, 500, marked).rstrip('.')}" if one and one.reason else ""
    return f"{STATES[view.state][1]}{by}{reason}. {_NOTHING}"


def _expired(view: RunView, marked: bool) -> str:
    again = code(proposal.typed(view), 300) if marked else notice(proposal.typed(view), 300)
    return f"Nobody decided in time. {_NOTHING} To try again: {again}."


def _superseded(view: RunView, marked: bool) -> str:
    new = view.superseded_by or ""
    pointer = f" It is run {code(new, 60) if marked else notice(new, 60)}." if new else ""
    return f"Things moved since this plan was shown, so it cannot be approved any more. {_NOTHING}{pointer}"


def _refused(view: RunView, marked: bool) -> str:
    trouble = view.trouble or Trouble(what="The plan could not be made.")
    told = [_safe(trouble.what, 900, marked), _safe(trouble.now, 900, marked)]
    return " ".join(filter(None, [*told, "" if _NOTHING[:-1] in trouble.now else _NOTHING]))


def _safe(text: str, limit: int, marked: bool) -> str:
    return mrkdwn(text, limit) if marked else notice(text, limit)


_SENTENCES: dict[State, Callable[[RunView, bool], str]] = {
    State.ASKED: _asked,
    State.PROPOSED: _wanted,
    State.APPROVED: _approved,
    State.APPLYING: _counted,
    State.DONE: _counted,
    **dict.fromkeys(FAILED, _failed),
    State.ANSWERED: lambda view, _: checklist.progress(view),
    State.DENIED: _closed,
    State.CANCELLED: _closed,
    State.EXPIRED: _expired,
    State.SUPERSEDED: _superseded,
    State.REFUSED: _refused,
}
