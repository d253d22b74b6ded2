"""The outbox: Slack is a view, and each message of ours a row that says what it should show.

Whoever changes a run writes what is wanted, in the same transaction. A sender per replica brings Slack there: always
the latest rendering, renderings that were overtaken are skipped, and a message is posted once also across crashes.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import sqlalchemy as sa
import structlog

from bot.core.diagnosis import Chart
from bot.core.errors import Told, Transient
from bot.core.incident import IncidentView
from bot.core.ports import Messenger, Place
from bot.core.value import Value
from bot.core.view import NoteView, RunView, State, Trouble
from bot.engine import messages
from bot.engine.messages import CHART, HEAD, message
from bot.engine.store import reading, writing
from bot.engine.upsert import insert, insert_for

log = structlog.get_logger()
Shown = RunView | IncidentView | NoteView | Chart

PROGRESS_APART = 2.0  # seconds between two updates of one message while its run is being applied
STORY_APART = 3.0  # likewise of an incident's message, for a storm of alerts
HOURLY = 3600.0  # seconds until something that Slack refused is tried again
PATIENCE = 30.0  # seconds between two attempts, at most, while Slack is down
DOWN = 3  # failures in a row after which Slack counts as down and the sender rests
LOOK = 1.0  # seconds between two looks into the store: other processes write there too
BATCH = 20


class Undelivered(Value):
    """A message that Slack does not show as it should, and why. `slot` is "head", "chart" or "note-<name>"; `run` the
    id of a run or an incident."""

    run: str
    slot: str
    channel: str | None
    trouble: Trouble


def want(conn: sa.Connection, *, run: str, revision: int, channel: str, thread: str | None, due: float) -> None:
    """The run's head message should show at least this revision, from `due` (seconds since the epoch) on. Its place
    is decided by the first call."""
    values = {"run": run, "slot": HEAD, "channel": channel, "thread": thread, "wanted": revision, "due_at": due}
    conn.execute(_wanting(conn.dialect.name), values)


@cache
def _wanting(dialect: str) -> sa.Insert:
    new = insert_for(dialect, message)
    more = sa.case((new.excluded.wanted > message.c.wanted, new.excluded.wanted), else_=message.c.wanted)
    soon = sa.case(
        (message.c.shown >= new.excluded.wanted, message.c.due_at),
        (sa.and_(message.c.attempts > 0, message.c.due_at.is_not(None)), message.c.due_at),  # it waits for Slack
        (message.c.due_at <= new.excluded.due_at, message.c.due_at),
        else_=new.excluded.due_at,
    )
    return new.on_conflict_do_update(index_elements=["run", "slot"], set_={"wanted": more, "due_at": soon})


def note(
    conn: sa.Connection, *, run: str, name: str, text: str, mention: tuple[str, ...], due: float,
    at: Place | None = None, lines: tuple[str, ...] = (),
) -> None:  # fmt: skip
    """A line in the run's thread, and more `lines` under it, once per name however often this is called. It waits for
    the head message, unless it goes elsewhere (`at`)."""
    document = {"text": text, "mention": list(mention), "lines": list(lines)}
    values: dict[str, Any] = {"note": document, "wanted": 1, "due_at": due}
    values |= {"channel": at.channel, "thread": at.thread} if at else {}
    new = insert(conn, message).values(run=run, slot=f"note-{name}", **values)
    conn.execute(new.on_conflict_do_nothing(index_elements=["run", "slot"]))


def chart(conn: sa.Connection, *, run: str, document: dict[str, Any], due: float) -> None:
    """A picture in the thread. It waits for the head message; one that was not sent in time gives way to the next."""
    values: dict[str, Any] = {"note": document, "due_at": due, "attempts": 0}
    new = insert(conn, message).values(run=run, slot=CHART, wanted=1, **values)
    values["wanted"] = message.c.wanted + 1
    conn.execute(new.on_conflict_do_update(index_elements=["run", "slot"], set_=values))


def move(conn: sa.Connection, *, run: str, channel: str, thread: str | None) -> bool:
    """Let the run's head message go elsewhere; False if it is posted already, or just being posted."""
    waits = message.c.run == run, message.c.slot == HEAD, message.c.ts.is_(None), message.c.attempting.is_(None)
    new = {"channel": channel, "thread": thread, "turn": message.c.turn + 1}  # whoever has read the old place: too late
    return conn.execute(message.update().where(*waits).values(**new)).rowcount == 1


def place(conn: sa.Connection, run: str) -> tuple[str, str] | None:
    """(channel, ts) of the run's head message, None before it is posted."""
    head = sa.select(message.c.channel, message.c.ts).where(message.c.run == run, message.c.slot == HEAD)
    row = conn.execute(head.where(message.c.ts.is_not(None))).first()
    return (row.channel, row.ts) if row else None


def troubles(conn: sa.Connection, *, run: str | None = None, limit: int = 20) -> tuple[Undelivered, ...]:
    """What could not be delivered at the last attempt, newest first, to be told elsewhere than in Slack."""
    query = sa.select(message).where(message.c.trouble.is_not(None)).order_by(message.c.id.desc()).limit(limit)
    if run is not None:
        query = query.where(message.c.run == run)
    return tuple(
        Undelivered(run=row.run, slot=row.slot, channel=row.channel, trouble=Trouble(**row.trouble))
        for row in conn.execute(query)
    )


def lag(conn: sa.Connection, now: float) -> tuple[int, float]:
    """How many messages are overdue, and for how many seconds the oldest of them."""
    overdue = sa.select(sa.func.count(), sa.func.min(message.c.due_at)).where(message.c.due_at <= now)
    count, oldest = conn.execute(overdue).one()
    return count, now - oldest if count else 0.0


def forget(conn: sa.Connection, runs: Sequence[str]) -> None:
    """Remove the rows of runs that are no longer listed; their messages stay in Slack."""
    conn.execute(message.delete().where(message.c.run.in_(runs)))


class Sender:
    """Brings Slack to what the rows say. One per replica; several at once share the work and Slack's limits.

    `view_of` gives the view of a run or an incident as it is now, if there is one. `lease`: seconds, longer than any
    call of the messenger takes. `settle`: seconds after an attempt of unknown outcome until it is looked for.
    """

    def __init__(
        self, engine: sa.Engine, messenger: Messenger, view_of: Callable[[str], RunView | IncidentView | None],
        clock: Callable[[], float], *, lease: float = 45.0, settle: float = 5.0,
    ) -> None:  # fmt: skip
        self._engine, self._messenger, self._view_of, self._clock = engine, messenger, view_of, clock
        self._lease, self._settle = lease, settle
        self._failures, self._rests_until = 0, 0.0
        self._fresh = self._shared = engine.dialect.name != "sqlite"  # if not, older leases are a dead one's

    def run(self, stop: threading.Event, wake: threading.Event | None = None) -> None:
        """Send until `stop` is set; looks again when `wake` is set, when something is due, and every second."""
        wake = wake or threading.Event()
        while not stop.is_set():
            wake.clear()
            try:
                pause = self._round()
            except Exception as error:  # the thread must outlive a store that is away, and our own mistakes
                log.warning("outbox_stumbled", error=type(error).__name__)
                pause, self._fresh = None, self._shared  # what it had claimed, nobody gives back
            wake.wait(LOOK if pause is None else min(pause, LOOK))

    def send_due(self) -> float | None:
        """Send what is due. Returns the seconds until something is due again, None if nothing waits. Transient when
        the store does not answer."""
        while (pause := self._round()) == 0:
            pass
        return pause

    def _round(self) -> float | None:
        """Send a batch; the seconds until there may be more, 0 if there may be more at once."""
        self._take_over()
        with reading(self._engine) as conn:
            rows = messages.queue(conn, BATCH, self._settle)
        if not rows:
            return None
        now = self._clock()
        if (pause := max(rows[0].ready_at, self._rests_until) - now) > 0:
            return float(pause)
        for row in rows:
            if row.ready_at <= now and self._rests_until <= now:
                self._send(row)
        return 0.0

    def _take_over(self) -> None:
        if not self._fresh:
            with writing(self._engine) as conn:
                messages.unlease(conn)
            self._fresh = True

    def _send(self, row: Any) -> None:
        """One row: look at what it should show, claim it, make one call, write down what came of it."""
        try:
            view = self._view(row)
        except Transient:
            raise  # the store is away
        except Exception as error:
            self._failed(row, row.turn, _unknown(error), later=_backoff(row.attempts))
            return
        if view is None:
            self._settled(row, row.turn, due_at=None)
        elif self._clock() < (free := _not_before(row, view)):
            self._settled(row, row.turn, due_at=free)
        elif (turn := self._claimed(row)) is not None:
            self._attempt(row, turn, view)

    def _view(self, row: Any) -> Shown | None:
        if row.slot == HEAD:
            return self._view_of(row.run)
        if row.slot == CHART:
            return Chart.model_validate(row.note)
        return NoteView(run=row.run, **row.note)

    def _claimed(self, row: Any) -> int | None:
        now = self._clock()
        with writing(self._engine) as conn:
            if row.method == "post" and not messages.take_slot(conn, row.place_channel, "post", now, messages.APART):
                return None
            return messages.claim(conn, row, now, self._lease)

    def _attempt(self, row: Any, turn: int, view: Shown) -> None:
        try:
            values = self._call(row, view)
        except Transient as told:
            self._unanswered(row, turn, told)
        except Told as told:
            sure = {} if row.method == "find" else {"attempting": None}  # it was answered: nothing was posted
            self._failed(row, turn, told, later=HOURLY, **sure)
        except Exception as error:
            self._failed(row, turn, _unknown(error), later=_backoff(row.attempts))
        else:
            self._failures = 0
            settled = self._settled(row, turn, **values)
            if row.method == "update" and (row.attempts or not settled):  # an earlier one may be carried out only now
                self._doubted(row, self._settle if settled else 0.0)

    def _call(self, row: Any, view: Shown) -> dict[str, Any]:
        """The one call this row needs next, and what the row says after it."""
        place, key = Place(channel=row.place_channel, thread=row.place_thread), f"{row.run}/{row.slot}"
        if isinstance(view, Chart):
            return self._draw(row, place, view, f"{key}-{row.wanted}")
        revision = row.wanted if isinstance(view, NoteView) else max(view.revision, row.wanted)
        if row.method == "update":
            self._messenger.update(place, row.ts, view)
            return messages.shows(revision) | {"sent_at": self._clock()}
        if row.method == "post":
            ts = self._messenger.post(place, view, key)
            return messages.shows(revision) | {"sent_at": self._clock(), "ts": ts}
        found = self._messenger.find(place, key)
        if found is None:
            return {"attempting": None}
        if row.slot == HEAD:  # which revision it shows is not known: the next turn updates it
            return {"ts": found, "attempting": None, "attempts": 0}
        return messages.shows(revision) | {"ts": found}

    def _draw(self, row: Any, place: Place, chart: Chart, key: str) -> dict[str, Any]:
        """Each picture is a message of its own: the row keeps no ts."""
        if row.method == "find" and self._messenger.find(place, key) is None:
            return {"attempting": None}
        if row.method != "find":
            self._messenger.upload(place, chart, key)
        return messages.shows(row.wanted) | {"sent_at": self._clock()}

    def _unanswered(self, row: Any, turn: int, told: Transient) -> None:
        """Slack was busy (it said for how long) or did not answer, and then nobody knows what it did."""
        if told.after is None:
            self._failures += 1
            if self._failures >= DOWN:
                self._rests_until = self._clock() + _backoff(self._failures - DOWN)
            self._failed(row, turn, told, later=_backoff(row.attempts))
            return
        until = self._clock() + min(max(told.after, messages.APART), HOURLY)
        with writing(self._engine) as conn:
            messages.hold_back(conn, row.place_channel, row.method, until)
        self._settled(row, turn, **({"attempting": None} if row.method == "post" else {}))

    def _failed(self, row: Any, turn: int, told: Told, *, later: float, **values: Any) -> None:
        log.warning("message_not_sent", run=row.run, slot=row.slot, method=row.method, what=told.what)
        trouble = {"what": told.what, "now": told.now}
        due = self._clock() + later
        self._settled(row, turn, attempts=row.attempts + 1, due_at=due, trouble=trouble, **values)

    def _settled(self, row: Any, turn: int, **values: Any) -> bool:
        with writing(self._engine) as conn:
            if row.method == "post" and "ts" in values:  # Slack counts from the arrival, which is at most this late
                messages.hold_back(conn, row.place_channel, "post", self._clock() + messages.APART)
            return messages.settle(conn, row.id, turn, **values)

    def _doubted(self, row: Any, later: float) -> None:
        with writing(self._engine) as conn:
            messages.doubt(conn, row.id, self._clock() + later)


def _not_before(row: Any, view: Shown) -> float:
    """Progress is shown every two seconds, an incident's every three; other news, and the first verdict, at once."""
    sent, update = float(row.sent_at or 0.0), row.method == "update"
    if update and isinstance(view, IncidentView):
        first = sent <= (view.looked_at or 0.0) and sent < view.opened_at + STORY_APART  # looks are further apart
        return 0.0 if first else sent + STORY_APART
    return sent + PROGRESS_APART if update and isinstance(view, RunView) and view.state is State.APPLYING else 0.0


def _backoff(attempts: int) -> float:
    """Seconds: about 2, 4, 8, … up to PATIENCE, each shortened by chance so that replicas do not march in step."""
    return min(PATIENCE, 2.0 ** min(attempts + 1, 10)) * random.uniform(0.5, 1)  # noqa: S311 - no secret hangs on it


def _unknown(error: Exception) -> Told:
    return Told(f"The message could not be made or sent ({type(error).__name__}).", "Look into the bot's log.")
