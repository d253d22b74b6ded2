"""From a request to a proposal, an answer or a refusal. Planning only looks, so it may be done again at any time."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from pydantic import ValidationError

from bot.core.errors import Refused, Told
from bot.core.plan import Answer, Note, Plan
from bot.core.ports import ReadTools
from bot.core.side_by_side import each
from bot.core.view import State
from bot.engine import outbox, runs, standing, steps
from bot.engine.durable import Checkpoint, Halt
from bot.engine.tables import decision
from bot.engine.workshop import Failed, Workshop, failure

HALF = 0.5  # of the time that a plan waits: then people are reminded
LOOKS = 3  # at a system that is away, while a person waits for the plan: that person can ask again


def plan(shop: Workshop, run: str, _keep: Checkpoint) -> None:
    """The work "plan": everything it finds goes into the run's row in one transaction, so it keeps nothing itself."""
    row = shop.read(lambda conn: runs.get(conn, run))
    if row is None or row.state != State.ASKED:
        return
    try:
        found, already = shop.patiently(
            lambda: _look(shop, row), LOOKS if row.source in ("slack", "cli", "retry") else None
        )
        _tell(shop, row, found, already)
    except Exception as error:  # whatever a handler raises, or puts into its plan, is told to the asker in our words
        _refuse(shop, row, failure(error, run, f"Planning /{row.command}"))


def _tell(shop: Workshop, row: Any, found: Plan | Answer, already: frozenset[tuple[int, int]]) -> None:
    if isinstance(found, Answer):
        _answer(shop, row, found)
    elif all(step.proves or (stage, place) in already for stage, place, step in found.steps):
        _answer(shop, row, _nothing(found), found, already)
    else:
        _propose(shop, row, found, already)


def _look(shop: Workshop, row: Any) -> tuple[Plan | Answer, frozenset[tuple[int, int]]]:
    """What the handler found, and the places of the steps that are done already."""
    handler = shop.handlers.get(row.command)
    if handler is None:
        raise Refused(f"There is no command /{row.command} here any more.", "See /hivekeeper help.")
    try:
        ask = handler.ask.model_validate(row.ask)
    except ValidationError as error:
        places = ", ".join(sorted({".".join(str(p) for p in e["loc"]) or "parameters" for e in error.errors()}))
        raise Refused(f"The parameters of /{row.command} are not right: {places}.", "Ask again.") from None
    if shop.stopping.is_set():
        raise Halt
    assert shop.read_tools is not None, "only a process with tools plans"
    found = handler.plan(ask, shop.handler_settings[row.command], shop.read_tools)
    if isinstance(found, Answer):
        return found, frozenset()
    if not isinstance(found, Plan):
        raise TypeError("a handler gives a plan or an answer")
    return found, _already(found, shop.read_tools)


def _already(plan: Plan, tools: ReadTools) -> frozenset[tuple[int, int]]:
    """The places of the steps that are known to be done; all are asked side by side. In a plan that goes on when a step
    fails, a system that is away keeps nobody from proposing the others: its own step is asked again before it is done,
    and fails by itself."""
    asked = tuple((place, step) for *place, step in plan.steps if not step.proves)
    answers = each(lambda one: one[1].done(tools), asked)
    trouble = next((answer for answer in answers if isinstance(answer, Told)), None)
    if trouble and plan.on_failure != "go_on":
        raise trouble
    return frozenset((s, i) for ((s, i), _), answer in zip(asked, answers, strict=True) if answer is True)


def _nothing(plan: Plan) -> Answer:
    """A plan whose every step is done already asks nobody for anything."""
    title = f"Nothing to do: {plan.title}"
    cut = title if len(title) <= 150 else f"{title[:149]}…"
    says = tuple(Note(label="already so", text=step.says()) for _, _, step in plan.steps if not step.proves)
    return Answer(
        command=plan.command, title=cut, notes=plan.notes + says, warnings=plan.warnings, quiet=not plan.warnings
    )


def _refuse(shop: Workshop, row: Any, failed: Failed) -> None:
    def change(conn: sa.Connection) -> None:
        runs.change(conn, shop, row.id, [State.ASKED], State.REFUSED, who="bot", what="refused",
                    facts={"trouble": failed.document}, values={"trouble": failed.document})  # fmt: skip

    shop.write(change)


def _answer(
    shop: Workshop, row: Any, answer: Answer, plan: Plan | None = None,
    already: frozenset[tuple[int, int]] = frozenset(),
) -> None:  # fmt: skip
    values: dict[str, Any] = {"answer": answer.model_dump(mode="json", exclude={"chart"})}
    if plan is not None:
        values |= {"plan": plan.model_dump(mode="json"), "digest": plan.digest}

    def change(conn: sa.Connection) -> None:
        answered = runs.change(conn, shop, row.id, [State.ASKED], State.ANSWERED, who="bot", what="answered",
                               facts={"title": answer.title}, values=values)  # fmt: skip
        if answered and plan is not None:
            steps.propose(conn, row.id, plan, already)
        if answered and answer.chart and row.channel and not answer.quiet:
            outbox.chart(conn, run=row.id, document=answer.chart.model_dump(mode="json"), due=shop.clock())

    shop.write(change)


def _propose(shop: Workshop, row: Any, plan: Plan, already: frozenset[tuple[int, int]]) -> None:
    rule, now = shop.rule(row.command), shop.clock()
    name = _covering(shop, row, now)
    values = {
        "plan": plan.model_dump(mode="json"), "digest": plan.digest, "on_failure": plan.on_failure,
        "approvals_needed": rule.approvals, "proposed_at": now, "expires_at": now + rule.expires_after,
        "remind_at": now + rule.expires_after * HALF, "standing": name,
    }  # fmt: skip

    def change(conn: sa.Connection) -> None:
        facts = {"digest": plan.digest, "title": plan.title}
        if runs.change(conn, shop, row.id, [State.ASKED], State.PROPOSED, who="bot", what="proposed",
                       facts=facts, values=values):  # fmt: skip
            steps.propose(conn, row.id, plan, already)
            if name is not None:
                _stand_in(conn, shop, row, plan, name)

    shop.write(change)


def _covering(shop: Workshop, row: Any, now: float) -> str | None:
    """The standing approval that covers exactly what a schedule asked for. A plan that was made anew because the world
    had moved (source "drift") is for people to look at."""
    if row.source != "schedule":
        return None
    return standing.covering(shop.settings.standing, row.command, row.ask, now)


def _stand_in(conn: sa.Connection, shop: Workshop, row: Any, plan: Plan, name: str) -> None:
    """Approve it."""
    owner, told = shop.settings.standing[name].owner, f"Approved by the standing approval {name}."
    conn.execute(
        decision.insert().values(
            key=runs.hashed(f"standing-{row.id}"), run=row.id, user=owner, verdict="approve", digest=plan.digest,
            reason=told, at=shop.clock(), accepted=True, told=told,
        )
    )  # fmt: skip
    facts = {"digest": plan.digest, "standing": name}
    approve(conn, shop, row.id, subject=plan.subject, who=owner, facts=facts, standing=name)


def approve(
    conn: sa.Connection, shop: Workshop, run: str, *, subject: str, who: str, facts: dict[str, Any],
    standing: str | None = None,
) -> bool:  # fmt: skip
    """The proposal is approved: its work is enqueued in the same transaction. False if it is no proposal any more."""
    approved = runs.change(conn, shop, run, [State.PROPOSED], State.APPROVED, who=who, what="approved",
                           facts=facts, values={"standing": standing, "remind_at": None})  # fmt: skip
    if approved:
        shop.queues.put(conn, "apply", run, subject=subject)
    return approved
