"""Decisions of people: the rule, the digest and the state are checked here, whatever an edge has checked before.

Membership is read before the transaction, because it may take Slack a second. The refusal is a sentence for that
person alone, and audited. A key that was seen before gets the sentence it got then.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from bot.core.errors import Refused, Told, Transient
from bot.core.intake import Decision, Outcome
from bot.core.people import check_approve, groups_of, unnamed
from bot.core.view import State
from bot.engine import audit, runs
from bot.engine.planning import approve
from bot.engine.store import reading, writing
from bot.engine.tables import decision as table
from bot.engine.workshop import Workshop

UNSURE = "Nothing was decided: try again in a minute, or ask someone whom the settings name by their user id."


class No(Exception):
    """A refusal on its way out of the transaction that found it."""

    def __init__(self, told: str) -> None:
        super().__init__(told)
        self.told = told


def decide(shop: Workshop, decision: Decision) -> Outcome:
    """Take the decision, or refuse it in words. Transient when the store is away."""
    with reading(shop.store) as conn:
        row, before = runs.get(conn, decision.run), _before(conn, decision)
    if before is not None:
        return _again(shop, decision, before)
    if row is None:
        return _refused(shop, decision, f"There is no run {decision.run}.")
    try:
        _check_person(shop, decision, row)
    except Told as error:
        unsure = isinstance(error, Transient)
        return _refused(shop, decision, f"{error.what} {UNSURE}" if unsure else str(error), remember=not unsure)
    try:
        with writing(shop.store) as conn:
            told = _take(conn, shop, decision)
    except No as no:
        return _refused(shop, decision, no.told)
    except IntegrityError:  # the same key, or the same person, at the same instant through another replica
        return _refused(shop, decision, "This was decided at this very moment; look at the plan again.")
    shop.changed.set()
    return Outcome(accepted=True, told=told, run=decision.run)


def _before(conn: sa.Connection, decision: Decision) -> Any | None:
    return conn.execute(sa.select(table).where(table.c.key == runs.hashed(decision.key))).first()


def _again(shop: Workshop, decision: Decision, before: Any) -> Outcome:
    """The key was seen before: the same answer for the same person, and nothing for anybody else."""
    if (before.run, before.user, before.verdict) != (decision.run, decision.user, decision.verdict):
        return _refused(shop, decision, "This was sent once before, for something else. Use the buttons of the plan.")
    return Outcome(accepted=before.accepted, told=before.told, run=decision.run)


def _check_person(shop: Workshop, decision: Decision, row: Any) -> None:
    """Raises Told unless this person may decide this: membership is read now."""
    rule, groups, members = shop.rule(row.command), shop.settings.groups, cache(shop.membership.of)
    if decision.verdict == "approve":
        check_approve(decision.user, row.asker, rule, groups, members)
    elif decision.verdict == "cancel" and decision.user == row.asker:
        return
    elif not any(groups_of(decision.user, rule.approve, groups, members)):
        who = "the asker or an approver" if decision.verdict == "cancel" else "an approver"
        back = f"/hivekeeper cancel {row.id} takes it back." if decision.user == row.asker else unnamed(decision.user)
        raise Refused(f"Only {who} can {decision.verdict} this plan.", back.strip())


def _take(conn: sa.Connection, shop: Workshop, decision: Decision) -> str:
    """The decision in one transaction; what to tell. Raises No."""
    row = runs.lock(conn, decision.run)
    _check_state(shop, decision, row)
    return _VERDICTS[decision.verdict](conn, shop, decision, row)


def _check_state(shop: Workshop, decision: Decision, row: Any) -> None:
    if row.state == State.ASKED and decision.verdict == "cancel":
        return
    if row.state != State.PROPOSED:
        raise No(_WHY_NOT.get(State(row.state), "This run does not wait for a decision."))
    if row.expires_at <= shop.clock():
        raise No("This plan has expired, and nothing was changed. Ask again for a fresh one.")
    if decision.digest is not None and decision.digest != row.digest:
        raise No("This is not the plan that was shown to you. Look at the newest one and decide on that.")


_WHY_NOT = {
    State.ASKED: "The plan is not made yet. Wait a moment for it.",
    State.APPROVED: "This plan is approved already, and starts as soon as it is its turn.",
    State.APPLYING: "This plan is approved already, and being carried out.",
    State.DONE: "This plan is approved and done already.",
    State.PARTLY: "This plan was approved, and is done in part.",
    State.UNDONE: "This plan was approved, failed, and was put back.",
    State.STOPPED: "This plan was approved and stopped on a failure.",
    State.DENIED: "This plan was denied already. Nothing was changed.",
    State.CANCELLED: "This plan was cancelled. Nothing was changed.",
    State.EXPIRED: "This plan has expired, and nothing was changed. Ask again for a fresh one.",
    State.SUPERSEDED: "A newer plan stands in this one's place. Decide on that one.",
    State.ANSWERED: "There is nothing to decide here.",
    State.REFUSED: "This could not be planned, so there is nothing to decide.",
}


def _approve(conn: sa.Connection, shop: Workshop, decision: Decision, row: Any) -> str:
    query = sa.select(table.c.user).where(table.c.run == row.id, table.c.accepted, table.c.verdict == "approve")
    people = set(conn.execute(query).scalars())
    missing = row.approvals_needed - len(people | {decision.user})
    if decision.user in people:
        raise No("You have approved this plan already. It needs someone else too.")
    more = f"{missing} more approval{'s are' if missing > 1 else ' is'} needed."
    told = f"Approved. {more}" if missing > 0 else "Approved. It starts now."
    _record(conn, shop, decision, row, told)
    facts = {"digest": row.digest, "reason": decision.reason}
    if missing > 0:
        runs.change(conn, shop, row.id, [State.PROPOSED], who=decision.user, what="approved_in_part", facts=facts)
    else:
        approve(conn, shop, row.id, subject=row.plan["subject"], who=decision.user, facts=facts)
    return told


def _deny(conn: sa.Connection, shop: Workshop, decision: Decision, row: Any) -> str:
    return _close(conn, shop, decision, row, to=State.DENIED, told="Denied. Nothing was changed.")


def _cancel(conn: sa.Connection, shop: Workshop, decision: Decision, row: Any) -> str:
    return _close(conn, shop, decision, row, to=State.CANCELLED, told="Cancelled. Nothing was changed.")


def _close(conn: sa.Connection, shop: Workshop, decision: Decision, row: Any, *, to: State, told: str) -> str:
    _record(conn, shop, decision, row, told)
    runs.change(conn, shop, row.id, [State(row.state)], to, who=decision.user, what=to.value,
                facts={"digest": row.digest, "reason": decision.reason})  # fmt: skip
    return told


_VERDICTS: dict[str, Callable[[sa.Connection, Workshop, Decision, Any], str]] = {
    "approve": _approve,
    "deny": _deny,
    "cancel": _cancel,
}


def _record(
    conn: sa.Connection, shop: Workshop, decision: Decision, row: Any, told: str, *, accepted: bool = True
) -> None:
    conn.execute(
        table.insert().values(
            key=runs.hashed(decision.key), run=decision.run, user=decision.user, verdict=decision.verdict,
            digest=decision.digest or row.digest, reason=decision.reason, at=shop.clock(), accepted=accepted, told=told,
        )
    )  # fmt: skip


def _refused(shop: Workshop, decision: Decision, told: str, *, remember: bool = True) -> Outcome:
    """Nothing changes; the refusal is audited, and remembered for the key if there is such a run."""
    facts = {"verdict": decision.verdict, "digest": decision.digest, "told": told}

    with writing(shop.store) as conn:
        row = runs.lock(conn, decision.run)
        if remember and row is not None and _before(conn, decision) is None:
            _record(conn, shop, decision, row, told, accepted=False)
        audit.append(conn, who=decision.user, what="refused_decision", run=row.id if row is not None else None,
                     facts=facts | ({} if row is not None else {"run": decision.run}), at=shop.clock())  # fmt: skip
    return Outcome(accepted=False, told=told, run=decision.run)


def may_decide(shop: Workshop, user: str) -> dict[str, bool]:
    """The commands whose plans this person may approve -> also those that the person asked for? For showing only:
    while Slack cannot say who is in its groups, those groups are empty here."""

    @cache
    def members(slack_group: str) -> frozenset[str]:
        try:
            return shop.recent.of(slack_group)
        except Told:
            return frozenset()

    found: dict[str, bool] = {}
    for name in shop.handlers:
        mine = list(groups_of(user, shop.rule(name).approve, shop.settings.groups, members))
        if mine:
            found[name] = any(group.self_approval for group in mine)
    return found
