"""Incidents with several replicas on a real PostgreSQL: one story, whoever hears of it, in whatever order."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet

from bot.core.alert import Alert, Notice
from bot.core.errors import Transient
from bot.core.handler import HandlerSettings
from bot.core.incident import IncidentState
from bot.engine import audit, desk
from bot.engine.ticker import Ticker
from bot.settings import parse
from tests.waiting import until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture
def desks(world: Any, database: str, tmp_path: Path) -> Iterator[list[desk.Submitting]]:
    """Four replicas' desks on one store, without executors."""
    settings, key = parse(world.document(tmp_path, database), "world"), Fernet.generate_key()
    made = [
        desk.submit_only(settings, {}, {}, world.Friends(), cipher=Fernet(key), alert_handlers={"alarm": world.ALARM})
        for _ in range(4)
    ]
    yield made
    for one in made:
        one.stop()


def heard(one: desk.Submitting, notice: Notice) -> tuple[str, ...]:
    """As a sender does it: again, when a busy machine lets the store miss its two seconds."""
    deadline = time.monotonic() + 120
    while True:
        try:
            return one.desk.notice(notice)
        except Transient:
            assert time.monotonic() < deadline


def together(calls: list[Callable[[], Any]]) -> list[Any]:
    """What the calls gave, each in a thread of its own, all begun at one moment."""
    start, results = threading.Barrier(len(calls)), [None] * len(calls)

    def one(n: int) -> None:
        start.wait()
        results[n] = calls[n]()

    threads = [threading.Thread(target=one, args=(n,)) for n in range(len(calls))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert None not in results, "a call has failed"
    return results


def test_replicas_that_hear_the_same_at_once(world: Any, desks: list[desk.Submitting]) -> None:
    """The same notice, and others of the same story: one incident, each alert once, one look to come."""
    shared = world.alarm("firing")
    own = [world.alarm("firing", f"h{n}") for n in range(4)]
    calls = [lambda d=d: heard(d, shared) for d in desks]
    calls += [lambda d=d, n=n: heard(d, n) for d, n in zip(desks, own, strict=True)]
    assert len(set(together(calls))) == 1
    (view,) = desks[0].desk.incidents()
    assert (view.firing, view.notices) == (5, 5)
    assert audit.verify(desks[0].store).ok
    assert [entry.what for entry in desks[0].desk.audit()] == ["incident_opened"]


def test_a_storm_over_four_replicas(world: Any, desks: list[desk.Submitting]) -> None:
    """Shuffled, every notice to two replicas: the last state is right, and nothing waits crosswise."""
    starts = {f"h{n}": world.alarm("firing", f"h{n}") for n in range(60)}
    ends = [world.alarm("resolved", f"h{n}") for n in range(0, 60, 2)]
    every = [*starts.values(), *ends] * 2
    random.Random(5).shuffle(every)

    def hear(n: int) -> bool:
        for one in every[n::4]:
            assert heard(desks[n], one)
        return True

    together([lambda n=n: hear(n) for n in range(4)])
    (view,) = desks[0].desk.incidents()
    assert (view.firing, view.resolved, view.notices) == (30, 30, 90)


def test_several_stories_in_one_notice(world: Any, desks: list[desk.Submitting]) -> None:
    """Notices that belong to the same incidents, named in opposite order, do not block each other."""
    handlers = {f"alarm{n}": world.AlertHandler(f"alarm{n}", "", HandlerSettings, ((world.Matcher(label="n", equal=str(n)),),),
                                                world.diagnose) for n in range(4)}  # fmt: skip
    for one in desks:
        one.desk._shop = one._shop = type(one._shop)(**{**vars(one._shop), "alert_handlers": handlers})
    alerts = [Alert(identity=f"a{n}", status="firing", labels={"n": str(n)}, starts_at=1.0) for n in range(4)]

    def hear(n: int) -> bool:
        for turn in range(10):
            mixed = random.Random(n * 100 + turn).sample(alerts, 4)
            assert len(heard(desks[n], Notice(key=f"{n}-{turn}", origin="grafana", alerts=tuple(mixed)))) == 4
        return True

    together([lambda n=n: hear(n) for n in range(4)])
    assert [view.notices for view in desks[0].desk.incidents()] == [40] * 4
    assert audit.verify(desks[0].store).ok


def test_tickers_and_people_at_once(world: Any, desks: list[desk.Submitting]) -> None:
    """Four tickers that see a due look put one; ten presses of one button are one."""
    (id,) = desks[0].desk.notice(world.alarm("firing"))
    outcomes = together([lambda d=d: d.desk.incident_action("k", id, "U1", "take") for d in desks])
    assert len({outcome.told for outcome in outcomes}) == 1
    together([lambda d=d: Ticker(d._shop).tick() or True for d in desks])
    closed = together(
        [lambda d=d, n=n: d.desk.incident_action(f"c{n}", id, "U1", "close") for n, d in enumerate(desks)]
    )
    assert sum(outcome.accepted for outcome in closed) == 1
    assert [e.what for e in desks[0].desk.audit(run=id)] == ["incident_opened", "incident_taken", "incident_closed"]


def test_labels_that_postgresql_does_not_like(world: Any, desks: list[desk.Submitting]) -> None:
    """Zero bytes are kept where they harm nobody."""
    labels = {"alertname": "alarm", "x": "\x00", "\x00": "y"}
    odd = Alert(identity="\x00", status="firing", labels=labels, annotations={"s": "\x00"}, starts_at=1.0)
    (id,) = desks[0].desk.notice(Notice(key="\x00", origin="grafana", group="\x00", alerts=(odd,), link="\x00"))
    assert desks[0].desk.incident(id).alerts == (odd,)  # type: ignore[union-attr]  # it is there


def test_the_whole_story_on_postgresql(world: Any, database: str, tmp_path: Path) -> None:
    """Looked into, quiet, closed, by a real executor and ticker."""
    running = desk.start(
        parse(world.document(tmp_path, database), "world"), {}, {}, world.tools(), world.tools(), world.Friends(),
        world.Board(tmp_path / "slack"), cipher=Fernet(Fernet.generate_key()), alert_handlers={"alarm": world.ALARM},
        alert_settings={"alarm": HandlerSettings()},
    )  # fmt: skip
    try:
        (id,) = running.desk.notice(world.alarm("firing"))
        until(lambda: running.desk.incident(id).diagnosis)  # type: ignore[union-attr]  # it is there
        running.desk.notice(world.alarm("resolved"))
        until(lambda: running.desk.incident(id).state == IncidentState.CLOSED)  # type: ignore[union-attr]  # likewise
        assert running.desk.incident(id).diagnosis.verdict == "silent"  # type: ignore[union-attr]  # likewise
        until((tmp_path / "slack" / f"{id}_chart-1").exists)
    finally:
        running.stop()
