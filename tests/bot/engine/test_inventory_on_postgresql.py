"""Several replicas on a real PostgreSQL: one look, one early firing, one retry, and many steps at once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from bot.core.inventory import Credential
from bot.core.view import State
from bot.engine import audit, inventory, schedules, tables
from bot.engine.ticker import Ticker
from bot.settings import Schedule

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

GONE = Credential(name="dev/a", state="missing", told="It is not there.")


def together(calls: list[Callable[[], Any]]) -> list[Any]:
    """What each of several threads returned that begin at one instant."""
    results: list[Any] = []
    start = threading.Barrier(len(calls))

    def one(call: Callable[[], Any]) -> None:
        start.wait()
        results.append(call())

    threads = [threading.Thread(target=one, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == len(calls), "a thread has failed"
    return results


def test_one_look_and_one_early_firing_over_all_replicas(benches: Any) -> None:
    """Four tickers enqueue one look; four that work on it store one result and ask once."""
    replicas = benches(4)
    plans = {
        "ecr": Schedule(command="world", ask={"folder": str(replicas[0].folder)}, every_minutes=300, catch_up=True)
    }
    for each in replicas:
        each.with_handler(inventory=lambda settings, tools: (GONE,))
        object.__setattr__(each.shop, "settings", each.shop.settings.model_copy(update={"schedules": plans}))
    shop = replicas[0].shop

    def start(each: Any) -> None:
        each.shop.write(lambda conn: schedules.sync(conn, plans, each.now))
        each.shop.write(lambda conn: inventory.sync(conn, ["world"], each.now))

    together([lambda each=each: start(each) for each in replicas])
    together([Ticker(each.shop).tick for each in replicas])
    row = shop.read(lambda conn: conn.execute(tables.inventory.select()).one())
    assert (row.turn, row.looked_turn) == (1, 0)
    assert shop.queues.state("inventory", "world") == "waiting"
    together([lambda each=each: inventory.look(each.shop, "world", lambda _, call: call()) for each in replicas])
    assert [one.credential for one in replicas[1].desk.inventory()] == [GONE]
    assert [run.asker for run in replicas[2].desk.runs()] == ["schedule:ecr"]
    assert replicas[3].audited().count("fired_early") == 1
    assert audit.verify(shop.store).ok


def test_two_people_over_two_replicas_get_one_new_run(benches: Any) -> None:
    """And one person whose press came twice."""
    replicas = benches(2)
    replicas[0].mood("do", "b", "refused")
    old = replicas[0].carried_out(stages=[["a", "b"]], on_failure="go_on")
    presses = [(each, f"key-{n % 3}", f"U{n % 3}") for n in range(6) for each in replicas]
    outcomes = together([lambda p=p: p[0].desk.ask_again(p[1], old.id, p[2]) for p in presses])
    assert {(outcome.accepted, outcome.run) for outcome in outcomes} == {(True, outcomes[0].run)}
    assert len(replicas[1].desk.runs()) == 2
    assert replicas[0].audited().count("asked_again") == 1


def test_many_steps_at_once_that_tell_how_far_they_are(benches: Any) -> None:
    """Each step once, and every record of them in an unbroken audit; the pool of connections is not the limit."""
    (replica,) = benches(1)
    names = [f"s{n}" for n in range(150)]
    view = replica.carried_out(stages=[names], on_failure="go_on")
    assert view.state == State.DONE
    assert sorted(name for name, _ in replica.lines()) == sorted(names)
    assert not any(step.progress for step in view.steps)
    assert view.report is not None
    assert audit.verify(replica.shop.store).ok
