"""What the command line writes: text and colour when a person looks, JSON lines with --json.

Text of others is shown as it is, without its control characters, and never read as markup.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import click
from rich.console import Console
from rich.table import Table as Grid
from rich.text import Text

from bot.core.checklist import Tick
from bot.core.errors import Told
from bot.core.inventory import Freshness, Holding
from bot.core.plan import Answer, Change, Note, Plan, Report, Table
from bot.core.value import Value
from bot.core.view import OPEN, RunView, State, StepState, StepView

SIGNS = {
    StepState.WAITING: ("·", "dim"),
    StepState.ALREADY: ("=", "dim"),
    StepState.RUNNING: ("▸", "cyan"),
    StepState.DONE: ("✔", "green"),
    StepState.FAILED: ("✘", "red"),
    StepState.UNDONE: ("↩", "yellow"),
    StepState.UNDO_FAILED: ("‼", "bold red"),
}
FRESHNESS: dict[Freshness, tuple[str, str]] = {
    "fresh": ("✔", "green"),
    "due": ("·", "yellow"),
    "expired": ("✘", "bold red"),
    "missing": ("✘", "bold red"),
    "degraded": ("‼", "red"),
    "unknown": ("?", "yellow"),
}
GOOD = frozenset({State.DONE, State.ANSWERED})
COLOURS = {State.PROPOSED: "cyan", State.APPLYING: "cyan", State.DONE: "green", State.ANSWERED: "green"}


HIDDEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
YEAR_3000 = 32503680000.0
WIDE = 10_000  # columns where no person looks, so that each row of a table stays a line


def plain(text: str) -> str:
    """The text without control and direction characters, which could rewrite a terminal. Lines stay lines."""
    return "".join(c if c == "\n" or unicodedata.category(c) not in HIDDEN else "�" for c in text)


def line(text: str) -> str:
    """The same in one line: no text of others can look like a line of ours."""
    return " ".join(plain(text).split())


def spelled(document: Any) -> str:
    """JSON in one line, with what could rewrite a terminal escaped."""
    text = json.dumps(document, ensure_ascii=False, default=str)
    return "".join(c if unicodedata.category(c) not in HIDDEN else json.dumps(c)[1:-1] for c in text)


def when(at: float | None) -> str:
    if at is None:
        return ""
    if not 0 <= at < YEAR_3000:
        return "at an unknown time"
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


class Paper:
    """Where the output goes. `as_json`: one JSON document a line on standard output, nothing else there."""

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json
        self.out = Console(highlight=False, soft_wrap=True)
        if not self.out.is_terminal:
            self.out.width = WIDE
        self.err = Console(highlight=False, soft_wrap=True, stderr=True)

    def json(self, document: Any) -> None:
        click.echo(spelled(document))

    def value(self, value: Value) -> None:
        self.json(value.model_dump(mode="json"))

    def say(self, text: str, style: str = "") -> None:
        """A sentence for a person; nothing with --json."""
        if not self.as_json:
            self.out.print(Text(plain(text), style=style))

    def trouble(self, told: Told) -> None:
        if self.as_json:
            self.json({"error": told.what, "now": told.now})
            return
        self.err.print(Text(plain(told.what), style="red"))
        if told.now:
            self.err.print(Text(plain(told.now)))

    def run(self, view: RunView) -> None:
        """A run with all that is known of it."""
        if self.as_json:
            self.value(view)
            return
        head = Text()
        head.append(view.id, style="bold")
        head.append(f"  {view.state.value}", style=COLOURS.get(view.state, "yellow"))
        head.append(f"  /{view.command} {line(view.text)}".rstrip())
        self.out.print(head)
        self.say(f"asked by {view.asker}, {when(view.asked_at)}", "dim")
        if view.answer:
            self.answer(view.answer, view.ticks)
            self.wanted(view)
        if view.plan:
            self.plan(view.plan, view.steps)
        for decision in view.decisions:
            said = f"{decision.verdict} by {decision.user}, {when(decision.at)} {decision.reason}"
            self.say(line(said))
        if view.state is State.PROPOSED:
            if view.plan:
                self.rules(view.plan, view.steps)
            self.say(f"waits for approval until {when(view.expires_at)}; digest {view.digest}", "cyan")
        if view.trouble:
            self.say(view.trouble.what, "red")
            self.say(view.trouble.now)
        if view.report:
            self.report(view.report)
        if view.superseded_by:
            self.say(f"A newer plan stands in its place: {view.superseded_by}.")
        if view.state in GOOD and view.plan:
            for note in view.plan.then:
                self.note(note)

    def note(self, note: Note) -> None:
        at = f" {when(note.at)}" if note.at is not None else ""
        self.say(line(f"{note.label}: {note.text}{at}"))

    def table(self, given: Table) -> None:
        grid = _grid(*given.head)
        for row in given.rows:
            grid.add_row(*(Text(line(cell)) for cell in row))
        self.out.print(grid)

    def report(self, report: Report) -> None:
        """How things are after a run."""
        self.say("What is there now:", "bold")
        for warning in report.warnings:
            self.say(line(f"⚠ {warning}"), "yellow")
        if report.table:
            self.table(report.table)
        for note in report.notes:
            self.note(note)

    def inventory(self, holdings: Sequence[Holding], nothing: str) -> None:
        """One line a credential, or one JSON document a line."""
        if self.as_json:
            for one in holdings:
                self.value(one)
            return
        grid = _grid("state", "command", "credential", "expires", "written", "looked at", "what")
        for one in holdings:
            held = one.credential
            sign, style = FRESHNESS[held.state]
            failed = f" The last look failed: {one.trouble}" if one.trouble and held.name != one.command else ""
            told = held.told + failed
            rest = (
                f"/{one.command}",
                held.name,
                when(held.expires_at),
                when(held.written_at),
                when(one.looked_at),
                told,
            )
            grid.add_row(Text(f"{sign} {held.state}", style=style), *(Text(line(text)) for text in rest))
        self.out.print(grid if holdings else Text(nothing))

    def plan(self, plan: Plan, steps: Iterable[StepView] = ()) -> None:
        """A plan: what changes, what warns, the steps."""
        if self.as_json:
            self.json({"digest": plan.digest, "plan": plan.model_dump(mode="json")})
            return
        self.say(line(plan.title), "bold")
        for warning in plan.warnings:
            self.say(line(f"⚠ {warning}"), "yellow")
        for change in plan.changes:
            self.change(change)
        for note in plan.notes:
            self.note(note)
        shown = tuple(steps) or tuple(
            StepView(stage=s, place=p, says=step.says(), reversible=step.reversible) for s, p, step in plan.steps
        )
        for step in shown:
            self.step(step)
        if not steps:
            self.rules(plan, shown)

    def rules(self, plan: Plan, steps: Sequence[StepView]) -> None:
        """What whoever approves it has to know besides, as Slack tells it."""
        from bot.edges.proposal import on_failure

        again = "Before the first step all that it rests on is looked at once more." if plan.premises else ""
        self.say(f"{on_failure(plan, steps)} {again}".rstrip(), "dim")

    def change(self, change: Change) -> None:
        """What is copied, from where to where; the short codes are fingerprints."""
        mark = "already matches" if change.matches else f"{change.old or 'absent'} → {change.new or 'absent'}"
        about = f" ({change.subject})" if change.subject else ""
        self.say(line(f"{change.name}{about}: {mark}"))
        self.say(line(f"from {change.source} to {change.target}"), "dim")

    def step(self, step: StepView) -> None:
        sign, style = SIGNS[step.state]
        told = Text(f"  {sign} ", style=style)
        told.append(f"{step.stage + 1}.{step.place + 1} {line(step.says)}", style="")
        far = f": {line(step.progress)}" if step.progress and step.state is StepState.RUNNING else ""
        told.append(f"  [{step.state.value.replace('_', ' ')}{far}]", style="dim")
        if not step.reversible:
            told.append("  cannot be undone", style="yellow")
        self.out.print(told)
        if step.trouble:
            self.say(f"      {line(step.trouble.what)} {line(step.trouble.now)}".rstrip(), "red")

    def answer(self, answer: Answer, ticks: tuple[Tick, ...] = ()) -> None:
        if self.as_json:
            self.value(answer)
            return
        self.say(line(answer.title), "bold")
        for paragraph in answer.text:
            self.say(paragraph)
        if answer.table:
            self.table(answer.table)
        self.checklist(answer, ticks)
        for note in answer.notes:
            self.note(note)
        for warning in answer.warnings:
            self.say(line(f"⚠ {warning}"), "yellow")

    def wanted(self, view: RunView) -> None:
        """What it asks people for, and who gave it."""
        given = {one.name: one for one in view.handed_in}
        for one in view.answer.wanted if view.answer else ():
            if one.name in given:
                self.say(line(f"{one.label}: given by {given[one.name].user}, see {given[one.name].run}"))
            else:
                how = "sign in from Slack" if one.way else f'hivekeeper hand-in {view.id} "{one.name}"'
                page = f" (get one at {one.page})" if one.page else ""
                self.say(line(f"{one.label}: {how}{page}"), "cyan")

    def checklist(self, answer: Answer, ticks: tuple[Tick, ...]) -> None:
        """What people do, in order, and who has done it."""
        done = {tick.step: tick for tick in ticks}
        section = ""
        for n, step in enumerate(answer.checklist, 1):
            if step.section != section:
                section = step.section
                self.say(line(section), "bold")
            tick = done.get(step.name)
            self.say(line(f"[{'x' if tick else ' '}] {n}. {step.text}"), "green" if tick else "")
            if tick:
                self.say(f"    done by {line(tick.user)}, {when(tick.at)}", "dim")
        if answer.checklist:
            self.say(f"{len(done)} of {len(answer.checklist)} done.", "dim")

    def runs(self, views: Iterable[RunView]) -> None:
        """One line a run, or one JSON document a line."""
        if self.as_json:
            for view in views:
                self.value(view)
            return
        grid = _grid("run", "state", "command", "asked by", "asked at", "what")
        for v in views:
            title = v.plan.title if v.plan else v.answer.title if v.answer else (v.trouble.what if v.trouble else "")
            state = Text(v.state.value, style=COLOURS.get(v.state, "" if v.state in OPEN else "yellow"))
            rest = (f"/{v.command} {v.text}".rstrip(), v.asker, when(v.asked_at), title)
            grid.add_row(Text(v.id), state, *(Text(line(t)) for t in rest))
        self.out.print(grid if grid.row_count else Text("There are no runs yet."))


def _grid(*head: str) -> Grid:
    grid = Grid(box=None, pad_edge=False, header_style="dim")
    for title in head:
        grid.add_column(Text(line(title)), overflow="fold")
    return grid
