"""What the handler sees once its plan was applied: a last look, stored beside the run's result."""

from __future__ import annotations

import json
from typing import Any

import sqlalchemy as sa

from bot.core.plan import Plan, Report
from bot.core.view import State
from bot.engine import runs
from bot.engine.durable import Halt
from bot.engine.tables import run as run_table
from bot.engine.workshop import Workshop, failure

LOOKS = 3  # at a system that is away, while people wait for the end of the run


def report(shop: Workshop, run: str, plan: Plan) -> None:
    """Have it made and keep it, if the handler makes one and there is none yet. A report that cannot be made says so
    and changes nothing about how the run ends."""
    row = shop.read(lambda conn: runs.get(conn, run))
    handler = shop.handlers.get(plan.command)
    if row is None or row.state != State.APPLYING or row.report or handler is None or handler.report is None:
        return
    document = _document(shop, run, plan)
    mine = run_table.c.id == run, run_table.c.state == State.APPLYING
    shop.write(lambda conn: _keep(conn, mine, document))


def _keep(conn: sa.Connection, mine: Any, document: dict[str, Any]) -> None:
    conn.execute(run_table.update().where(*mine).values(report=document))


def _document(shop: Workshop, run: str, plan: Plan) -> dict[str, Any]:
    """The report as JSON: made here, so that one which cannot be stored is the handler's failure."""
    try:
        return shop.patiently(lambda: _look(shop, plan), LOOKS)
    except Exception as error:  # whatever a handler raises is told in our words
        trouble = failure(error, run, f"Looking at what /{plan.command} has done").trouble
        told = f"What is there now could not be read: {trouble.what} {trouble.now}".strip()
        return Report(warnings=(told,)).model_dump(mode="json")


def _look(shop: Workshop, plan: Plan) -> dict[str, Any]:
    if shop.stopping.is_set():
        raise Halt
    make = shop.handlers[plan.command].report
    assert make is not None, "looked at before"
    assert shop.read_tools is not None, "only a process with tools looks"
    found = make(plan, shop.handler_settings[plan.command], shop.read_tools)
    if not isinstance(found, Report):
        raise TypeError("a handler's report is a report")
    document: dict[str, Any] = json.loads(found.model_dump_json())
    return document
