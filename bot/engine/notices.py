"""From a notice to incidents, in one transaction: its alerts are stored, each incident is found, opened or opened
again, and its next look is wished for.

Of one alert (by its identity) only what is known last is kept: a resolved one is newer than its own start, so that
late and repeated deliveries end in the same state. Transactions on one incident wait for each other on its row.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from bot.core.alert import Alert, Notice
from bot.core.incident import IncidentState
from bot.core.ports import Place
from bot.engine import audit, home, incidents, matching, outbox, watching
from bot.engine.runs import hashed
from bot.engine.tables import incident, incident_alert
from bot.engine.tables import notice as notice_table
from bot.engine.upsert import insert
from bot.engine.workshop import Workshop

REOPEN = 600.0  # seconds after its end in which an incident is opened again and not doubled
REPEAT = 3600.0  # seconds after which the same notice is no delivery of the same again, but says that it is still so
OLDEST = 7 * 86400.0  # seconds before now that the start of an alert is believed
DAY = 86400.0
NAMED = 500  # identities in one statement: databases limit that
SAID = 20  # alerts of a notice whose words may tell where it belongs
UNHANDLED = 5  # names of unhandled alerts that one notice may tell


@dataclass(frozen=True)
class Group:
    """What of a notice belongs to one incident: these alerts, none for a posted text."""

    notice: Notice
    handler: str
    key: str
    alerts: Sequence[Alert]

    @property
    def told(self) -> bool:
        """By a message in a channel, and not by a webhook."""
        return self.notice.origin == "channel"

    @property
    def identities(self) -> list[str]:
        """Of some of them, as they are kept."""
        return [identity(alert, self.told) for alert in self.alerts[:NAMED]]


@dataclass(frozen=True)
class Touched:
    """An incident that a notice belongs to; `what` is for the audit, if anything happened to the incident itself."""

    id: str
    what: str | None
    facts: dict[str, Any]


def take(conn: sa.Connection, shop: Workshop, notice: Notice) -> tuple[str, ...]:
    """Store the notice; the ids of its incidents. IntegrityError when another transaction stores the same or opens
    the same incident at this moment: then call it again."""
    key, now = hashed(notice.key), shop.clock()
    known = conn.execute(sa.select(notice_table).where(notice_table.c.key == key).with_for_update()).first()
    if known is not None and now - known.seen_at < REPEAT:
        return tuple(known.incidents)
    found = matching.sort(shop.alert_handlers, notice)
    groups = sorted(found.groups.items())  # always in this order: two transactions never wait for each other crosswise
    touched = [_attach(conn, shop, Group(notice, handler, of, alerts)) for (handler, of), alerts in groups]
    ids = tuple(dict.fromkeys(one.id for one in touched))
    if known is None:
        conn.execute(notice_table.insert().values(key=key, seen_at=now, origin=notice.origin, incidents=list(ids),
                                                  unhandled=len(found.unhandled)))  # fmt: skip
    else:
        conn.execute(notice_table.update().where(notice_table.c.key == key).values(seen_at=now, incidents=list(ids)))
    _tell_unhandled(conn, shop, notice, found.unhandled)
    for one in touched:  # last, because all who write wait for the audit's head
        if one.what:
            audit.append(conn, who=notice.origin, what=one.what, run=one.id, facts=one.facts, at=now)
    return ids


def _attach(conn: sa.Connection, shop: Workshop, group: Group) -> Touched:
    """Put the alerts into their incident, which is found, opened again, or opened."""
    row, what = _home(conn, shop, group)
    news = _merge(conn, row.id, group, shop.clock()) or not group.alerts
    values = _after(conn, shop, row, group, news=news) | _place(conn, shop, row, group)
    incidents.change(conn, shop, row.id, values)
    _point_here(conn, shop, row, group.notice, values, turned=what is not None or "state" in values)
    if what == "incident_reopened":
        incidents.note(conn, shop, row.id, "reopened", "It is back: this incident is open again.")
    if row.state != IncidentState.CLOSED:
        _look(conn, shop, row, state=values.get("state", row.state), news=news)
    facts = {"handler": row.handler, "key": row.key, "alerts": len(group.alerts), "group": group.notice.group}
    return Touched(row.id, what, facts)


# --- which incident ---------------------------------------------------------------------------------------------


def _home(conn: sa.Connection, shop: Workshop, group: Group) -> tuple[Any, str | None]:
    """The incident's row, locked, and what happened to it. It is a closed one if the alerts say nothing new of it."""
    if (row := _open_one(conn, group)) is not None:
        return row, None
    last = _last(conn, group)
    if last is not None and _old_news(conn, shop, last, group):
        return last, None
    if last is not None and shop.clock() - last.closed_at < REOPEN:
        return _reopen(conn, shop, last), "incident_reopened"
    return incidents.insert(conn, shop, group.handler, group.key, group.notice.key), "incident_opened"


def _open_one(conn: sa.Connection, group: Group) -> Any | None:
    if group.key:
        return home.of_key(conn, group.handler, group.key)
    said = "\n".join([group.notice.text, *(matching.words(alert, group.notice) for alert in group.alerts[:SAID])])
    return home.without_key(conn, group.handler, group.identities, said)


def _last(conn: sa.Connection, group: Group) -> Any | None:
    """The newest incident that these alerts were of, or would be."""
    of_key = incidents.lock(conn, incident.c.handler == group.handler, incident.c.key == group.key)
    return of_key if of_key is not None or group.key else home.knowing(conn, group.handler, group.identities)


def _reopen(conn: sa.Connection, shop: Workshop, row: Any) -> Any:
    now = shop.clock()
    values = {
        "state": IncidentState.OPEN, "live": incidents.live(row.handler, row.key), "closed_at": None, "closed_by": None,
        "close_at": None, "hand_over_at": now + incidents.rule(shop, row.handler).longest,
    }  # fmt: skip
    return conn.execute(incident.update().where(incident.c.id == row.id).values(**values).returning(incident)).one()


def _old_news(conn: sa.Connection, shop: Workshop, row: Any, group: Group) -> bool:
    """Does all of it belong to a story that has ended: ends of alerts that were in it, late deliveries, repeats of what
    was firing when it was closed? Repeats count again after an hour; after a person closed it, much later."""
    if not group.alerts:
        return False
    known = _known(conn, row.id, group)
    silent = incidents.rule(shop, row.handler).longest if row.closed_by else REPEAT
    lately = shop.clock() - row.closed_at < silent
    return all(_is_old(known.get(identity(alert, group.told)), alert, lately) for alert in group.alerts)


def _is_old(known: Any | None, alert: Alert, lately: bool) -> bool:
    if known is None:
        return False
    if alert.status == "resolved":
        return True
    if alert.starts_at > known.starts_at and alert.starts_at >= known.at:
        return False
    return lately or bool(known.status == "resolved")


# --- its alerts -------------------------------------------------------------------------------------------------


def identity(alert: Alert, told: bool) -> str:
    """An alert's identity as it is kept: what a channel tells of an alert is not mixed with what a webhook says."""
    return hashed(f"{'told' if told else 'sent'} {alert.identity}")[:32]


def standing(alert: Alert, now: float) -> tuple[float, float, bool]:
    """The order in which things happened to one alert: when, in which occurrence, and an end after its start."""
    ended = alert.status == "resolved"
    at = max(alert.starts_at, min(alert.ends_at or alert.starts_at, now)) if ended else alert.starts_at
    return at, alert.starts_at, ended


def _known(conn: sa.Connection, id: str, group: Group) -> dict[str, Any]:
    """identity -> what is stored of it, without the alert itself."""
    columns = [c for c in incident_alert.c if c.name != "alert"]
    every = sorted({identity(alert, group.told) for alert in group.alerts})
    found: dict[str, Any] = {}
    for at in range(0, len(every), NAMED):
        part = incident_alert.c.identity.in_(every[at : at + NAMED])
        rows = conn.execute(sa.select(*columns).where(incident_alert.c.incident == id, part))
        found |= {row.identity: row for row in rows}
    return found


def _merge(conn: sa.Connection, id: str, group: Group, now: float) -> bool:
    """Store what is newer than what is known. Is there an alert among it that has begun to fire?"""
    before = _known(conn, id, group)
    last = {one: (row.at, row.starts_at, row.status == "resolved") for one, row in before.items()}
    newer: dict[str, dict[str, Any]] = {}
    fires = False
    for alert in group.alerts:
        one, place = identity(alert, group.told), standing(alert, now)
        if one not in last or place > last[one]:
            last[one] = place
            newer[one] = {
                "incident": id, "identity": one, "told": group.told, "status": alert.status, "at": place[0],
                "starts_at": alert.starts_at, "alert": alert.model_dump(mode="json"),
            }  # fmt: skip
            fires = fires or alert.status == "firing"
    _store(conn, list(newer.values()))
    return fires


def _store(conn: sa.Connection, rows: list[dict[str, Any]]) -> None:
    if rows:
        new = insert(conn, incident_alert)
        columns = {name: new.excluded[name] for name in ("status", "at", "starts_at", "alert")}
        conn.execute(new.on_conflict_do_update(index_elements=["incident", "identity"], set_=columns), rows)


def _counts(conn: sa.Connection, id: str) -> dict[str, int]:
    """How many fire and how many are resolved. What webhooks sent is exact; what a channel told counts without it."""
    told, status = incident_alert.c.told, incident_alert.c.status
    query = sa.select(told, status, sa.func.count()).where(incident_alert.c.incident == id).group_by(told, status)
    rows = conn.execute(query).all()
    exact = any(not of_channel for of_channel, _, _ in rows)
    counts = {kind: count for of_channel, kind, count in rows if of_channel != exact}
    return {"firing": counts.get("firing", 0), "resolved": counts.get("resolved", 0)}


# --- what follows -------------------------------------------------------------------------------------------------


def _after(conn: sa.Connection, shop: Workshop, row: Any, group: Group, *, news: bool) -> dict[str, Any]:
    """The incident's columns once these alerts are stored."""
    notice, alerts = group.notice, group.alerts
    now, counts = shop.clock(), _counts(conn, row.id)
    starts = [alert.starts_at for alert in alerts if alert.starts_at > now - OLDEST]
    values: dict[str, Any] = {
        "notices": row.notices + 1, "truncated": max(row.truncated, notice.truncated),
        "began": min([row.began, *starts]), **counts,
    }  # fmt: skip
    if not alerts and notice.text:
        values["text"] = matching.visible(notice.text, matching.TEXT_LIMIT)
    was = IncidentState(row.state)
    if was is IncidentState.CLOSED:
        return values
    found, rule = incidents.diagnosis(row.diagnosis), incidents.rule(shop, row.handler)
    state = watching.after_notice(was, news=news, mood=found.mood if found else None, **counts)
    if state is IncidentState.HANDED_OVER:  # not over yet
        values["close_at"] = now + rule.longest
    return values | watching.deadlines(was, state, rule, now)


def _place(conn: sa.Connection, shop: Workshop, row: Any, group: Group) -> dict[str, Any]:
    """Where the incident is told: in the thread of the first message about it, if there is one in time, else in the
    handler's channel."""
    channel, ts = group.notice.channel, group.notice.ts
    untold = row.thread is None and channel and ts
    if untold and (row.channel is None or outbox.move(conn, run=row.id, channel=str(channel), thread=ts)):
        return {"channel": channel, "thread": ts}
    if row.channel is None:
        route = shop.settings.alerts.handlers.get(group.handler)
        return {"channel": (route.channel if route else None) or shop.settings.slack.channel}
    return {}


def _point_here(
    conn: sa.Connection, shop: Workshop, row: Any, notice: Notice, values: dict[str, Any], *, turned: bool
) -> None:
    """Say under a message about an incident that is told elsewhere where to look: under each with which it has
    `turned` (it is over, it is back), of the rest at most once an hour."""
    place, now = (values.get("channel", row.channel), values.get("thread", row.thread)), shop.clock()
    if notice.channel and notice.ts and place != (notice.channel, notice.ts):
        name = notice.ts if turned else int(now // REPEAT)
        text = f"This belongs to incident {row.id}, which is told in another thread."
        outbox.note(conn, run=row.id, name=f"elsewhere-{name}", text=text, mention=(), due=now,
                    at=Place(channel=notice.channel, thread=notice.ts))  # fmt: skip


def _look(conn: sa.Connection, shop: Workshop, row: Any, *, state: IncidentState, news: bool) -> None:
    """Wish for a look soon: the first at once, then at most one in a few seconds, however many notices come in."""
    if not news and state is row.state:
        return
    at = max(shop.clock(), (row.looked_at or 0.0) + watching.APART)
    sooner = sa.or_(incident.c.next_look_at.is_(None), incident.c.next_look_at > at)
    conn.execute(incident.update().where(incident.c.id == row.id, sooner).values(next_look_at=at))
    if at <= shop.clock():
        watching.put(conn, shop, row.id)


def _tell_unhandled(conn: sa.Connection, shop: Workshop, notice: Notice, names: list[str]) -> None:
    """If the settings want it: say once a day for each name that nobody answers this, and what to do about it."""
    place = Place(channel=notice.channel, thread=notice.ts) if notice.channel else None
    if place is None and shop.settings.slack.channel:
        place = Place(channel=shop.settings.slack.channel)
    if place is None or not shop.settings.alerts.tell_unhandled:
        return
    now = shop.clock()
    for name in sorted({name for name in names if name})[:UNHANDLED]:
        text = (
            f"No handler answers the alert {matching.visible(name, 100)}. To add one: write an AlertHandler whose "
            "matchers fit its labels, and list it in ALERT_HANDLERS (see docs on writing a handler)."
        )
        outbox.note(conn, run="unhandled", name=f"{int(now // DAY)}-{place.channel}-{hashed(name)[:16]}", text=text,
                    mention=(), due=now, at=place)  # fmt: skip
