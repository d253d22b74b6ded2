"""Several replicas on a real PostgreSQL: one form, one sign-in, one question, one message of alarms."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from typing import Any

import pytest

from bot.core.inventory import Credential
from bot.core.secret import Secret
from bot.engine import audit, inventory, messages, signing_in, tables

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]


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


@pytest.fixture
def replicas(benches: Any, canary: Any, make_wanting: Any) -> Any:
    """Four replicas whose answers want secrets, with one Vault and one realm."""
    first, *others = benches(4)
    wanting = make_wanting(first, canary)
    for bench in others:
        wanting.join(bench)
    return wanting, [first, *others]


def test_a_form_that_comes_to_all_of_them_asks_once(replicas: Any) -> None:
    """Slack sends it again to whichever is there."""
    wanting, benches = replicas
    run, token = wanting.answered(), wanting.canary("token")
    hand_in = [lambda b=b: b.desk.hand_in("press", run, "token", "U1", Secret(token)) for b in benches]
    outcomes = together(hand_in)
    assert {(one.accepted, one.run) for one in outcomes} == {(True, outcomes[0].run)}
    assert len(wanting.bench.desk.runs()) == 2
    assert audit.verify(wanting.bench.shop.store).ok


def test_one_person_who_presses_everywhere_gets_one_invitation(replicas: Any) -> None:
    """And four who ask about it when it is due ask once, so that what follows is asked for once."""
    wanting, benches = replicas
    run = wanting.answered()
    outcomes = together([lambda n=n, b=b: b.desk.sign_in(f"p{n}", run, "sign-in", "U1") for n, b in enumerate(benches)])
    assert len({one.invited for one in outcomes}) == 1
    wanting.gate.answer = Secret(wanting.canary("token"))
    for bench in benches:
        bench.now += 5
    together([lambda b=b: signing_in.tick(b.shop) for b in benches])
    assert len(wanting.gate.asked) == 1
    assert len(wanting.bench.see(run).handed_in) == 1
    assert len(wanting.bench.desk.runs()) == 2


def test_a_press_that_comes_between_a_look_and_its_writing_wins(replicas: Any) -> None:
    """The other press finds it when it would write its own, and shows the same link."""
    wanting, (late, quick, *_) = replicas
    run, quicker = wanting.answered(), []

    def clock() -> float:
        if sys._getframe(1).f_code.co_name == "_begun" and not quicker:  # looked already, and writes next
            quicker.append(quick.desk.sign_in("p1", run, "sign-in", "U1"))
        return float(late.now)

    object.__setattr__(late.shop, "clock", clock)
    found = late.desk.sign_in("p0", run, "sign-in", "U1")
    assert [one.invited for one in quicker] == [found.invited]
    assert found.invited is not None


def test_one_message_of_alarms(benches: Any) -> None:
    """However many take up the same look."""
    replicas = benches(4)
    rings = (Credential(name="a", state="due", alarm="48h"),)
    for each in replicas:
        each.with_handler(inventory=lambda settings, tools: rings)
    shop = replicas[0].shop
    shop.write(lambda conn: inventory.sync(conn, ["world"], replicas[0].now))
    inventory.tick(shop)
    together([lambda each=each: inventory.look(each.shop, "world", lambda _, call: call()) for each in replicas])
    alarms = shop.read(lambda conn: conn.execute(tables.alarm.select()).all())
    told = shop.read(lambda conn: conn.execute(messages.message.select()).all())
    assert ([row.word for row in alarms], len(told)) == (["48h"], 1)
