"""Messages that list: help, runs, the audit log."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from bot.core.ask import usage
from bot.core.desk import AuditEntry
from bot.core.handler import Handler
from bot.core.incident import IncidentView
from bot.core.people import Rule, listed
from bot.core.view import RunView
from bot.edges import incident, outcome, proposal
from bot.edges.blocks import Message, check
from bot.edges.elements import header, sections
from bot.edges.text import code, count, mrkdwn, person, when

OWN = (
    ("/COMMAND ?", "opens a form for any command above; one that lacks something opens it by itself"),
    ("/hivekeeper help", "this list"),
    ("/hivekeeper runs", "what runs and what ran last"),
    ("/hivekeeper show RUN", "one run in full"),
    ("/hivekeeper incidents", "what fails and what failed last"),
    ("/hivekeeper inventory [COMMAND]", "the credentials that commands look after, and how fresh they are"),
    ("/hivekeeper again RUN", "ask once more for what a run did not bring about"),
    ("/hivekeeper approve RUN", "approve a plan"),
    ("/hivekeeper deny RUN REASON", "deny one, and say why"),
    ("/hivekeeper cancel RUN", "take back what you asked for, as long as it waits"),
    ("/hivekeeper audit", "the last entries of the audit log"),
)


def help_message(handlers: Mapping[str, Handler] | Iterable[Handler], rules: Mapping[str, Rule]) -> Message:
    """What can be asked for, by whom, and who approves it."""
    given = list(handlers.values() if isinstance(handlers, Mapping) else handlers)
    commands = [_command(handler, rules.get(handler.name)) for handler in given]
    own = [f"{code(usage, 60)}  {what}" for usage, what in OWN]
    blocks = [
        header("help", "What I can do"),
        *sections("commands", "", commands, 7000, " commands", gap="\n"),
        *sections("own", "*About commands and runs*", own, 1500, ""),
    ]
    names = ", ".join(f"/{handler.name}" for handler in given)
    return _checked(Message(f"Commands: {mrkdwn(names, 1500)}. About runs: /hivekeeper help.", blocks))


def runs_message(views: Sequence[RunView]) -> Message:
    """Runs, one line each."""
    lines = [run_line(view) for view in views[:200]] or ["No runs yet. /hivekeeper help lists what I can do."]
    text = f"{count(len(views), 'run')}, newest first." if views else lines[0]
    return _checked(Message(text, [header("runs", "Runs"), *sections("list", "", lines, 8000, " runs")]))


def incidents_message(views: Sequence[IncidentView]) -> Message:
    """Incidents, two lines each."""
    lines = [incident.line(view) for view in views[:200]] or ["No incidents: no alert has come in yet."]
    text = f"{count(len(views), 'incident')}, newest first." if views else lines[0]
    return _checked(Message(text, [header("incidents", "Incidents"), *sections("list", "", lines, 8000, " incidents")]))


def audit_message(entries: Sequence[AuditEntry]) -> Message:
    """Entries of the audit log, one line each, oldest first."""
    lines = [_entry(entry) for entry in entries[:200]] or ["The audit log has no entries yet."]
    text = f"{count(len(entries), 'entry', 'entries')} of the audit log." if entries else lines[0]
    return _checked(Message(text, [header("audit", "Audit log"), *sections("list", "", lines, 8000, " entries")]))


def run_line(view: RunView) -> str:
    """State, title, id, asker and time of a run (mrkdwn)."""
    about = f"*{mrkdwn(proposal.title(view), 150)}*"
    who = f"{code(view.id, 60)} · {person(view.asker)} · {when(view.asked_at)}"
    return f"{outcome.label(view)} · {about}\n{who}"


def _command(handler: Handler, rule: Rule | None) -> str:
    lines = [code(usage(handler), 300), mrkdwn(handler.summary, 300)]
    if handler.example:
        lines.append(f"Example: {code(f'/{handler.name} {handler.example}', 200)}")
    if rule:
        ask = f"{listed(rule.ask)} may ask" if rule.ask else "everybody may ask"
        effect = _approvals(rule) if handler.steps else "it changes nothing"
        lines.append(mrkdwn(f"{ask}; {effect}", 300))
    return "\n".join(filter(None, lines))


def _approvals(rule: Rule) -> str:
    return f"{count(rule.approvals, 'approval')} from {listed(rule.approve)}" if rule.approve else "nobody may approve"


def _entry(entry: AuditEntry) -> str:
    facts = ", ".join(f"{key}: {value}" for key, value in list(entry.facts.items())[:8])
    run = code(entry.run, 60) if entry.run else ""
    what = f"*{mrkdwn(entry.what.replace('_', ' '), 80)}*"
    told = " · ".join(filter(None, [when(entry.at), person(entry.who), what, run, mrkdwn(facts, 300)]))
    return f"{entry.number}. {told}"


def _checked(message: Message) -> Message:
    check(message, "message")
    return message
