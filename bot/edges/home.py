"""The App Home: what waits for you, what fails, how fresh the credentials are, what runs, what ran, what is
scheduled."""

from __future__ import annotations

from collections.abc import Sequence

from bot.core.desk import ScheduleView
from bot.core.incident import IncidentView
from bot.core.inventory import Holding
from bot.core.view import RunView
from bot.edges import incident, inventory, proposal
from bot.edges.blocks import TOTAL, Block, check, texts
from bot.edges.elements import context, header, section, sections
from bot.edges.lists import run_line
from bot.edges.text import code, count, mrkdwn, person, size, when

_WAITING = 12  # shown with buttons; the rest is counted


def home(
    user: str,
    waiting: Sequence[RunView],
    running: Sequence[RunView],
    last: Sequence[RunView],
    schedules: Sequence[ScheduleView],
    *,
    incidents: Sequence[IncidentView] = (),
    holdings: Sequence[Holding] = (),
) -> Block:
    """The Home tab of one person. `waiting` are the plans this person may decide, `incidents` those that are not
    closed, `holdings` the credentials in the order of urgency. No run is shown twice."""
    shown = {view.id for view in waiting}
    running = [view for view in running if view.id not in shown]
    shown |= {view.id for view in running}
    last = [view for view in last if view.id not in shown]
    first = [
        header("waiting", f"Waits for you ({len(waiting)})" if waiting else "Nothing waits for you"),
        *(_waiting(waiting) if waiting else [section("hello", _hello(user, busy=bool(running or last or incidents)))]),
        *_list("incidents", "Incidents", [incident.line(view) for view in incidents], "incidents"),
    ]
    rest = [
        *_list("running", "Under way", [run_line(view) for view in running]),
        *_list("last", "Last runs", [run_line(view) for view in last]),
        *_list("schedules", "Schedules", [_schedule(one) for one in schedules]),
    ]
    room = TOTAL["home"] - sum(map(size, texts([first, rest])))
    blocks = [*first, *inventory.blocks(holdings, room - 100), *rest]
    view: Block = {"type": "home", "callback_id": "home", "blocks": blocks}
    check(view, "home")
    return view


def _hello(user: str, *, busy: bool) -> str:
    start = "" if busy else f"Hello {person(user)}, nobody has asked for anything yet. "
    commands = f"{code('/hivekeeper help', 40)} lists what can be asked for, {code('/hivekeeper runs', 40)} what ran."
    return f"{start}{commands}\nA command followed by {code('?', 10)} opens a form."


def _waiting(waiting: Sequence[RunView]) -> list[Block]:
    blocks = [block for view in waiting[:_WAITING] for block in _proposal(view)]
    if rest := len(waiting) - _WAITING:
        text = f"… and {rest} more: {code('/hivekeeper runs', 40)}"
        blocks += [context("waiting-more", text)] if rest > 0 else []
    return blocks


def _proposal(view: RunView) -> list[Block]:
    steps = proposal.steps(view)
    marks = sum(not step.reversible for step in steps)
    lines = [f"*{mrkdwn(proposal.title(view), 200)}*"]
    lines += [f"⚠️ {mrkdwn(warning, 200)}" for warning in (view.plan.warnings[:3] if view.plan else ())]
    lines += [count(len(steps), "step") + (f", {marks} of them {proposal.IRREVERSIBLE}" if marks else "")]
    expires = f"expires {when(view.expires_at)}" if view.expires_at is not None else ""
    who = f"Asked by {person(view.asker)} {when(view.asked_at)}"
    return [
        section(f"plan-{view.id}", "\n".join(lines)),
        context(f"who-{view.id}", who, f"run {code(view.id, 60)}", expires),
        proposal.buttons(view, f"decide-{view.id}"),
    ]


def _list(block_id: str, head: str, lines: Sequence[str], verb: str = "runs") -> list[Block]:
    if not lines:
        return []
    more = f": {code(f'/hivekeeper {verb}', 40)}"
    return [header(f"{block_id}-head", head), *sections(block_id, "", lines, 6000, more)]


def _schedule(one: ScheduleView) -> str:
    covered = f"under the standing approval {mrkdwn(one.standing, 80)}" if one.standing else "asks for approval"
    last = f"last {when(one.last_at)}" if one.last_at is not None else "has not run yet"
    trouble = f" · ⚠️ trouble: run {code(one.trouble, 60)}" if one.trouble else ""
    what = code(f"/{one.command} {one.text}".strip(), 200)
    head = f"*{mrkdwn(one.name, 80)}* · {what} · every {_span(one.every)}"
    return f"{head}\nnext {when(one.next_at)} · {last} · {covered}{trouble}"


def _span(seconds: float) -> str:
    for length, unit in ((86400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= length and seconds % length == 0:
            return count(int(seconds // length), unit)
    return f"{seconds:g} s"
