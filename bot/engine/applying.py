"""The one workflow that applies plans: look again, stage by stage, prove each step, and put back on a failure."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import Any

import sqlalchemy as sa

from bot.core.errors import Drifted, Refused, Transient, Unverified
from bot.core.intake import Request
from bot.core.plan import Plan, RunRef, Step
from bot.core.ports import ReadTools, Tools
from bot.core.view import State, StepState
from bot.engine import ending, reporting, runs, steps
from bot.engine.durable import Checkpoint, Halt
from bot.engine.progress import Progress
from bot.engine.workshop import Failed, Workshop, document_digest, failure, stored_plan

SIDE_BY_SIDE = 256  # steps of one stage at the same time: those that wait for what is away keep no others waiting


def apply(shop: Workshop, run: str, keep: Checkpoint) -> None:
    """The work "apply". What it decides on is kept, so that it takes the same way again after a crash."""
    start: dict[str, Any] = keep("begin", lambda: begin(shop, run))
    if start["go"] and start["plan"]:
        _apply(shop, run, keep, start)
    elif start["go"]:
        keep("supersede", lambda: supersede(shop, run, start["trouble"]))


def _apply(shop: Workshop, run: str, keep: Checkpoint, start: dict[str, Any]) -> None:
    looked = keep("premises", lambda: look_again(shop, run))
    if looked["drifted"]:
        keep("supersede", lambda: supersede(shop, run, looked["trouble"]))
        return
    if looked["trouble"]:
        keep("end", lambda: ending.stop(shop, run, looked["trouble"]))
        return
    failed = False
    for stage in range(start["stages"]):
        outcome = keep(f"stage {stage}", partial(carry_out, shop, run, stage))
        if outcome["drifted"] and keep("undo before supersede", lambda: undo(shop, run)):
            keep("supersede", partial(supersede, shop, run, outcome["drifted"]))
            return
        failed = failed or outcome["failed"]
        if failed and start["on_failure"] != "go_on":
            break
    if failed and start["on_failure"] == "undo":
        keep("undo", lambda: undo(shop, run))
    keep("report", lambda: report(shop, run, start["on_failure"]))
    keep("end", lambda: ending.conclude(shop, run, start["on_failure"]))


def begin(shop: Workshop, run: str) -> dict[str, Any]:
    """Take the approved run into work. `go`: is it to be worked on; `plan`: can it be read, as it was approved."""

    def change(conn: sa.Connection) -> Any:
        runs.change(conn, shop, run, [State.APPROVED], State.APPLYING, who="bot", what="applying", facts={})
        return runs.get(conn, run)

    row = shop.write(change)
    plan = _plan(shop, row)
    trouble = {"what": "The plan cannot be read by the bot's present code.", "now": "Look at the new plan."}
    return {
        "go": row is not None and row.state == State.APPLYING, "plan": plan is not None, "trouble": trouble,
        "stages": len(plan.stages) if plan else 0, "on_failure": plan.on_failure if plan else "undo",
    }  # fmt: skip


def look_again(shop: Workshop, run: str) -> dict[str, Any]:
    """Are the plan's premises still true? `trouble` without `drifted`: nobody can tell."""
    plan = stored(shop, run)
    for premise in plan.premises:
        try:
            holds = shop.patiently(partial(premise.holds, _read_tools(shop)))
        except Drifted as error:
            return {"drifted": True, "trouble": {"what": error.what, "now": error.now}}
        except Exception as error:  # told in our words, and nothing has been changed yet
            return {"drifted": False, "trouble": failure(error, run, "Checking the plan once more").document}
        if not holds:
            what = f"The world moved since the plan was shown. No longer true: {premise.says()}"
            return {"drifted": True, "trouble": {"what": what, "now": "Nothing was changed; look at the new plan."}}
    return {"drifted": False, "trouble": None}


def supersede(shop: Workshop, run: str, trouble: dict[str, str]) -> None:
    """Put a new plan for the same request in this one's place."""

    def change(conn: sa.Connection) -> None:
        row = runs.lock(conn, run)
        if row is None or row.state != State.APPLYING:
            return
        runs.tell(conn, shop, run)  # before the plan in its place is
        again = Request(key=f"drift-{run}", command=row.command, ask=row.ask, text=row.text, asker=row.asker,
                        source="drift", channel=row.channel, thread=row.thread, incident=row.incident)  # fmt: skip
        new = runs.insert(conn, shop, again, supersedes=run, retry_of=row.retry_of)
        runs.change(conn, shop, run, [State.APPLYING], State.SUPERSEDED, who="bot", what="superseded",
                    facts={"by": new, "trouble": trouble},
                    values={"trouble": trouble, "superseded_by": new})  # fmt: skip
        if row.standing is None:  # else nobody was told that it starts
            runs.note(conn, shop, run, "end", text=MOVED.format(new=new), mention=_concerned(conn, row))

    shop.write(change)


MOVED = (
    "Things moved since this plan was shown, so it was not carried out. Run {new} looks anew: if something is still "
    "to be done, its plan needs an approval of its own."
)


def _concerned(conn: sa.Connection, row: Any) -> tuple[str, ...]:
    """Who asked, and who approved and believes that it runs."""
    people = (row.asker, *(one.user for one in runs.decisions(conn, row.id) if one.verdict == "approve"))
    return tuple(dict.fromkeys(user for user in people if ":" not in user))


def carry_out(shop: Workshop, run: str, stage: int) -> dict[str, Any]:
    """All steps of a stage, side by side. `drifted` has words if the world moved before anything was changed."""
    plan = stored(shop, run)
    halted = threading.Event()

    def one(place: int) -> None:
        if not halted.is_set() and not _step(shop, run, plan, stage, place, progress) and plan.on_failure != "go_on":
            halted.set()

    places = range(len(plan.stages[stage].steps))
    at_once = max(1, min(SIDE_BY_SIDE, len(places)))
    with Progress(shop) as progress, ThreadPoolExecutor(max_workers=at_once, thread_name_prefix="step") as pool:
        for outcome in [pool.submit(one, place) for place in places]:
            outcome.result()
    rows = shop.read(lambda conn: steps.rows(conn, run))
    return {"failed": any(r.state == StepState.FAILED for r in rows if r.stage == stage), "drifted": _drifted(rows)}


def _drifted(rows: list[Any]) -> dict[str, str] | None:
    failed = [row for row in rows if row.state == StepState.FAILED]
    if not failed or any(row.trouble["kind"] != "Drifted" or ending.doubtful(row) for row in failed):
        return None
    return None if any(row.state == StepState.DONE for row in rows) else dict(failed[0].trouble)


def _step(  # noqa: PLR0917  # a place in a plan, and who hears of it
    shop: Workshop, run: str, plan: Plan, stage: int, place: int, progress: Progress
) -> bool:
    """Bring one step about. False if it failed, which is then written down with its words."""
    if shop.stopping.is_set():
        raise Halt
    row = shop.read(lambda conn: steps.row(conn, run, stage, place))
    if row.state in (StepState.DONE, StepState.FAILED):
        return bool(row.state == StepState.DONE)
    step = plan.stages[stage].steps[place]
    if row.attempt >= steps.MOST_BEGUN:
        gone = Refused(f"“{row.says}” was begun {row.attempt} times and never ended.", "Look at the bot's log.")
        return _fail(shop, row, failure(gone, run, row.says))
    ours = row.attempt > 0
    try:
        if not step.proves and shop.patiently(lambda: step.done(_read_tools(shop))):
            steps.end(shop, row, StepState.DONE if ours else StepState.ALREADY)
            return True
    except Exception as error:  # whatever a step raises is told to people in our words
        return _fail(shop, row, failure(error, run, row.says))
    return _do(shop, step, row, progress)


def _do(shop: Workshop, step: Step, row: Any, progress: Progress) -> bool:
    """Begin, do, prove; again while the other side is only temporarily away."""
    unheard, again = False, True
    for attempt in range(shop.patience.attempts):
        row, wish = steps.begin(shop, row), None
        try:
            _done_after(shop, step, RunRef(row.run, progress.of(row), shop.pause), first=attempt == 0)
            steps.end(shop, row, StepState.DONE)
            return True
        except Exception as error:  # likewise
            failed, again = failure(error, row.run, row.says), isinstance(error, Transient)
            wish = error.after if isinstance(error, Transient) else None
        unheard |= failed.unheard
        if not again:
            break
        if attempt + 1 < shop.patience.attempts:
            shop.pause(shop.patience.pause(attempt, wish))
    if (again or row.attempt > 1) and _done_meanwhile(shop, step):
        steps.end(shop, row, StepState.DONE)
        return True
    return _fail(shop, row, replace(failed, unheard=unheard))


def _done_meanwhile(shop: Workshop, step: Step) -> bool:
    """Has a try worked whose answer was lost, or came so late that the next one took it for somebody else's doing?"""
    try:
        return not step.proves and step.done(_read_tools(shop))
    except Exception:  # nobody can tell, and why the step failed is told already
        return False


def _done_after(shop: Workshop, step: Step, run: RunRef, *, first: bool) -> None:
    if not first and not step.proves and step.done(_read_tools(shop)):
        return  # the attempt before worked, only its answer was lost
    step.do(tools_of(shop), run)
    if not step.done(_read_tools(shop)):
        raise Unverified(f"“{step.says()}” was done, but looking at it afterwards does not show it.")


def _fail(shop: Workshop, row: Any, failed: Failed) -> bool:
    steps.end(shop, row, StepState.FAILED, failed)
    return False


def undo(shop: Workshop, run: str) -> bool:
    """Put back what this run did, last first. False, and no further, when one cannot be put back."""
    plan = stored(shop, run)
    for row in reversed(shop.read(lambda conn: steps.rows(conn, run))):
        if row.state == StepState.UNDO_FAILED:  # before a crash
            return False
        if shop.stopping.is_set():
            raise Halt
        step = plan.stages[row.stage].steps[row.place]
        if row.attempt == 0 or row.state not in (StepState.DONE, StepState.FAILED):
            continue
        if step.proves or not step.reversible:
            continue
        if not _undo(shop, run, step, row):
            return False
    return True


def _undo(shop: Workshop, run: str, step: Step, row: Any) -> bool:
    try:
        with Progress(shop) as progress:
            ref = RunRef(run, progress.of(row), shop.pause)
            _put_back(shop, step, ref)
    except Exception as error:  # likewise
        steps.end(shop, row, StepState.UNDO_FAILED, failure(error, run, f"Undoing “{row.says}”"))
        return False
    steps.end(shop, row, StepState.UNDONE)
    return True


def _put_back(shop: Workshop, step: Step, ref: RunRef) -> None:
    try:
        shop.patiently(lambda: step.undo(tools_of(shop), ref))
    except Drifted:  # perhaps by a try of ours that was carried out late: it looks at what is there now
        shop.patiently(lambda: step.undo(tools_of(shop), ref))


def report(shop: Workshop, run: str, on_failure: str) -> None:
    """Let the handler look at what is there now, if this run has brought something about."""
    plan = _plan(shop, shop.read(lambda conn: runs.get(conn, run)))
    if plan is not None and ending.did_something(shop, run, on_failure):
        reporting.report(shop, run, plan)


def stored(shop: Workshop, run: str) -> Plan:
    plan = _plan(shop, shop.read(lambda conn: runs.get(conn, run)))
    assert plan is not None, "it could be read when the run began"
    return plan


def _plan(shop: Workshop, row: Any) -> Plan | None:
    """The plan exactly as it was approved; None if it was changed in the store or the code cannot read it."""
    if row is None or row.plan is None or document_digest(row.plan) != row.digest:
        return None
    return stored_plan(shop, row.plan)


def tools_of(shop: Workshop) -> Tools:
    assert shop.tools is not None, "only a process with tools applies"
    return shop.tools


def _read_tools(shop: Workshop) -> ReadTools:
    assert shop.read_tools is not None, "only a process with tools looks at the world"
    return shop.read_tools
