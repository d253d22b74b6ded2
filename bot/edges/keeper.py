"""`/hivekeeper`: runs, decisions and the audit log for people at a keyboard. Blocking; called in a thread."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from difflib import get_close_matches

from bot.core import ask
from bot.core.desk import Desk
from bot.core.errors import Refused, Told
from bot.core.intake import Decision
from bot.core.view import RunView
from bot.edges import inventory, render
from bot.edges.manifest import OWN_COMMAND
from bot.edges.payloads import Command
from bot.edges.render import Message

NAME, USAGE = OWN_COMMAND[0], f"/{OWN_COMMAND[0]} {OWN_COMMAND[2]}"
VERDICTS = {"approve": "approve", "deny": "deny", "cancel": "cancel", "reject": "deny"}
NO_CREDENTIALS = "No command that is switched on here looks after credentials."
RUN = re.compile(r"[a-z0-9-]{1,64}")


def answer(desk: Desk, command: Command) -> Message:
    """What to show the person. Raises Told."""
    word, _, rest = command.text.strip().partition(" ")
    verb, rest = word.lower(), rest.strip()
    if verb in VERDICTS:
        return _decide(desk, command, VERDICTS[verb], rest)
    if verb not in VERBS:
        raise _unknown(word)
    return VERBS[verb](desk, command, rest)


def _help(desk: Desk, _command: Command, _rest: str) -> Message:
    return render.help_message(desk.handlers, {name: desk.rule(name) for name in desk.handlers})


def _again(desk: Desk, command: Command, rest: str) -> Message:
    return render.ephemeral(desk.ask_again(command.key, _id(rest), command.user_id).told)


def _inventory(desk: Desk, _command: Command, rest: str) -> Message:
    """All credentials, or those that one command looks after."""
    name = rest.removeprefix("/").lower()
    known = [handler.name for handler in desk.handlers.values() if handler.inventory]
    if name and name not in known:
        told = f"There are: {', '.join(known)}." if known else "No command that is switched on here does."
        raise Refused(f"/{ask.echo(name)} looks after no credentials.", told)
    nothing = "They have not been looked at yet. That happens soon after the start." if known else NO_CREDENTIALS
    holdings = tuple(one for one in desk.inventory() if name in ("", one.command))
    return inventory.message(holdings, nothing, all_of_them=bool(name))


def _audit(desk: Desk, _command: Command, rest: str) -> Message:
    run = _run(desk, _id(rest)).id if rest else None
    return render.audit_message(desk.audit(limit=20, run=run))


def _decide(desk: Desk, command: Command, verdict: str, rest: str) -> Message:
    """By hand there is no digest: the engine takes the proposal as it stands now."""
    run, _, reason = rest.partition(" ")
    decision = Decision.model_validate(
        {
            "key": command.key,
            "run": _id(run),
            "verdict": verdict,
            "user": command.user_id,
            "reason": _unquoted(reason.strip())[:1000],
        }
    )
    return render.ephemeral(desk.decide(decision).told)


def _id(text: str) -> str:
    run = text.strip().strip("`'\"").lower()
    if not run:
        raise Refused("Which run?", f"Name it, as in /{NAME} show r-abc2345. /{NAME} runs lists them.")
    if not RUN.fullmatch(run):
        raise Refused(
            f'"{ask.echo(run)}" is not the id of a run.', f"It looks like r-abc2345. /{NAME} runs lists them."
        )
    return run


def _run(desk: Desk, run: str) -> RunView:
    view = desk.run(run)
    if view is None:
        raise Refused(f"There is no run {run}.", f"/{NAME} runs lists them.")
    return view


def _shown(desk: Desk, _command: Command, rest: str) -> Message:
    """A run or an incident in full: ids tell which."""
    wanted = _id(rest)
    if not wanted.startswith("i-"):
        return render.full_message(_run(desk, wanted))
    view = desk.incident(wanted)
    if view is None:
        raise Refused(f"There is no incident {wanted}.", f"/{NAME} incidents lists them.")
    return render.incident_message(view)


def _unknown(word: str) -> Told:
    close = get_close_matches(word.lower()[:20], [*VERBS, *VERDICTS], n=1)
    hint = f'Did you mean "{close[0]}"? ' if close else ""
    return Refused(f'There is no "{ask.echo(word)}" here.', f"{hint}Type it like this: {USAGE}")


def _unquoted(text: str) -> str:
    """A reason in quotation marks means the same without them."""
    try:
        words = shlex.split(text)
    except ValueError:
        return text
    return words[0] if len(words) == 1 else text


VERBS: dict[str, Callable[[Desk, Command, str], Message]] = {
    **dict.fromkeys(("", "?", "help"), _help),
    "runs": lambda desk, *_: render.runs_message(desk.runs(limit=20)),
    "incidents": lambda desk, *_: render.incidents_message(desk.incidents(limit=20)),
    "inventory": _inventory,
    "show": _shown,
    "again": _again,
    "audit": _audit,
}
