"""The work "diagnose": a handler looks into an incident, and what it found is stored and told.

Looking changes nothing, so it may be done again at any time; its result counts once.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import sqlalchemy as sa

from bot.core.diagnosis import Diagnosis, Subject
from bot.core.errors import Refused
from bot.core.incident import IncidentState
from bot.core.value import sha256
from bot.engine import audit, incidents, outbox, watching
from bot.engine.durable import Checkpoint, Halt
from bot.engine.tables import incident
from bot.engine.workshop import Failed, Workshop, failure

ATTEMPTS = 3  # at a diagnosis while the other side is away for a moment: the next look is never far
CHART_APART = 1800.0  # seconds between two pictures in a thread while the verdict stays the same


def diagnose(shop: Workshop, id: str, _keep: Checkpoint) -> None:
    """Look once, if a look is wanted."""
    row = shop.read(lambda conn: incidents.get(conn, id))
    if row is None or row.looked_turn >= row.look_turn:
        return
    subject = shop.read(lambda conn: incidents.subject(conn, row))
    found: tuple[Diagnosis, dict[str, Any]] | Failed
    try:
        less_patient = replace(shop, patience=replace(shop.patience, attempts=min(ATTEMPTS, shop.patience.attempts)))
        found = less_patient.patiently(lambda: _look(shop, row.handler, subject))
    except Exception as error:  # whatever a handler raises is told in the thread, in our words
        found = failure(error, id, f"Looking into {row.handler}")
    shop.write(lambda conn: _store(conn, shop, id, row.look_turn, found))


def _look(shop: Workshop, name: str, subject: Subject) -> tuple[Diagnosis, dict[str, Any]]:
    """The diagnosis, and its document: made here, so that one which cannot be stored is the handler's failure."""
    handler = shop.alert_handlers.get(name)
    if handler is None:
        raise Refused(f"There is no alert handler {name} here any more.", "Close this incident by hand.")
    if shop.stopping.is_set():
        raise Halt
    assert shop.read_tools is not None, "only a process with tools looks"
    found = handler.diagnose(subject, shop.alert_settings[name], shop.read_tools)
    if not isinstance(found, Diagnosis):
        raise TypeError("an alert handler gives a diagnosis")
    document: dict[str, Any] = json.loads(found.model_dump_json())
    return Diagnosis.model_validate(document), document


def _store(
    conn: sa.Connection, shop: Workshop, id: str, turn: int, found: tuple[Diagnosis, dict[str, Any]] | Failed
) -> None:
    """What came of this turn, once; nothing but its end if the incident was closed meanwhile. While a turn is to come
    there is no other, so the row names it."""
    row = incidents.lock(conn, incident.c.id == id)
    if row is None or row.looked_turn >= turn:
        return
    if row.state == IncidentState.CLOSED:
        conn.execute(incident.update().where(incident.c.id == id).values(looked_turn=turn))
    elif isinstance(found, Failed):
        _failed(conn, shop, row, found)
    else:
        _found(conn, shop, row, found)


def _failed(conn: sa.Connection, shop: Workshop, row: Any, failed: Failed) -> None:
    """What was known stays, and that it could not be looked at is told when that begins."""
    rule, now, state = incidents.rule(shop, row.handler), shop.clock(), IncidentState(row.state)
    values = {
        "trouble": failed.document, "looked_turn": row.look_turn, "looked_at": now,
        "next_look_at": watching.next_look(row, state, None, rule, now),
    }  # fmt: skip
    incidents.change(conn, shop, row.id, values)
    if row.trouble is None:
        text = f"It could not be found out how things are. {failed.trouble.what} {failed.trouble.now}"
        incidents.note(conn, shop, row.id, "trouble", text.strip())


def _found(conn: sa.Connection, shop: Workshop, row: Any, looked: tuple[Diagnosis, dict[str, Any]]) -> None:
    found, document = looked
    rule, now, was = incidents.rule(shop, row.handler), shop.clock(), IncidentState(row.state)
    before = incidents.diagnosis(row.diagnosis)
    changed = before is None or (before.verdict, before.mood) != (found.verdict, found.mood)
    state = watching.after_look(was, firing=row.firing, resolved=row.resolved, found=found)
    values = {
        "diagnosis": document, "trouble": None, "looked_turn": row.look_turn, "looked_at": now,
        "next_look_at": watching.next_look(row, state, found.mood, rule, now),
        **watching.deadlines(was, state, rule, now), **_chart(conn, row, found, document, changed=changed, now=now),
    }  # fmt: skip
    incidents.change(conn, shop, row.id, values)
    if changed and before is not None:
        incidents.note(conn, shop, row.id, "verdict", _difference(before, found))
    if changed:
        facts = {"verdict": found.verdict, "mood": found.mood, "title": found.title,
                 "before": before.verdict if before else None}  # fmt: skip
        audit.append(conn, who="bot", what="diagnosed", run=row.id, facts=facts, at=now)


def _difference(before: Diagnosis, found: Diagnosis) -> str:
    """What it is and what it was."""
    return f"Now {_named(found)}: {found.title.rstrip('.')}. It was {_named(before)}: {before.title.rstrip('.')}."


def _named(found: Diagnosis) -> str:
    return f"{found.mood} ({found.verdict.replace('_', ' ')})"


def _chart(
    conn: sa.Connection, row: Any, found: Diagnosis, document: dict[str, Any], *, changed: bool, now: float
) -> dict[str, Any]:
    """Want a new picture when the verdict has changed, and now and then when its data has."""
    if found.chart is None or row.channel is None:
        return {}
    digest = sha256(document["chart"])
    due = row.charted_at is None or now - row.charted_at >= CHART_APART
    if digest == row.chart or not (changed or due):
        return {}
    outbox.chart(conn, run=row.id, document=document["chart"], due=now)
    return {"chart": digest, "charted_at": now}
