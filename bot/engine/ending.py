"""How an applied run ends: the state that the steps' records add up to, and the exact account of it."""

from __future__ import annotations

from collections import Counter
from typing import Any, Literal

import sqlalchemy as sa

from bot.core.plan import Plan
from bot.core.view import State, StepState
from bot.engine import inventory, runs, steps
from bot.engine.tables import run as run_table
from bot.engine.workshop import Workshop, stored_plan

HOUR = 3600.0
Places = frozenset[tuple[int, int]]  # (stage, place in stage)


def did_something(shop: Workshop, run: str, on_failure: str) -> bool:
    """Does the run end with something that was done and stays?"""
    rows = shop.read(lambda conn: steps.rows(conn, run))
    state = verdict(rows, on_failure, _places(_plan(shop, run), "proves"))
    return state in (State.DONE, State.PARTLY) or (state == State.STOPPED and any(row.attempt for row in rows))


def conclude(shop: Workshop, run: str, on_failure: str) -> None:
    """Read the steps' records and close the run."""
    rows = shop.read(lambda conn: steps.rows(conn, run))
    plan = _plan(shop, run)
    proofs, atomic = _places(plan, "proves"), _places(plan, "atomic")
    state = verdict(rows, on_failure, proofs)
    culprit = next((row.trouble for row in rows if row.trouble), None)
    trouble, comes = None, late(rows)
    if state != State.DONE and culprit:
        told = (culprit["now"], account(rows, proofs, atomic), comes)
        trouble = {"what": culprit["what"], "now": " ".join(filter(None, told))}
    close(shop, run, state, trouble, sure=not comes)


def stop(shop: Workshop, run: str, trouble: dict[str, str]) -> None:
    """Close a run that could not begin: nothing was changed."""
    now = f"{trouble['now']} Nothing was changed; ask again when that is right.".strip()
    close(shop, run, State.STOPPED, {"what": trouble["what"], "now": now})


def _plan(shop: Workshop, run: str) -> Plan | None:
    row = shop.read(lambda conn: runs.get(conn, run))
    return stored_plan(shop, row.plan) if row is not None else None


def _places(plan: Plan | None, mark: Literal["proves", "atomic"]) -> Places:
    """Where the plan has steps of that kind."""
    return frozenset((s, i) for s, i, step in plan.steps if getattr(step, mark)) if plan else frozenset()


def verdict(rows: list[Any], on_failure: str, proofs: Places = frozenset()) -> State:
    """The state of a run whose steps ended so; `proofs` are the places of those that only prove."""
    states = Counter(row.state for row in rows)
    good = states[StepState.DONE] + states[StepState.ALREADY]
    if good == len(rows):
        return State.DONE
    if on_failure == "go_on":
        return State.PARTLY if good else State.STOPPED
    if on_failure == "stop":
        return State.STOPPED
    changes = [row for row in rows if (row.stage, row.place) not in proofs]
    left = any(row.state in (StepState.DONE, StepState.UNDO_FAILED) or doubtful(row) for row in changes)
    return State.STOPPED if left else State.UNDONE


def doubtful(row: Any) -> bool:
    """Was this step begun and not put back, so that it may have left something behind? Also after a refusal: it may
    have been the second of two writes that was refused. Only a drift says that nothing was done, unless a request
    before it got no answer."""
    sure = row.state == StepState.FAILED and row.trouble["kind"] == "Drifted" and not _unheard(row)
    return bool(row.state == StepState.FAILED and row.attempt > 0 and not sure)


def late(rows: list[Any]) -> str:
    """What may still come of steps that were put back; empty when nothing can."""
    said = [row.says for row in rows if row.state == StepState.UNDONE and _unheard(row)]
    if not said:
        return ""
    whose = f"A request of “{said[0]}”" if len(said) == 1 else f"A request of “{said[0]}” and of {len(said) - 1} more"
    return f"{whose} got no answer: it may be carried out after that. Look there once more in a few minutes."


def _unheard(row: Any) -> bool:
    return bool(row.trouble and row.trouble.get("unheard"))


def account(rows: list[Any], proofs: Places = frozenset(), atomic: Places = frozenset()) -> str:
    """What became of the steps, in one sentence. Those that only prove, or leave nothing half done, are told so."""
    counts = Counter(_became(row, (row.stage, row.place), proofs, atomic) for row in rows)
    told = [
        ("{} proven", counts["proven"]),
        ("{} not proven", counts["not proven"]),
        ("{} done and left so", counts[StepState.DONE]),
        ("{} already so before", counts[StepState.ALREADY]),
        ("{} put back", counts[StepState.UNDONE]),
        ("{} could not be put back", counts[StepState.UNDO_FAILED]),
        ("{} failed and may be half done", counts["doubtful"]),
        ("{} failed", counts["failed"]),
        ("{} failed before it changed anything", counts["failed early"]),
        ("{} not begun", counts[StepState.WAITING]),
    ]
    parts = [words.format(count) for words, count in told if count]
    return f"Of {len(rows)} step{'s' if len(rows) != 1 else ''}: {', '.join(parts)}."


def _became(row: Any, at: tuple[int, int], proofs: Places, atomic: Places) -> str:
    if at in proofs and row.state in (StepState.DONE, StepState.FAILED):
        return "proven" if row.state == StepState.DONE else "not proven"
    if row.state != StepState.FAILED:
        return str(row.state)
    if not doubtful(row):
        return "failed early"
    return "failed" if at in atomic else "doubtful"


WORDS = {
    State.DONE: "Done and verified.",
    State.PARTLY: "Done in part; the failed steps are named above.",
    State.UNDONE: "It failed, and everything is as it was before.",
    State.STOPPED: "Stopped; a person has to look.",
}
MIND = "Mind what is marked ⚠️ above."
UNSURE = "It failed and was put back, but something may still be carried out late: look once more in a few minutes."


def _words(state: State, report: dict[str, Any] | None) -> str:
    warned = state == State.DONE and bool((report or {}).get("warnings"))
    return f"{WORDS[state]} {MIND}" if warned else WORDS[state]


def close(shop: Workshop, run: str, state: State, trouble: dict[str, str] | None, *, sure: bool = True) -> None:
    """Close the run in this state, say so in its thread, and set when its backups may go. `sure`: nothing is left that
    may be carried out later."""

    def change(conn: sa.Connection) -> None:
        retire_at = None if state == State.STOPPED else shop.clock() + shop.settings.store.keep_backups_hours * HOUR
        closed = runs.change(conn, shop, run, [State.APPLYING], state, who="bot", what=state.value,
                             facts={"trouble": trouble},
                             values={"trouble": trouble, "retire_at": retire_at})  # fmt: skip
        if closed:
            row = conn.execute(sa.select(run_table).where(run_table.c.id == run)).one()
            inventory.wish(conn, row.command, shop.clock())
            text = UNSURE if state == State.UNDONE and not sure else _words(state, row.report)
            runs.note(conn, shop, run, "end", text=text, mention=() if ":" in row.asker else (row.asker,))

    shop.write(change)
