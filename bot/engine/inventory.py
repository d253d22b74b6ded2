"""The credentials that handlers look after, as they were last looked at. Looking changes nothing: it is enqueued once
in total, at start, regularly, and after each run of the command that was applied; its result counts once."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Any

import sqlalchemy as sa

from bot.core.inventory import Credential, Freshness, Holding
from bot.engine import alarms, early
from bot.engine.durable import Checkpoint, Halt
from bot.engine.matching import visible
from bot.engine.store import reading, writing
from bot.engine.tables import holding, inventory
from bot.engine.upsert import insert
from bot.engine.workshop import Failed, Workshop, failure

URGENCY: tuple[Freshness, ...] = ("expired", "missing", "degraded", "unknown", "due", "fresh")
ATTEMPTS = 3  # at a look while the other side is away for a moment: the next one is never far
APART = 5.0  # seconds between two looks at what one command looks after
LOST_AFTER = 60.0  # seconds that a look may wait before somebody sees whether it is still to come
TOLD = 600  # characters of a failed look's words that are kept


def sync(conn: sa.Connection, commands: Collection[str], now: float) -> None:
    """Make the rows follow the handlers that have an inventory, and look at all of it now. A row of a handler that is
    gone stays, because its turns name work that was done."""
    gone = {"next_at": None, "tried_at": None, "looked_at": None, "trouble": ""}
    conn.execute(holding.delete().where(holding.c.command.not_in(list(commands))))
    conn.execute(inventory.update().where(inventory.c.command.not_in(list(commands))).values(**gone))
    alarms.forget(conn, commands)
    for command in commands:
        new = insert(conn, inventory).values(command=command, next_at=now)
        conn.execute(new.on_conflict_do_update(index_elements=["command"], set_={"next_at": now}))


def wish(conn: sa.Connection, command: str, now: float) -> None:
    """Look soon: something has changed. Nothing for a command without an inventory."""
    soon = sa.case((inventory.c.tried_at + APART > now, inventory.c.tried_at + APART), else_=now)
    later = sa.or_(inventory.c.next_at.is_(None), inventory.c.next_at > soon)
    conn.execute(inventory.update().where(inventory.c.command == command, later).values(next_at=soon))


def tick(shop: Workshop) -> None:
    """Enqueue the looks that are due, each once over all replicas."""
    idle = inventory.c.turn == inventory.c.looked_turn, inventory.c.command.in_(list(shop.handlers))
    with reading(shop.store) as conn:
        due = list(conn.execute(sa.select(inventory).where(inventory.c.next_at <= shop.clock(), *idle)))
    for row in due:
        with writing(shop.store) as conn:
            _put(conn, shop, row)


def _put(conn: sa.Connection, shop: Workshop, row: Any) -> None:
    same = inventory.c.command == row.command, inventory.c.turn == row.turn, inventory.c.looked_turn == row.turn
    values = {"turn": row.turn + 1, "put_at": shop.clock(), "next_at": None}
    if conn.execute(inventory.update().where(*same).values(**values)).rowcount == 1:
        shop.queues.put(conn, "inventory", row.command, turn=row.turn + 1)


def heal(shop: Workshop) -> None:
    """Looks that were enqueued long ago and will not come are enqueued anew."""
    lost = inventory.c.turn > inventory.c.looked_turn, inventory.c.put_at + LOST_AFTER <= shop.clock()
    with reading(shop.store) as conn:
        rows = list(conn.execute(sa.select(inventory).where(*lost)))
    for row in rows:
        if shop.queues.state("inventory", row.command, row.turn) == "waiting":
            continue
        mine = inventory.c.command == row.command, inventory.c.looked_turn < row.turn
        with writing(shop.store) as conn:
            conn.execute(inventory.update().where(*mine).values(looked_turn=row.turn, next_at=shop.clock()))


# --- the work "inventory" -----------------------------------------------------------------------------------


def look(shop: Workshop, command: str, _keep: Checkpoint) -> None:
    """Look once, if a look is wanted."""
    row = shop.read(lambda conn: conn.execute(sa.select(inventory).where(inventory.c.command == command)).first())
    if row is None or row.looked_turn >= row.turn:
        return
    found: tuple[Credential, ...] | Failed
    try:
        less_patient = replace(shop, patience=replace(shop.patience, attempts=min(ATTEMPTS, shop.patience.attempts)))
        found = less_patient.patiently(lambda: _look(shop, command))
    except Exception as error:  # whatever a handler raises is told in our words
        found = failure(error, "inventory", f"Looking at what /{command} looks after")
    shop.write(lambda conn: _store(conn, shop, command, row.turn, found))


def _look(shop: Workshop, command: str) -> tuple[Credential, ...]:
    """What the handler sees; of two with one name the one that is more urgent."""
    handler = shop.handlers.get(command)
    if handler is None or handler.inventory is None:
        return ()
    if shop.stopping.is_set():
        raise Halt
    assert shop.read_tools is not None, "only a process with tools looks"
    found = handler.inventory(shop.handler_settings[command], shop.read_tools)
    if not all(isinstance(one, Credential) for one in found):
        raise TypeError("an inventory is of credentials")
    seen = [_read_back(one) for one in found]
    return tuple({one.name: one for one in sorted(seen, key=urgency, reverse=True)}.values())


def _read_back(one: Credential) -> Credential:
    """As a store gives it back: here, so that what cannot be stored is the handler's failure."""
    named = one.model_copy(update={"name": visible(one.name, 200) or "?"})
    return Credential.model_validate_json(named.model_dump_json())


def _store(
    conn: sa.Connection, shop: Workshop, command: str, turn: int, found: tuple[Credential, ...] | Failed
) -> None:
    """What came of this turn, once."""
    row = conn.execute(sa.select(inventory).where(inventory.c.command == command).with_for_update()).first()
    if row is None or row.looked_turn >= turn:
        return
    now = shop.clock()
    regular = now + shop.settings.inventory.every_minutes * 60
    wished = regular if row.next_at is None else max(row.next_at, now + APART)
    values: dict[str, Any] = {"looked_turn": turn, "tried_at": now, "next_at": min(wished, regular), "trouble": ""}
    if isinstance(found, Failed):
        values["trouble"] = f"{found.trouble.what} {found.trouble.now}".strip()[:TOLD]
    else:
        values["looked_at"] = now
        _replace(conn, command, found, now)
        in_hand = early.fire(conn, shop, command, found)
        alarms.tell(conn, shop, command, turn, found, in_hand)
    conn.execute(inventory.update().where(inventory.c.command == command).values(**values))


def _replace(conn: sa.Connection, command: str, found: tuple[Credential, ...], now: float) -> None:
    conn.execute(holding.delete().where(holding.c.command == command))
    rows = [
        {"command": command, "name": one.name, "credential": one.model_dump(mode="json"),
         "urgency": URGENCY.index(one.state), "expires_at": one.expires_at, "looked_at": now}
        for one in found
    ]  # fmt: skip
    if rows:
        conn.execute(holding.insert(), rows)


# --- how it is seen -----------------------------------------------------------------------------------------


def urgency(one: Credential) -> tuple[int, float, str]:
    """Sorts by who is needed first: what is not fresh, then what expires soonest."""
    return URGENCY.index(one.state), float("inf") if one.expires_at is None else one.expires_at, one.name


def views(conn: sa.Connection, limit: int | None = None) -> tuple[Holding, ...]:
    """All that is held, those that need somebody first. A command whose looks have never worked is in it too, as one
    credential of which nothing is known."""
    troubles = {row.command: row for row in conn.execute(sa.select(inventory).where(inventory.c.trouble != ""))}
    ordered = sa.select(holding).order_by(holding.c.urgency, holding.c.expires_at.is_(None), holding.c.expires_at,
                                          holding.c.command, holding.c.name)  # fmt: skip
    rows = conn.execute(ordered.limit(limit)).all()
    seen = [
        Holding(command=row.command, credential=Credential.model_validate(row.credential), looked_at=row.looked_at,
                trouble=troubles[row.command].trouble if row.command in troubles else "")
        for row in rows
    ]  # fmt: skip
    blind = [_unseen(row) for command, row in troubles.items() if not _any(conn, command)]
    return tuple(sorted([*seen, *blind], key=lambda one: urgency(one.credential)))[:limit]


def _any(conn: sa.Connection, command: str) -> bool:
    return conn.execute(sa.select(holding.c.name).where(holding.c.command == command).limit(1)).first() is not None


def _unseen(row: Any) -> Holding:
    told = row.trouble if len(row.trouble) <= 300 else f"{row.trouble[:299]}…"
    nothing = Credential(name=row.command, state="unknown", told=told)
    return Holding(command=row.command, credential=nothing, looked_at=row.tried_at, trouble=row.trouble)


def age(conn: sa.Connection, now: float) -> float:
    """Seconds since the last look that worked, of the command looked at longest ago; 0 if there is nothing to see."""
    watched = sa.or_(inventory.c.looked_at.is_not(None), inventory.c.tried_at.is_not(None))
    oldest = conn.execute(sa.select(sa.func.min(sa.func.coalesce(inventory.c.looked_at, 0.0))).where(watched)).scalar()
    return 0.0 if oldest is None else now - oldest
