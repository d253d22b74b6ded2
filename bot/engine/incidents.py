"""Incidents as rows: how one is found, opened, changed and seen. Every change is in the caller's transaction, with
the wish to show it."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

import sqlalchemy as sa
from pydantic import ValidationError

from bot.core.alert import Alert
from bot.core.diagnosis import Diagnosis, Subject, Watching
from bot.core.incident import IncidentState, IncidentView, Tick
from bot.core.value import Value
from bot.core.view import Trouble
from bot.engine import outbox
from bot.engine.tables import incident, incident_alert, incident_tick, notice, run
from bot.engine.workshop import Workshop

SHOWN = 5  # alerts that a view has
SEEN = 100  # alerts that a handler gets to see
TOGETHER = 1.5  # seconds that an alert by webhook waits for the message about it in a channel, to answer there


def is_incident(owner: str) -> bool:
    """Is this the id of an incident (and not of a run)?"""
    return owner.startswith("i-")


def live(handler: str, key: str) -> str:
    """What an open incident holds, so that there is only one of its handler and key."""
    return json.dumps([handler, key])


def rule(shop: Workshop, handler: str) -> Watching:
    """How incidents of this handler are followed, also when there is no such handler any more."""
    own = shop.alert_handlers[handler].watching if handler in shop.alert_handlers else Watching()
    route = shop.settings.alerts.handlers.get(handler)
    return route.watching(own) if route else own


def lock(conn: sa.Connection, *which: sa.ColumnElement[bool]) -> Any | None:
    """The newest row of which this holds, kept from other writers until the transaction ends."""
    query = sa.select(incident).where(*which).order_by(incident.c.opened_at.desc()).limit(1)
    return conn.execute(query.with_for_update()).first()


def get(conn: sa.Connection, id: str) -> Any | None:
    return conn.execute(sa.select(incident).where(incident.c.id == id)).first()


def insert(conn: sa.Connection, shop: Workshop, handler: str, key: str, seed: str) -> Any:
    """Open an incident; its row. IntegrityError when another transaction opens one of this handler and key."""
    now = shop.clock()
    values = {
        "id": _free_id(conn, f"{handler}\n{key}\n{seed}\n{now}"), "handler": handler, "key": key,
        "live": live(handler, key), "state": IncidentState.OPEN, "revision": 1, "opened_at": now, "began": now,
        "hand_over_at": now + rule(shop, handler).longest,
    }  # fmt: skip
    return conn.execute(incident.insert().values(**values).returning(incident)).one()


def _free_id(conn: sa.Connection, seed: str) -> str:
    """ "i-" and 7 characters: short enough to read out on the telephone."""
    for again in range(1000):
        digest = hashlib.sha256(f"{seed}{'#' * again}".encode()).digest()
        id = "i-" + base64.b32encode(digest).decode().lower()[:7]
        if get(conn, id) is None:
            return id
    raise LookupError("a free id")


def change(
    conn: sa.Connection, shop: Workshop, id: str, values: dict[str, Any], *still: sa.ColumnElement[bool]
) -> bool:
    """Change the incident and show it, if all of `still` holds; else do nothing and return False."""
    new = values | {"revision": incident.c.revision + 1}
    if conn.execute(incident.update().where(incident.c.id == id, *still).values(**new)).rowcount != 1:
        return False
    show(conn, shop, id)
    return True


def show(conn: sa.Connection, shop: Workshop, id: str) -> None:
    """The incident's message should show it as it is now."""
    row = conn.execute(
        sa.select(incident.c.revision, incident.c.channel, incident.c.thread, incident.c.opened_at)
        .where(incident.c.id == id)
    ).one()  # fmt: skip
    if row.channel:
        wait = TOGETHER if row.thread is None and shop.settings.alerts.channels else 0.0
        due = max(shop.clock(), row.opened_at + wait)
        outbox.want(conn, run=id, revision=row.revision, channel=row.channel, thread=row.thread, due=due)


def note(conn: sa.Connection, shop: Workshop, id: str, name: str, text: str, *mention: str) -> None:
    """A line in the incident's thread, for these people, once for each of its revisions; nothing if it is shown
    nowhere."""
    row = conn.execute(sa.select(incident.c.channel, incident.c.revision).where(incident.c.id == id)).one()
    if row.channel:
        outbox.note(conn, run=id, name=f"{name}-{row.revision}", text=text, mention=mention, due=shop.clock())


def run_moved(conn: sa.Connection, shop: Workshop, id: str, *, ended: bool) -> None:
    """A run that the incident asked for began or ended: list it, and see what it has changed."""
    values = {"next_look_at": shop.clock()} if ended else {}
    change(conn, shop, id, values, incident.c.state != IncidentState.CLOSED)


def thread(conn: sa.Connection, id: str) -> tuple[str, str | None] | None:
    """(channel, ts of the message that starts the thread) of the incident; None if it is shown nowhere."""
    row = get(conn, id)
    if row is None or row.channel is None:
        return None
    head = outbox.place(conn, id)
    return row.channel, row.thread or (head[1] if head else None)


# --- how an incident is seen --------------------------------------------------------------------------------


def diagnosis(document: dict[str, Any] | None) -> Diagnosis | None:
    """The diagnosis of a stored document, None when the present code cannot read it any more."""
    try:
        return Diagnosis.model_validate(document) if document is not None else None
    except ValidationError:
        return None


def subject(conn: sa.Connection, row: Any) -> Subject:
    """What a handler is to look into."""
    alerts = _alerts(conn, row.id, SEEN, incident_alert.c.told, incident_alert.c.status, incident_alert.c.at.desc())
    return Subject(incident=row.id, key=row.key, alerts=alerts, text=row.text, began=row.began)


def view(conn: sa.Connection, id: str) -> IncidentView | None:
    row = get(conn, id)
    return _view(conn, row) if row is not None else None


def views(conn: sa.Connection, *, open_only: bool, limit: int) -> tuple[IncidentView, ...]:
    """Newest first."""
    query = sa.select(incident).order_by(incident.c.opened_at.desc(), incident.c.id).limit(limit)
    if open_only:
        query = query.where(incident.c.state != IncidentState.CLOSED)
    return tuple(_view(conn, row) for row in conn.execute(query).all())


def _view(conn: sa.Connection, row: Any) -> IncidentView:
    head = outbox.place(conn, row.id)
    return IncidentView(
        id=row.id, revision=row.revision, handler=row.handler, key=row.key, state=IncidentState(row.state),
        opened_at=row.opened_at, closed_at=row.closed_at, looked_at=row.looked_at, next_look_at=row.next_look_at,
        firing=row.firing, resolved=row.resolved, truncated=row.truncated, notices=row.notices,
        alerts=_alerts(conn, row.id, SHOWN, incident_alert.c.told, incident_alert.c.at.desc()),
        diagnosis=diagnosis(row.diagnosis),
        trouble=Trouble(what=row.trouble["what"], now=row.trouble["now"]) if row.trouble else None,
        ticks=_ticks(conn, row.id), owner=row.owner, runs=_runs(conn, row.id),
        channel=head[0] if head else row.channel, ts=head[1] if head else None,
    )  # fmt: skip


def _alerts(conn: sa.Connection, id: str, limit: int, *order: sa.ColumnElement[Any]) -> tuple[Alert, ...]:
    query = sa.select(incident_alert.c.alert).where(incident_alert.c.incident == id)
    documents = conn.execute(query.order_by(*order, incident_alert.c.identity).limit(limit)).scalars()
    return tuple(Alert.model_validate(document) for document in documents)


def _ticks(conn: sa.Connection, id: str) -> tuple[Tick, ...]:
    query = sa.select(incident_tick).where(incident_tick.c.incident == id).order_by(incident_tick.c.at)
    return tuple(Tick(step=row.step, user=row.user, at=row.at) for row in conn.execute(query))


def _runs(conn: sa.Connection, id: str) -> tuple[str, ...]:
    return tuple(conn.execute(sa.select(run.c.id).where(run.c.incident == id).order_by(run.c.asked_at)).scalars())


class Figures(Value):
    """For the metrics. `unhandled`: alerts that no handler answers, in the notices of the last days. `age`: seconds
    since the last look at the open incident that was not looked at for longest."""

    open: int
    unhandled: int
    age: float


def figures(conn: sa.Connection, now: float) -> Figures:
    watched = incident.c.state.in_([IncidentState.OPEN, IncidentState.QUIET])
    looked = sa.func.min(sa.func.coalesce(incident.c.looked_at, incident.c.opened_at))
    oldest = conn.execute(sa.select(looked).where(watched)).scalar()
    count = sa.select(sa.func.count()).select_from(incident).where(incident.c.state != IncidentState.CLOSED)
    unhandled = sa.select(sa.func.coalesce(sa.func.sum(notice.c.unhandled), 0))
    return Figures(
        open=conn.execute(count).scalar_one(), unhandled=conn.execute(unhandled).scalar_one(),
        age=0.0 if oldest is None else now - oldest,
    )  # fmt: skip
