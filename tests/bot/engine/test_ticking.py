"""Ticking the steps of an answer's checklist."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa

from bot.core.checklist import RunbookStep
from bot.core.handler import Ask, Handler, HandlerSettings
from bot.core.intake import Request
from bot.core.people import Group
from bot.core.plan import Answer
from bot.core.view import State
from bot.engine import audit, planning, retention, store, tables
from bot.settings import Command

STEPS = (RunbookStep(name="item-1", text="Look"), RunbookStep(name="item-2", text="Act"))


def walk(ask: Ask, settings: HandlerSettings, tools: Any) -> Answer:
    return Answer(command="walk", title="A runbook", checklist=STEPS)


@pytest.fixture
def walked(bench: Any) -> str:
    """The id of a run whose answer has a checklist."""
    bench.shop.handlers["walk"] = Handler("walk", "Walk", Ask, HandlerSettings, walk)
    bench.shop.handler_settings["walk"] = HandlerSettings()
    id = bench.desk.ask(Request(key="walk", command="walk", asker="U1", channel="C1"))
    planning.plan(bench.shop, id, lambda _name, call: call())
    assert bench.see(id).state is State.ANSWERED
    return str(id)


def ticked(bench: Any, id: str) -> list[tuple[str, str]]:
    return [(tick.step, tick.user) for tick in bench.see(id).ticks]


def test_a_step_is_ticked_once(bench: Any, walked: str) -> None:
    """By the first who does it; told with the next revision, kept in the audit; a repeat changes nothing."""
    before = bench.see(walked).revision
    first = bench.desk.tick("k1", walked, "item-2", "U2")
    assert (first.accepted, first.told, first.run) == (True, "Ticked.", walked)
    assert bench.desk.tick("k1", walked, "item-2", "U2") == first
    assert bench.desk.tick("k2", walked, "item-2", "U3").told == "It was ticked already."
    assert ticked(bench, walked) == [("item-2", "U2")]
    assert bench.see(walked).ticks[0].at == bench.now
    assert bench.see(walked).revision == before + 1
    assert bench.audited().count("step_ticked") == 1


def test_only_who_ticked_takes_it_back(bench: Any, walked: str) -> None:
    """And a repeat of the tick that comes after that does not tick again."""
    bench.desk.tick("k1", walked, "item-1", "U1")
    refused = bench.desk.tick("k2", walked, "item-1", "U2", done=False)
    assert (refused.accepted, ticked(bench, walked)) == (False, [("item-1", "U1")])
    assert bench.desk.tick("k3", walked, "item-1", "U1", done=False).accepted
    assert bench.desk.tick("k1", walked, "item-1", "U1").accepted
    assert ticked(bench, walked) == []
    assert bench.desk.tick("k4", walked, "item-1", "U2").accepted
    assert ticked(bench, walked) == [("item-1", "U2")]
    assert audit.verify(bench.shop.store).ok


def test_what_is_no_step_is_refused(bench: Any, walked: str) -> None:
    """Another run, a step that is not there, a run without a checklist: refused and audited, nothing stored."""
    plan = bench.proposal("plan")
    cases = (("r-nothing", "item-1"), (walked, "item-9\x00"), (plan.id, "item-1"))
    for n, (run, step) in enumerate(cases):
        assert not bench.desk.tick(f"k{n}", run, step, "U1").accepted
        assert bench.audited()[-1] == "refused_action"
    with store.reading(bench.shop.store) as conn:
        assert conn.execute(sa.select(tables.run_tick)).first() is None


def test_who_may_not_ask_may_not_tick(bench: Any, walked: str) -> None:
    """The command's rule counts for the work on its answer too."""
    bench.shop.settings.groups["few"] = Group(users=("U1",))
    bench.shop.settings.commands["walk"] = Command(ask=("few",))
    assert "may not ask" in bench.desk.tick("k1", walked, "item-1", "U2").told
    assert bench.desk.tick("k2", walked, "item-1", "U1").accepted
    assert ticked(bench, walked) == [("item-1", "U1")]


def test_ticks_go_with_their_run(bench: Any, walked: str) -> None:
    """Once it is forgotten, nothing of it stays but the audit."""
    bench.desk.tick("k1", walked, "item-1", "U1")
    bench.now += (bench.shop.settings.store.keep_days + 1) * 86400
    assert retention.forget(bench.shop) == 1
    with store.reading(bench.shop.store) as conn:
        for table in (tables.run_tick, tables.run_action):
            assert conn.execute(sa.select(table)).first() is None
