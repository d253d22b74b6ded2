"""A schedule fires between its ticks when a credential would not last until the next one: once, and not in vain."""

from __future__ import annotations

from typing import Any

import pytest

from bot.core.inventory import Credential
from bot.core.view import State
from bot.engine import audit, early, schedules
from bot.engine.early import AHEAD, APART, cannot_wait
from bot.engine.ticker import Ticker
from bot.settings import Schedule, Standing

NOW, TICK = 1_000_000.0, 1_008_000.0  # the bench's time, and the next multiple of five hours


def credential(state: Any, ends: float | None = None, name: str = "dev/a") -> Credential:
    return Credential(name=name, state=state, expires_at=ends)


@pytest.mark.parametrize(
    ("state", "ends", "cannot"),
    [
        ("expired", NOW - 1, True),
        ("missing", None, True),
        ("due", TICK - 1, True),
        ("due", TICK + AHEAD - 1, True),
        ("due", TICK + AHEAD, False),
        ("due", None, False),
        ("fresh", TICK - 1, False),  # not due yet: its handler would do nothing
        ("fresh", NOW + APART, True),
        ("fresh", NOW - 1, True),
        ("fresh", None, False),
        ("unknown", None, False),
        ("degraded", None, False),
        ("degraded", NOW + 60, True),
    ],
)
def test_what_cannot_wait(state: Any, ends: float | None, cannot: bool) -> None:
    """What has ended or is not there, what is due and ends before the next tick has done its work, what ends soon."""
    assert cannot_wait(credential(state, ends), TICK, NOW) is cannot


class Clockwork:
    """A bench with a five-hourly schedule of /world, under a standing approval."""

    def __init__(self, bench: Any, *, catch_up: bool = True, **ask: Any) -> None:
        self.bench = bench
        document = {"folder": str(bench.folder)} | ask
        plans = {"ecr": Schedule(command="world", ask=document, every_minutes=300, catch_up=catch_up, channel="C7")}
        standing = Standing(owner="U5", command="world", ask=document, until="2030-01-01")
        parts = {"schedules": plans, "standing": {"s": standing}}
        object.__setattr__(bench.shop, "settings", bench.shop.settings.model_copy(update=parts))
        bench.shop.write(lambda conn: schedules.sync(conn, plans, bench.now))

    def look(self, *found: Credential) -> int:
        """A look found these; how many runs there are now."""
        self.bench.shop.write(lambda conn: early.fire(conn, self.bench.shop, "world", found))
        return len(self.bench.desk.runs())

    @property
    def view(self) -> Any:
        (view,) = self.bench.desk.schedules()
        return view

    def last(self) -> Any:
        """The newest run of all, worked off."""
        run = self.bench.desk.schedules()[0].last_run
        view = self.bench.plan(run)
        return self.bench.apply(run) if view.state == State.APPROVED else view


def test_it_fires_at_once_and_its_tick_stays(bench: Any) -> None:
    """As the schedule would: the same parameters, place and standing approval."""
    clock = Clockwork(bench)
    assert clock.view.next_at == TICK
    assert clock.look(credential("due", TICK - 1)) == 1
    view = clock.last()
    assert (view.asker, view.source, view.channel, view.state) == ("schedule:ecr", "schedule", "C7", State.DONE)
    assert (clock.view.next_at, clock.view.last_at, clock.view.last_run) == (TICK, NOW, view.id)
    (entry,) = [e for e in bench.desk.audit(limit=50) if e.what == "fired_early"]
    assert entry.facts == {"schedule": "ecr", "count": 1, "for": ["dev/a"]}
    assert audit.verify(bench.shop.store).ok
    bench.now = TICK + 1
    Ticker(bench.shop).tick()
    assert len(bench.desk.runs()) == 2


@pytest.mark.parametrize(
    ("found", "runs"),
    [((), 0), ((credential("fresh", TICK * 2),), 0), ((credential("fresh"), credential("missing", name="b")), 1)],
)
def test_it_fires_only_when_something_cannot_wait(bench: Any, found: tuple[Credential, ...], runs: int) -> None:
    """One of them is enough."""
    assert Clockwork(bench).look(*found) == runs


def test_a_schedule_that_does_not_catch_up_keeps_its_ticks(bench: Any) -> None:
    """It is for those who say so."""
    assert Clockwork(bench, catch_up=False).look(credential("expired", 1.0)) == 0


def test_a_schedule_of_another_command_is_not_meant(bench: Any) -> None:
    """A look of /world says nothing about others."""
    clock = Clockwork(bench)
    bench.shop.write(lambda conn: early.fire(conn, bench.shop, "other", [credential("missing")]))
    assert bench.desk.runs() == ()
    assert clock.view.last_run is None


def test_a_tick_that_is_due_needs_nobody(bench: Any) -> None:
    """It fires by itself in this second."""
    clock = Clockwork(bench)
    bench.now = TICK
    assert clock.look(credential("missing")) == 0


def test_not_while_its_last_run_is_under_way(bench: Any) -> None:
    """Also hours later, when nobody approves it."""
    clock = Clockwork(bench)
    clock.look(credential("missing"))
    bench.now += APART * 1.5
    assert clock.look(credential("missing")) == 1


def test_one_that_fails_is_tried_hourly(bench: Any) -> None:
    """Not at every look."""
    clock = Clockwork(bench)
    bench.mood("do", "a", "refused")
    clock.look(credential("missing"))
    assert clock.last().state == State.UNDONE
    bench.now += APART - 1
    assert clock.look(credential("missing")) == 1
    bench.now += 1
    assert clock.look(credential("missing")) == 2


def test_what_it_does_not_look_after_is_not_tried_again(bench: Any) -> None:
    """An early run that found nothing to do is not repeated for the same credentials, but for others."""
    clock = Clockwork(bench, stages=[])
    clock.look(credential("missing"))
    assert clock.last().state == State.ANSWERED
    bench.now += APART
    assert clock.look(credential("missing")) == 1
    assert clock.look(credential("missing"), credential("expired", name="prod/b")) == 2


def test_a_look_that_is_rolled_back_fires_nothing(bench: Any) -> None:
    """The request and the schedule's row are one transaction with the look's result."""
    clock = Clockwork(bench)

    def change(conn: Any) -> None:
        early.fire(conn, bench.shop, "world", [credential("missing")])
        conn.rollback()

    bench.shop.write(change)
    assert bench.desk.runs() == ()
    assert clock.view.last_run is None
    assert clock.look(credential("missing")) == 1


def test_another_replica_that_was_faster_is_enough(bench: Any) -> None:
    """The row moved since it was read: nothing is asked for."""
    clock = Clockwork(bench)
    row = bench.shop.read(lambda conn: conn.execute(schedules.schedule.select()).one())
    clock.look(credential("missing"))
    clock.last()
    bench.now += APART
    bench.shop.write(lambda conn: early._fire(conn, bench.shop, row, ["dev/a"]))
    assert len(bench.desk.runs()) == 1
