"""Runs as rows: how one comes in, changes and is seen. Every change is compare-and-set in the caller's transaction,
with its audit entry and the wish to show it."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa

from bot.core.checklist import Tick
from bot.core.handing_in import HandedIn
from bot.core.intake import Request
from bot.core.plan import Answer, Plan, Report
from bot.core.view import OPEN, DecisionView, RunView, State, StepView, Trouble
from bot.engine import audit, incidents, messages, outbox, telling
from bot.engine.tables import decision, run, run_action, run_step, run_tick
from bot.engine.workshop import Workshop, log, stored_plan

KEY_BITS = 35  # of the hash in an id: short enough to read out on the telephone


def hashed(key: str) -> str:
    """How a key from outside is kept: its SHA-256, because keys can be long and can be somebody's token."""
    return hashlib.sha256(key.encode()).hexdigest()


def run_id(key: str, again: int = 0) -> str:
    """ "r-" and 7 characters. `again` above 0 is for the rare case that another key has this id already."""
    digest = hashlib.sha256(f"{key}{'#' * again}".encode()).digest()
    return "r-" + base64.b32encode(digest).decode().lower()[: KEY_BITS // 5]


def insert(
    conn: sa.Connection, shop: Workshop, request: Request, supersedes: str | None = None, retry_of: str | None = None
) -> str:
    """Store the request and enqueue its planning; the id. The same key again gives the same id and does nothing."""
    known = conn.execute(sa.select(run.c.id).where(run.c.key == hashed(request.key))).scalar()
    if known:
        return str(known)
    new, now = _free_id(conn, request.key), shop.clock()
    channel, thread = _place(conn, shop, request)
    conn.execute(
        run.insert().values(
            id=new, key=hashed(request.key), command=request.command, ask=request.ask, text=request.text[:3000],
            asker=request.asker, source=request.source, channel=channel, thread=thread, state=State.ASKED, revision=1,
            asked_at=now, changed_at=now, approvals_needed=shop.rule(request.command).approvals, supersedes=supersedes,
            incident=request.incident, retry_of=retry_of,
        )
    )  # fmt: skip
    shop.queues.put(conn, "plan", new)
    _show(conn, shop, new)
    if request.incident:
        incidents.run_moved(conn, shop, request.incident, ended=False)
    facts = {"command": request.command, "ask": request.ask, "source": request.source}
    audit.append(conn, who=request.asker, what="asked", run=new, facts=facts, at=now)
    return new


def _place(conn: sa.Connection, shop: Workshop, request: Request) -> tuple[str | None, str | None]:
    """(channel, thread) of the run's message: in the incident's thread if it has one."""
    of_incident = incidents.thread(conn, request.incident) if request.incident else None
    if of_incident:
        return of_incident
    return request.channel or shop.settings.slack.channel, request.thread if request.channel else None


def lock(conn: sa.Connection, id: str) -> Any | None:
    """The run's row, kept from other writers until the transaction ends."""
    return conn.execute(sa.select(run).where(run.c.id == id).with_for_update()).first()


def get(conn: sa.Connection, id: str) -> Any | None:
    return conn.execute(sa.select(run).where(run.c.id == id)).first()


def change(
    conn: sa.Connection, shop: Workshop, id: str, was: Iterable[State], to: State | None = None, *,
    who: str, what: str, facts: dict[str, Any], values: dict[str, Any] | None = None,
) -> bool:  # fmt: skip
    """Change the run if it is in one of these states, else do nothing and return False. `values`: other columns."""
    now = shop.clock()
    new: dict[str, Any] = {"revision": run.c.revision + 1, "changed_at": now} | (values or {})
    if to is not None:
        new["state"] = to
        new |= {} if to in OPEN else {"finished_at": now, "remind_at": None}
    found = conn.execute(run.update().where(run.c.id == id, run.c.state.in_(list(was))).values(**new))
    if found.rowcount != 1:
        return False
    _show(conn, shop, id)
    if to is not None and to not in OPEN:
        _ended(conn, shop, id)
    audit.append(conn, who=who, what=what, run=id, facts=facts, at=now)
    return True


def _ended(conn: sa.Connection, shop: Workshop, id: str) -> None:
    """The incident it acted on is looked into again, and its schedule hears how it went; and the one line of the log
    that tells the run's whole story."""
    row = conn.execute(sa.select(run).where(run.c.id == id)).one()
    telling.ended(conn, shop, row)
    if row.incident:
        incidents.run_moved(conn, shop, row.incident, ended=True)
    took = round(row.finished_at - row.asked_at, 3)
    log.info("run ended", run=id, command=row.command, asker=row.asker, source=row.source, state=row.state,
             digest=row.digest, incident=row.incident, seconds=took)  # fmt: skip


def shown_anew(conn: sa.Connection, shop: Workshop, id: str) -> None:
    """Something below the run has changed: its message should show it."""
    conn.execute(run.update().where(run.c.id == id).values(revision=run.c.revision + 1, changed_at=shop.clock()))
    _show(conn, shop, id)


def _show(conn: sa.Connection, shop: Workshop, id: str) -> None:
    row = conn.execute(sa.select(*telling.NEEDED).where(run.c.id == id)).one()
    if not telling.hushed(conn, shop, row):
        _want(conn, shop, row)


def _want(conn: sa.Connection, shop: Workshop, row: Any) -> None:
    if row.channel:
        outbox.want(conn, run=row.id, revision=row.revision, channel=row.channel, thread=row.thread, due=shop.clock())


def tell(conn: sa.Connection, shop: Workshop, id: str) -> None:
    """Show the run from now on, also if only a schedule asked for it."""
    _want(conn, shop, conn.execute(sa.select(*telling.NEEDED).where(run.c.id == id)).one())


def note(conn: sa.Connection, shop: Workshop, id: str, name: str, *, text: str, mention: tuple[str, ...] = ()) -> None:
    """A line in the run's thread, once per name; nothing if the run is not shown."""
    if messages.has_head(conn, id):
        outbox.note(conn, run=id, name=name, text=text, mention=mention, due=shop.clock())


def _free_id(conn: sa.Connection, key: str) -> str:
    again = 0
    while conn.execute(sa.select(run.c.id).where(run.c.id == run_id(key, again))).scalar():
        again += 1
    return run_id(key, again)


# --- how a run is seen ------------------------------------------------------------------------------------


def view(conn: sa.Connection, shop: Workshop, id: str) -> RunView | None:
    row = get(conn, id)
    return _view(conn, shop, row) if row is not None else None


def views(conn: sa.Connection, shop: Workshop, *, open_only: bool, limit: int) -> tuple[RunView, ...]:
    """Newest first."""
    query = sa.select(run).order_by(run.c.asked_at.desc(), run.c.id).limit(limit)
    if open_only:
        query = query.where(run.c.state.in_(list(OPEN)))
    return tuple(_view(conn, shop, row) for row in conn.execute(query).all())


def count_open(conn: sa.Connection) -> int:
    """How many have not ended."""
    return int(conn.execute(sa.select(sa.func.count()).where(run.c.state.in_(list(OPEN)))).scalar_one())


def ended(conn: sa.Connection, since: float) -> list[tuple[tuple[str, str], float]]:
    """How many that were asked since then have ended: by command and state."""
    query = sa.select(run.c.command, run.c.state, sa.func.count()).group_by(run.c.command, run.c.state)
    found = conn.execute(query.where(run.c.asked_at >= since, run.c.state.not_in(list(OPEN))))
    return [((command, str(state)), float(number)) for command, state, number in found]


def proposals(conn: sa.Connection, shop: Workshop, own: dict[str, bool], user: str, limit: int) -> tuple[RunView, ...]:
    """Proposals of these commands (name -> also those that the user asked for), soonest expiry first."""
    others = run.c.command.in_([name for name, also in own.items() if not also]) & (run.c.asker != user)
    mine = run.c.command.in_([name for name, also in own.items() if also])
    query = sa.select(run).where(run.c.state == State.PROPOSED, others | mine).order_by(run.c.expires_at).limit(limit)
    return tuple(_view(conn, shop, row) for row in conn.execute(query).all())


def _view(conn: sa.Connection, shop: Workshop, row: Any) -> RunView:
    place = outbox.place(conn, row.id)
    plan: Plan | None = stored_plan(shop, row.plan)
    return RunView(
        id=row.id, revision=row.revision, command=row.command, text=row.text, asker=row.asker, source=row.source,
        state=State(row.state), asked_at=row.asked_at, proposed_at=row.proposed_at, expires_at=row.expires_at,
        finished_at=row.finished_at, plan=plan, digest=row.digest,
        answer=Answer.model_validate(row.answer) if row.answer else None,
        report=Report.model_validate(row.report) if row.report else None,
        ticks=_ticks(conn, row.id) if row.answer else (),
        handed_in=_handed_in(conn, row.id) if row.answer and row.answer.get("wanted") else (),
        steps=_steps(conn, row.id),
        decisions=decisions(conn, row.id), approvals_needed=row.approvals_needed,
        approver_groups=shop.rule(row.command).approve, trouble=told(row.trouble), supersedes=row.supersedes,
        superseded_by=row.superseded_by, standing=row.standing,
        channel=place[0] if place else row.channel, ts=place[1] if place else None,
    )  # fmt: skip


def told(document: dict[str, str] | None) -> Trouble | None:
    return Trouble(what=document["what"], now=document["now"]) if document else None


def _steps(conn: sa.Connection, id: str) -> tuple[StepView, ...]:
    query = sa.select(run_step).where(run_step.c.run == id).order_by(run_step.c.stage, run_step.c.place)
    return tuple(
        StepView(stage=s.stage, place=s.place, says=s.says, reversible=s.reversible, state=s.state,
                 trouble=told(s.trouble), progress=s.progress)
        for s in conn.execute(query)
    )  # fmt: skip


def _ticks(conn: sa.Connection, id: str) -> tuple[Tick, ...]:
    query = sa.select(run_tick).where(run_tick.c.run == id).order_by(run_tick.c.at, run_tick.c.step)
    return tuple(Tick(step=row.step, user=row.user, at=row.at) for row in conn.execute(query))


def _handed_in(conn: sa.Connection, id: str) -> tuple[HandedIn, ...]:
    given = run_action.c.action.in_(["hand_in", "sign_in"]), run_action.c.accepted, run_action.c.led_to.is_not(None)
    query = sa.select(run_action).where(run_action.c.run == id, *given).order_by(run_action.c.at)
    return tuple(
        HandedIn(name=row.step, user=row.user, at=row.at, run=row.led_to, signed_in=row.action == "sign_in")
        for row in conn.execute(query)
    )


def decisions(conn: sa.Connection, id: str) -> tuple[DecisionView, ...]:
    """Those that counted, oldest first."""
    query = sa.select(decision).where(decision.c.run == id, decision.c.accepted).order_by(decision.c.at)
    return tuple(DecisionView(user=d.user, verdict=d.verdict, at=d.at, reason=d.reason) for d in conn.execute(query))
