"""Modal views: the form of a command, the reason for a denial, the details of a plan. And reading them back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bot.core import ask
from bot.core.fields import FieldView, fields
from bot.core.handler import Ask, Handler
from bot.core.plan import Plan
from bot.core.view import RunView
from bot.edges import outcome, proposal, report
from bot.edges.blocks import TOTAL, Block, check, texts
from bot.edges.elements import context, header, option, section, sections, token, words
from bot.edges.text import code, mrkdwn, person, plain, size, when

ASK, DENY, DETAILS = "ask", "deny", "details"  # callback_id of each
_BLOCK = "ask-"
_VALUE = "value"  # action_id of every input
_OPTIONS = 100


def ask_modal(handler: Handler, prefill: Mapping[str, Any], private_metadata: str) -> Block:
    """The form of a command. `prefill`: what is given already, by field name (bot.core.ask.given)."""
    lead = f"{mrkdwn(handler.summary, 500)}\nYou see a plan first; nothing changes before somebody approves it."
    inputs = [_input(field, prefill.get(field.name)) for field in fields(handler)[:95]]
    return _view(
        {
            "callback_id": ASK,
            "title": words(plain(f"/{handler.name}", 24)),
            "submit": words("Show the plan"),
            "close": words("Cancel"),
            "private_metadata": private_metadata,
            "blocks": [section("lead", lead), *inputs],
        }
    )


def read(handler: Handler, state_values: Mapping[str, Any]) -> Ask | dict[str, str]:
    """The parameters of a submitted form, or a sentence for each input that does not fit, by block_id."""
    views = {field.name: field for field in fields(handler)}
    values = {name: value for name, v in views.items() if (value := _given(v, state_values)) is not None}
    result = ask.check(values, handler)
    if isinstance(result, Ask):
        return result
    # A rule over several fields has no input of its own; Slack drops errors for blocks it does not know.
    first = next(iter(views), "")
    return {_BLOCK + (name if name in views else first): plain(what, 300) for name, what in result.items()}


def deny_modal(view: RunView) -> Block:
    """Asks why. What it carries is what the button carried: run and digest."""
    about = f"*{mrkdwn(proposal.title(view), 200)}*\nNothing will be changed, and {person(view.asker)} is told why."
    entry = {"type": "plain_text_input", "action_id": _VALUE, "multiline": True, "max_length": 1000}
    reason = {"type": "input", "block_id": "reason", "optional": True, "label": words("Why?"), "element": entry}
    return _view(
        {
            "callback_id": DENY,
            "title": words("Deny this plan"),
            "submit": words("Deny"),
            "close": words("Go back"),
            "private_metadata": token(view),
            "blocks": [section("about", about), reason],
        }
    )


def reason(state_values: Mapping[str, Any]) -> str:
    """The reason in a submitted denial, at most 1,000 characters."""
    value = _state(state_values, "reason").get("value")
    return value.strip()[:1000] if isinstance(value, str) else ""


def details(view: RunView) -> Block:
    """All there is to know about a run: each step, each fact it rests on, fingerprints, digest."""
    rest = ", too many to show here"
    lead = [
        f"Asked by {person(view.asker)} {when(view.asked_at)}",
        code(proposal.typed(view), 500),
        f"run {code(view.id, 60)}",
    ]
    blocks = [header("title", proposal.title(view)), section("state", outcome.headline(view)), context("who", *lead)]
    if view.plan:
        blocks += _plan(view, view.plan, rest)
    blocks += report.in_words(view, TOTAL["modal"] - sum(map(size, texts(blocks))) - 500)
    if view.digest:
        blocks.append(context("digest", f"An approval is for exactly this plan: {code(view.digest, 80)}"))
    top = {"callback_id": DETAILS, "title": words("Details"), "close": words("Close"), "private_metadata": token(view)}
    return _view({**top, "blocks": blocks})


def _plan(view: RunView, plan: Plan, rest: str) -> list[Block]:
    premises = [f"• {mrkdwn(premise.says(), 500)}" for premise in plan.premises]
    lines = proposal.step_lines(view, live=True)
    return [
        *proposal.warnings(plan.warnings, rest, budget=3000),
        *proposal.changes(plan.changes, rest, budget=8000),
        *(sections("steps", "*Steps*", lines, 15_000, rest) if lines else []),
        context("safety", proposal.on_failure(plan, proposal.steps(view))),
        *(sections("premises", "*Checked once more before the first step*", premises, 4000, rest) if premises else []),
        *proposal.notes("notes", "*Good to know*", plan.notes, rest, 3000),
        *proposal.notes("then", "*What people do afterwards*", plan.then, rest, 3000),
    ]


def _view(view: Block) -> Block:
    view = {"type": "modal", **view}
    check(view, "modal")
    return view


def _input(field: FieldView, given: Any) -> Block:
    block: Block = {
        "type": "input",
        "block_id": _BLOCK + field.name,
        "label": words(plain(field.label, 200)),
        "optional": not field.required or field.type == "flag",
        "element": _element(field, given if given is not None else field.default),
    }
    return {**block, "hint": words(plain(field.help, 500))} if field.help else block


def _element(field: FieldView, given: Any) -> Block:
    chosen = given if isinstance(given, list) else [] if given is None else str(given).split(",")
    if _undecided(field):
        return _select(field, chosen, [option("Yes", "true"), option("No", "false")])
    if field.type == "flag" and not field.many:
        yes = option("Yes", "true")
        ticked = {"initial_options": [yes]} if chosen[:1] == ["true"] else {}
        return {"type": "checkboxes", "action_id": _VALUE, "options": [yes], **ticked}
    if field.type == "choice" and len(field.options) <= _OPTIONS and all(0 < len(o) <= 150 for o in field.options):
        return _select(field, chosen, [option(one, one) for one in field.options])
    text = ", ".join(map(str, given)) if isinstance(given, list) else str(given or "")
    first = {"initial_value": text} if 0 < len(text) <= 1500 else {}
    return {"type": "plain_text_input", "action_id": _VALUE, "max_length": 3000, **first}


def _undecided(field: FieldView) -> bool:
    """A flag that says neither yes nor no unless somebody does: a box to tick could not leave it so."""
    return field.type == "flag" and not field.many and not field.required and field.default is None


def _select(field: FieldView, chosen: list[str], options: list[Block]) -> Block:
    lower = {word.lower() for word in chosen}
    first = [one for one in options if one["value"].lower() in lower]
    select: Block = {"type": "static_select", "action_id": _VALUE, "options": options}
    if field.many:
        return {**select, "type": "multi_static_select", **({"initial_options": first} if first else {})}
    return {**select, **({"initial_option": first[0]} if first else {})}


def _given(field: FieldView, values: Mapping[str, Any]) -> str | list[str] | None:
    """What was put into a field's input, as words; None if nothing was."""
    state = _state(values, _BLOCK + field.name)
    chosen = state.get("selected_options")
    options = chosen if isinstance(chosen, list) else []
    several = [str(o.get("value", "")) for o in options if isinstance(o, Mapping)]
    if field.type == "flag" and not field.many and not _undecided(field):
        return "true" if several else "false"
    one = state.get("selected_option")
    text = one.get("value") if isinstance(one, Mapping) else state.get("value")
    if field.many:
        return several or [part.strip() for part in str(text or "").split(",") if part.strip()] or None
    return text if isinstance(text, str) and text.strip() else None


def _state(values: Mapping[str, Any], block_id: str) -> Mapping[str, Any]:
    """The state of one input. It comes from outside: any part may be missing or of another kind."""
    block = values.get(block_id)
    state = block.get(_VALUE) if isinstance(block, Mapping) else None
    return state if isinstance(state, Mapping) else {}
