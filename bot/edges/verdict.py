"""The parts of a diagnosis as a person sees them: why, the figures, what could not be checked, what to do."""

from __future__ import annotations

from bot.core.diagnosis import Diagnosis, Mood, Offer, RunbookStep
from bot.core.incident import IncidentView, Tick
from bot.core.plan import Note
from bot.edges import offers
from bot.edges.blocks import Block
from bot.edges.elements import button, context, fitting, noted, section, sections, table
from bot.edges.text import count, link, mrkdwn, person, plain, size, when

# sign and word: never a colour alone
MOODS = {
    Mood.GOOD: ("✅", "Well"),
    Mood.WATCH: ("🟡", "Watch"),
    Mood.BAD: ("🔴", "Failing"),
    Mood.UNKNOWN: ("❔", "Not known"),
}
_STEPS, _OFFERS = 10, 6  # with a button; the rest is counted


def why(diagnosis: Diagnosis) -> list[Block]:
    """The reason, then what else was found (what it means for a CIE, say)."""
    lines = [f"• {mrkdwn(line, 400)}" for line in diagnosis.reason]
    lines += [f"• *{mrkdwn(note.label, 80)}*: {noted(note, 400)}" for note in diagnosis.evidence]
    return sections("why", "*Why*", lines, 1400, "") if lines else []


def figures(diagnosis: Diagnosis) -> list[Block]:
    if not diagnosis.table:
        return []
    block, left_out = table("figures", diagnosis.table, 1000)
    rest = [context("figures-more", f"… and {count(left_out, 'more row')} not shown here.")] if left_out else []
    return [*([block] if block else []), *rest]


def unchecked(diagnosis: Diagnosis) -> list[Block]:
    """What could not be found out, each with how a person does it."""
    lines = [f"⚠️ *{mrkdwn(note.label, 120)}*\n{noted(note, 450)}" for note in diagnosis.unchecked]
    return sections("unchecked", "*Could not be checked; do it by hand*", lines, 900, "") if lines else []


def links(diagnosis: Diagnosis) -> list[Block]:
    """Where a person sees the same."""
    lines = [said for note in diagnosis.links if (said := _link(note))]
    given = fitting(lines, 800, "") if lines else []
    return [section("links", " · ".join(given))] if given else []


def _link(note: Note) -> str:
    return link(note.text, note.label, 800)


def steps(view: IncidentView, diagnosis: Diagnosis, *, live: bool) -> list[Block]:
    """What the runbook says to do now. `live`: with a button each, to do it or to tick it."""
    if not diagnosis.steps:
        return []
    blocks, left = [section("steps", "*What to do now*")], 1900
    ticks = {tick.step: tick for tick in view.ticks}
    for n, step in enumerate(diagnosis.steps[:_STEPS], 1):
        block = _step(view, step, n, ticks.get(step.name), live=live)
        left -= size(block["text"]["text"])
        if left < 0:
            break
        blocks.append(block)
    rest = len(diagnosis.steps) - len(blocks) + 1
    where = f": see the runbook {mrkdwn(diagnosis.runbook, 80)}" if diagnosis.runbook else ""
    return [*blocks, *([context("steps-more", f"… and {count(rest, 'more step')}{where}.")] if rest else [])]


def _step(view: IncidentView, step: RunbookStep, n: int, tick: Tick | None, *, live: bool) -> Block:
    done = f"\n✔️ done by {person(tick.user)} {when(tick.at)}" if tick else ""
    block = section(f"step-{n}", f"{n}. {mrkdwn(step.text, 700)}{done}")
    press = _press(view, step) if live and not tick else None
    return {**block, "accessory": press} if press else block


def _press(view: IncidentView, step: RunbookStep) -> Block | None:
    if step.offer:
        return offer(view.id, step.offer)
    if offers.STEP.fullmatch(step.name):
        return button("tick", "Done", offers.about(view.id, step.name))
    return None


def others(view: IncidentView, diagnosis: Diagnosis) -> list[Block]:
    """Offers that belong to no step."""
    given = diagnosis.offers[:_OFFERS]
    elements = [offer(view.id, one, n) for n, one in enumerate(given)]
    return [{"type": "actions", "block_id": "offers", "elements": elements}] if elements else []


def offer(incident: str, given: Offer, n: int = 0) -> Block:
    """Its button. Slack wants another action_id for each button of a block, so they are numbered."""
    more = {"style": "danger"} if given.danger else {}
    label = plain(given.label, 75)
    return button(f"offer-{n}" if n else "offer", label, offers.offered(incident, given), **more)
