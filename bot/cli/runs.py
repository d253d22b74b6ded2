"""Runs from the command line: list, show, approve, deny, cancel, tick."""

from __future__ import annotations

import secrets
import sys
from typing import Literal

import click

from bot.cli.context import Line, options
from bot.core import handing_in
from bot.core.errors import Refused
from bot.core.intake import Decision, Outcome
from bot.core.view import RunView


@click.command()
@click.option("--open", "open_only", is_flag=True, help="Only runs that are not finished.")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 1000), help="How many, newest first.")
@options
def runs(line: Line, open_only: bool, limit: int) -> None:
    """List runs."""
    line.paper.runs(line.desk.runs(open_only=open_only, limit=limit))


@click.command()
@click.argument("run")
@options
def show(line: Line, run: str) -> None:
    """Show one run with its plan, steps and decisions."""
    line.paper.run(wanted(line, run))


@click.command()
@click.argument("run")
@click.option("--digest", help="Approve only if the plan still has this digest (as `show` prints it).")
@options
def approve(line: Line, run: str, digest: str | None) -> int:
    """Approve a plan, as the person the settings name for your login."""
    return decide(line, run, "approve", digest=digest)


@click.command()
@click.argument("run")
@click.option("--reason", "-r", required=True, help="Why not; shown in the run's thread.")
@options
def deny(line: Line, run: str, reason: str) -> int:
    """Deny a plan, with a reason."""
    return decide(line, run, "deny", reason=reason)


@click.command()
@click.argument("run")
@options
def cancel(line: Line, run: str) -> int:
    """Take a plan back that has not been approved yet."""
    return decide(line, run, "cancel")


@click.command()
@click.argument("run")
@click.argument("number", type=click.IntRange(min=1))
@click.option("--undo", is_flag=True, help="Take your own tick back.")
@options
def tick(line: Line, run: str, number: int, undo: bool) -> int:
    """Tick a step of a runbook that /runbook shows, by its number (as `show` prints it)."""
    view = wanted(line, run)
    steps = view.answer.checklist if view.answer else ()
    if number > len(steps):
        raise Refused(f"Run {view.id} has no step {number} to tick.", f"`hivekeeper show {view.id}` lists them.")
    key = f"cli:{secrets.token_hex(8)}"
    return told(line, line.desk.tick(key, view.id, steps[number - 1].name, line.user, done=not undo))


@click.command("hand-in")
@click.argument("run")
@click.argument("name")
@options
def hand_in(line: Line, run: str, name: str) -> int:
    """Hand in a secret that the answer of a run wants, by its name (as `show` prints it).

    It is read from the terminal, without showing it, or from standard input; it goes straight into Vault.
    """
    view = wanted(line, run)
    if view.answer is None or name not in {one.name for one in view.answer.wanted if not one.way}:
        raise Refused(f"Run {view.id} wants nothing of that name to be handed in.", f"See `hivekeeper show {view.id}`.")
    secret = handing_in.typed(_read())
    return told(line, line.desk.hand_in(f"cli:{secrets.token_hex(8)}", view.id, name, line.user, secret))


def _read() -> str:
    """From the terminal without echo, else all of standard input."""
    if sys.stdin.isatty():
        return str(click.prompt("Secret", hide_input=True, err=True))
    try:
        return sys.stdin.read(4 * handing_in.LONGEST)
    except UnicodeDecodeError:
        raise Refused("What came in is no text.", "Copy it anew, in one piece. Nothing was kept.") from None


def wanted(line: Line, run: str) -> RunView:
    view = line.desk.run(run.lower())  # as phones and people write it
    if view is None:
        raise Refused(f"There is no run {run[:40]!r}.", "`hivekeeper runs` lists them.")
    return view


def decide(
    line: Line, run: str, verdict: Literal["approve", "deny", "cancel"], *, digest: str | None = None, reason: str = ""
) -> int:
    """Decide, and say what became of it. The digest is what was just read, so that nobody approves unseen."""
    view = wanted(line, run)
    outcome = line.desk.decide(
        Decision(
            key=f"cli:{secrets.token_hex(8)}",
            run=view.id,
            verdict=verdict,
            user=line.user,
            digest=digest or view.digest,
            reason=reason,
        )
    )
    return told(line, outcome)


def told(line: Line, outcome: Outcome) -> int:
    """Say what became of it; the exit status."""
    if line.paper.as_json:
        line.paper.value(outcome)
    else:
        line.paper.say(outcome.told, "green" if outcome.accepted else "red")
    return 0 if outcome.accepted else 1
