"""What was approved is what runs: when the world, the store or the code moved on, a new plan is made instead."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa

from bot.core.view import State
from bot.engine import messages, tables


def test_a_premise_that_does_not_hold_makes_a_new_plan(bench: Any) -> None:
    """Nothing is changed; the new run names the old one, asks for the same, and needs its own approval. Who asked, and
    who approved and was told that it starts, hears of that."""
    view = bench.proposal()
    bench.decide(view)
    (bench.folder / "storm").touch()
    old = bench.apply(view.id)
    assert old.state == State.SUPERSEDED
    assert "the world is calm" in old.trouble.what
    assert bench.lines() == []
    query = sa.select(messages.message.c.note).where(messages.message.c.note.is_not(None))
    (note,) = bench.shop.read(lambda conn: list(conn.execute(query).scalars()))
    assert f"Run {old.superseded_by} looks anew" in note["text"]
    assert note["mention"] == ["U1", "U2"]
    new = bench.plan(old.superseded_by)
    assert (new.state, new.supersedes, new.source, new.asker) == (State.PROPOSED, old.id, "drift", "U1")
    assert bench.apply(old.id) == old
    assert len(bench.desk.runs()) == 2


def test_a_premise_nobody_can_check_stops_before_anything(bench: Any) -> None:
    """Neither a drift nor a failed change: say so."""
    view = bench.proposal()
    bench.decide(view)
    bench.mood("holds", "calm", "refused")
    view = bench.apply(view.id)
    assert view.state == State.STOPPED
    assert "Nothing was changed" in view.trouble.now
    assert bench.lines() == []


def test_a_step_that_drifts_before_any_change_makes_a_new_plan(bench: Any) -> None:
    """As a premise would."""
    bench.mood("do", "a", "drifted")
    view = bench.carried_out(stages=[["a"], ["b"]])
    assert view.state == State.SUPERSEDED
    assert bench.see(view.superseded_by).supersedes == view.id


def test_a_step_that_drifts_after_a_change_is_a_failure(bench: Any) -> None:
    """What was done is put back first, and people decide what comes next."""
    bench.mood("do", "b", "drifted")
    view = bench.carried_out(stages=[["a"], ["b"]])
    assert view.state == State.UNDONE
    assert bench.lines() == []


def test_a_plan_changed_in_the_store_does_not_run(bench: Any) -> None:
    """What was approved is what runs: the digest is taken again over what is stored."""
    view = bench.proposal()
    bench.decide(view)
    document = view.plan.model_dump(mode="json")
    document["stages"][0]["steps"][0]["name"] = "evil"
    bench.shop.write(lambda conn: conn.execute(tables.run.update().values(plan=document)))
    assert bench.apply(view.id).state == State.SUPERSEDED
    assert bench.lines() == []


def test_a_deploy_while_waiting_changes_nothing(bench: Any, world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """New code plans otherwise and its steps have a new field: the approved steps run, under the approved digest."""
    view = bench.proposal(stages=[["a"]])

    class Write(world.Write):  # type: ignore[misc,name-defined]
        colour: str = "blue"

    def plan(ask: Any, settings: Any, tools: Any) -> Any:
        return world.plan(ask.model_copy(update={"stages": [["other"]]}), settings, tools)

    handlers = {
        "world": world.Handler("world", "v2", world.WorldAsk, world.HandlerSettings, plan, (Write,), (world.Calm,))
    }
    object.__setattr__(bench.shop, "handlers", handlers)
    assert bench.decide(view).accepted
    assert bench.apply(view.id).state == State.DONE
    assert bench.lines() == [["a", view.id]]


def test_a_kind_of_step_that_is_gone_makes_a_new_plan(bench: Any, world: Any) -> None:
    """The code that could run it was removed while it waited: nothing half-understood runs."""
    view = bench.proposal(stages=[["a!"]])
    bench.decide(view)
    gone = world.Handler(
        "world", "v2", world.WorldAsk, world.HandlerSettings, world.plan, (world.Write,), (world.Calm,)
    )
    object.__setattr__(bench.shop, "handlers", {"world": gone})
    assert bench.see(view.id).plan is None
    assert bench.see(view.id).steps[0].says == "write a"
    assert bench.apply(view.id).state == State.SUPERSEDED
    assert bench.lines() == []
