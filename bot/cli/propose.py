"""Asking for a command from a terminal: `plan` only looks, `run` proposes and follows the run to its end,
`again` does so for what an earlier run did not bring about."""

from __future__ import annotations

import secrets
import shlex
import time

import click

from bot.cli.asking import Asking
from bot.cli.context import Line, options
from bot.core import ask as asks
from bot.core.desk import Desk
from bot.core.errors import Refused
from bot.core.handler import Handler
from bot.core.intake import Request
from bot.core.plan import Plan
from bot.core.view import OPEN, RunView, State, StepState

EVERY = 0.3  # seconds between two looks at a run that is followed
WAITING = 4  # exit status
PARAMETERS = {"ignore_unknown_options": True}


@click.command(cls=Asking, context_settings=PARAMETERS)
@click.argument("command")
@click.argument("parameters", nargs=-1, type=click.UNPROCESSED)
@options
def plan(line: Line, command: str, parameters: tuple[str, ...]) -> None:
    """Make a plan and show it; nothing is stored, posted or changed."""
    from bot import app

    found = app.look(line.settings, command, text_of(parameters))
    if isinstance(found, Plan):
        line.paper.plan(found)
    else:
        line.paper.answer(found)


@click.command(cls=Asking, context_settings=PARAMETERS)
@click.argument("command")
@click.argument("parameters", nargs=-1, type=click.UNPROCESSED)
@click.option("--wait/--no-wait", default=True, show_default=True, help="Follow the run until it has ended.")
@options
def run(line: Line, command: str, parameters: tuple[str, ...], wait: bool) -> int:
    """Ask for a command: its plan is posted, and runs when somebody approves it."""
    from bot import app

    with app.working(line.settings) as desk:
        handler = known(dict(desk.handlers), command)
        text = text_of(parameters)
        request = Request(
            key=f"cli:{secrets.token_hex(12)}",
            command=handler.name,
            ask=asks.parse(text, handler).model_dump(mode="json"),
            text=text,
            asker=line.user,
            source="cli",
            channel=line.settings.slack.channel,
        )
        return follow(line, desk, desk.ask(request), wait=wait)


@click.command()
@click.argument("run")
@click.option("--wait/--no-wait", default=True, show_default=True, help="Follow the new run until it has ended.")
@options
def again(line: Line, run: str, wait: bool) -> int:
    """Ask once more for what a run did not bring about: its plan is posted, and runs when somebody approves it."""
    from bot import app

    with app.working(line.settings) as desk:
        outcome = desk.ask_again(f"cli:{secrets.token_hex(12)}", run, line.user)
        if not outcome.accepted:
            raise Refused(outcome.told)
        return follow(line, desk, outcome.run, wait=wait)


def follow(line: Line, desk: Desk, name: str, *, wait: bool) -> int:
    """Show a run as it goes, to its end or (without `wait`) until it waits for approval; the exit status."""
    shown: RunView | None = None
    while True:
        view = desk.run(name)
        if view is not None and (shown is None or view.revision != shown.revision):
            tell(line, view, shown)
            shown = view
        if view is not None and (view.state not in OPEN or (view.state is State.PROPOSED and not wait)):
            return status(view)
        time.sleep(EVERY)


def text_of(parameters: tuple[str, ...]) -> str:
    """The parameters as a person would type them in Slack."""
    return shlex.join(parameters)


def known(handlers: dict[str, Handler], command: str) -> Handler:
    handler = handlers.get(command.removeprefix("/"))
    if handler is None:
        raise Refused(f"There is no command {command[:40]!r}.", f"There are: {', '.join(sorted(handlers))}.")
    return handler


def tell(line: Line, view: RunView, before: RunView | None) -> None:
    """What is new about a run: everything when its state changed, else only the steps that moved on."""
    if line.paper.as_json or before is None or view.state is not before.state:
        line.paper.run(view)
        return
    old = {(s.stage, s.place): (s.state, s.progress) for s in before.steps}
    for step in view.steps:
        if (step.state, step.progress) != old.get((step.stage, step.place)) and step.state is not StepState.WAITING:
            line.paper.step(step)


def status(view: RunView) -> int:
    if view.state in (State.DONE, State.ANSWERED):
        return 0
    return WAITING if view.state is State.PROPOSED else 1
