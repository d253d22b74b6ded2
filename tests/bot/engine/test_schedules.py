"""Schedules: every tick once, at a time that all replicas agree on, and rows that follow the settings."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from bot.core.desk import ScheduleView
from bot.core.errors import Refused
from bot.engine import schedules, store
from bot.settings import Schedule, Settings, Standing

NOW = 1_000_000_000.0  # not a multiple of an hour


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[sa.Engine]:
    engine = made(tmp_path)
    yield engine
    engine.dispose()


def made(folder: Path) -> sa.Engine:
    engine = store.connect(Settings(data_dir=folder))
    with store.writing(engine) as conn:
        store.metadata.create_all(conn, tables=[schedules.schedule])
    return engine


def hourly(**more: Any) -> Schedule:
    return Schedule(command="check", every_minutes=60, **more)


def sync(engine: sa.Engine, now: float, **wanted: Schedule) -> None:
    with store.writing(engine) as conn:
        schedules.sync(conn, wanted, now)


def due(engine: sa.Engine, now: float) -> tuple[schedules.Due, ...]:
    with store.reading(engine) as conn:
        return schedules.due(conn, now)


def fire(engine: sa.Engine, one: schedules.Due, now: float, run: str | None = None) -> bool:
    with store.writing(engine) as conn:
        return schedules.fire(conn, one, now, run=run)


def views(engine: sa.Engine, **standings: Standing) -> tuple[ScheduleView, ...]:
    with store.reading(engine) as conn:
        return schedules.views(conn, standings, NOW)


def next_at(engine: sa.Engine) -> float:
    return views(engine)[0].next_at


def test_a_schedule_fires_at_the_full_hour_and_not_before(engine: sa.Engine) -> None:
    """An hourly schedule is due at the next multiple of an hour, whenever the bot was started."""
    sync(engine, NOW, a=hourly(ask={"only": "x"}, channel="C1"))
    tick = (NOW // 3600 + 1) * 3600
    assert due(engine, tick - 0.001) == ()
    (one,) = due(engine, tick)
    assert (one.name, one.command, one.ask, one.channel, one.tick) == ("a", "check", {"only": "x"}, "C1", tick)
    assert one.key == f"schedule-a-{tick:.3f}"


def test_a_tick_is_taken_once(engine: sa.Engine) -> None:
    """Of eight callers at once with the same due tick exactly one is told to make the request."""
    sync(engine, NOW, a=hourly())
    (one,) = due(engine, NOW + 3600)
    won: list[bool] = []
    threads = [threading.Thread(target=lambda: won.append(fire(engine, one, NOW + 3600))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(won) == [False] * 7 + [True]
    assert due(engine, NOW + 3600) == ()


def test_a_rolled_back_tick_is_due_again(engine: sa.Engine) -> None:
    """If the request's transaction fails, the tick is not lost."""
    sync(engine, NOW, a=hourly())
    (one,) = due(engine, NOW + 3600)
    with store.writing(engine) as conn:
        assert schedules.fire(conn, one, NOW + 3600)
        conn.rollback()
    assert due(engine, NOW + 3600) == (one,)


def test_missed_ticks_are_not_made_up_for_one_by_one(engine: sa.Engine) -> None:
    """After ten hours of standstill one firing sets the next full hour, not the nine in between."""
    sync(engine, NOW, a=hourly())
    late = NOW + 36_000
    (one,) = due(engine, late)
    assert fire(engine, one, late)
    assert next_at(engine) == (late // 3600 + 1) * 3600


@pytest.mark.parametrize(("catch_up", "fires"), [(True, 1), (False, 0)])
def test_a_tick_missed_while_no_bot_ran(engine: sa.Engine, catch_up: bool, fires: int) -> None:
    """At start a missed tick fires once if the schedule catches up, and waits for the next tick if it does not."""
    sync(engine, NOW, a=hourly(catch_up=catch_up))
    sync(engine, NOW + 36_000, a=hourly(catch_up=catch_up))
    assert len(due(engine, NOW + 36_000)) == fires


def test_a_replica_that_starts_at_the_tick_does_not_swallow_it(engine: sa.Engine) -> None:
    """A tick that is only seconds late when another replica starts is due, not missed."""
    sync(engine, NOW, a=hourly())
    tick = next_at(engine)
    sync(engine, tick + 5, a=hourly())
    assert [one.tick for one in due(engine, tick + 5)] == [tick]


def test_rows_follow_the_settings(engine: sa.Engine) -> None:
    """New parameters keep the next time, a new interval sets a new one, and what is gone from the settings is gone."""
    sync(engine, NOW, a=hourly(), b=hourly())
    before = next_at(engine)
    sync(engine, NOW + 1, a=hourly(ask={"n": 1}))
    assert [(v.name, v.text, v.next_at) for v in views(engine)] == [("a", "n=1", before)]
    sync(engine, NOW + 2, a=Schedule(command="check", every_minutes=24 * 60))
    assert [(v.every, v.next_at % 86_400) for v in views(engine)] == [(86_400, 0)]


def test_a_stale_tick_does_not_fire_after_the_settings_changed(engine: sa.Engine) -> None:
    """What was read as due before the interval changed is not taken any more."""
    sync(engine, NOW, a=hourly())
    (one,) = due(engine, NOW + 3600)
    sync(engine, NOW + 3600, a=Schedule(command="check", every_minutes=7))
    assert not fire(engine, one, NOW + 3600)


def test_views_tell_the_last_run_and_the_standing_approval(engine: sa.Engine) -> None:
    """A view has what fired last, when, and which standing approval covers it, shown as a person would type it."""
    sync(engine, NOW, a=hourly(ask={"only": "my token", "dry": True}))
    (one,) = due(engine, NOW + 3600)
    fire(engine, one, NOW + 3601, run="r-abc")
    owned = Standing(owner="U1", command="check", ask={"dry": True, "only": "my token"}, until="2030-01-01")
    (view,) = views(engine, nightly=owned)
    assert (view.last_run, view.last_at, view.standing) == ("r-abc", NOW + 3601, "nightly")
    assert sorted(view.text.split(" ", 1)) == ["dry=true", 'only="my token"'] or view.text == 'dry=true only="my token"'


def test_many_values_are_shown_as_they_are_typed(engine: sa.Engine) -> None:
    """A list in the settings is shown as people type it, with commas."""
    sync(engine, NOW, a=hourly(ask={"env": ["dev", "test"]}))
    assert [view.text for view in views(engine)] == ["env=dev,test"]


def test_a_parameter_that_is_no_json_is_refused_by_place(engine: sa.Engine) -> None:
    """YAML makes a date of an unquoted day; the error names the place and not the value."""
    with pytest.raises(Refused, match=r"schedules\.a\.ask"):
        sync(engine, NOW, a=hourly(ask={"day": date(2026, 1, 1)}))


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sa.Engine]:
    engine = made(tmp_path_factory.mktemp("schedules"))
    yield engine
    engine.dispose()


@examples(max_examples=examples.default.max_examples * 3 // 5, deadline=None)
@given(
    every=st.integers(1, 10_000), jitter=st.integers(0, 20_000), start=st.integers(0, 2_000_000_000),
    steps=st.lists(st.floats(0, 3), min_size=1, max_size=8), name=st.text(st.characters(codec="utf-8"), min_size=1, max_size=8),
)  # fmt: skip
def test_ticks_only_go_forward(
    shared: sa.Engine, every: int, jitter: int, start: int, steps: list[float], name: str
) -> None:
    """Whatever the interval, the jitter and the ticker's delays: each firing stands for a later tick than the one
    before, none fires before its tick nor an interval after it, and the settings alone never move a next time."""
    wanted = {name: Schedule(command="check", every_minutes=every, jitter_minutes=jitter, catch_up=True)}
    now, last = float(start), -1.0
    with store.writing(shared) as conn:
        schedules.sync(conn, {}, now)
        for step in steps:
            schedules.sync(conn, wanted, now)
            schedules.sync(conn, wanted, now)
            (view,) = schedules.views(conn, {}, now)
            now = max(now, view.next_at) + step * every * 60
            (one,) = schedules.due(conn, now)
            assert one.next_at == view.next_at
            assert last < one.tick <= one.next_at < one.tick + every * 60 + 0.001
            assert schedules.fire(conn, one, now)
            assert not schedules.due(conn, now)
            last = one.tick
