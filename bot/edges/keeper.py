"""`/hivekeeper`: runs, decisions and the audit log for people at a keyboard. Blocking; called in a thread."""

from __future__ import annotations

import re
import shlex
from difflib import get_close_matches

from bot.core import ask
from bot.core.desk import Desk
from bot.core.errors import Refused, Told
from bot.core.intake import Decision
from bot.core.view import RunView
from bot.edges import render
from bot.edges.manifest import OWN_COMMAND
from bot.edges.payloads import Command
from bot.edges.render import Message

NAME, USAGE = OWN_COMMAND[0], f"/{OWN_COMMAND[0]} {OWN_COMMAND[2]}"
VERDICTS = {"approve": "approve", "deny": "deny", "cancel": "cancel", "reject": "deny"}
RUN = re.compile(r"[a-z0-9-]{1,64}")


def answer(desk: Desk, command: Command) -> Message:
    """What to show the person. Raises Told."""
    word, _, rest = command.text.strip().partition(" ")
    verb, rest = word.lower(), rest.strip()
    if verb in ("", "help", "?"):
        return render.help_message(desk.handlers, {name: desk.rule(name) for name in desk.handlers})
    if verb == "runs":
        return render.runs_message(desk.runs(limit=20))
    if verb == "incidents":
        return render.incidents_message(desk.incidents(limit=20))
    if verb == "show":
        return _shown(desk, _id(rest))
    if verb == "audit":
        return _audit(desk, rest)
    if verb in VERDICTS:
        return _decide(desk, command, VERDICTS[verb], rest)
    raise _unknown(word)


def _audit(desk: Desk, rest: str) -> Message:
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


def _shown(desk: Desk, wanted: str) -> Message:
    """A run or an incident in full: ids tell which."""
    if not wanted.startswith("i-"):
        return render.full_message(_run(desk, wanted))
    view = desk.incident(wanted)
    if view is None:
        raise Refused(f"There is no incident {wanted}.", f"/{NAME} incidents lists them.")
    return render.incident_message(view)


def _unknown(word: str) -> Told:
    known = ("help", "runs", "incidents", "show", "approve", "deny", "cancel", "audit")
    close = get_close_matches(word.lower()[:20], known, n=1)
    hint = f'Did you mean "{close[0]}"? ' if close else ""
    return Refused(f'There is no "{ask.echo(word)}" here.', f"{hint}Type it like this: {USAGE}")


def _unquoted(text: str) -> str:
    """A reason in quotation marks means the same without them."""
    try:
        words = shlex.split(text)
    except ValueError:
        return text
    return words[0] if len(words) == 1 else text
