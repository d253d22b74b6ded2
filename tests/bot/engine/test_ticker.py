"""The clock: expiry, reminder, schedules, standing approvals, healing, removing backups, forgetting."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from bot.core.view import State
from bot.engine import audit, messages, retention, retiring, runs, schedules, tables
from bot.engine.ticker import HEAL_AFTER, Ticker
from bot.settings import Schedule, Standing


def settings(bench: Any, **parts: Any) -> None:
    object.__setattr__(bench.shop, "settings", bench.shop.settings.model_copy(update=parts))


def notes(bench: Any) -> list[tuple[str, list[str]]]:
    query = (
        sa.select(messages.message.c.note).where(messages.message.c.note.is_not(None)).order_by(messages.message.c.id)
    )
    return [(n["text"], n["mention"]) for n in bench.shop.read(lambda conn: list(conn.execute(query).scalars()))]


def test_a_proposal_expires_unchanged(bench: Any) -> None:
    """In words, with an audit entry, and only after its time."""
    view, clock = bench.proposal(), Ticker(bench.shop)
    bench.now += 3599
    clock.tick()
    assert bench.see(view.id).state == State.PROPOSED
    bench.now += 2
    clock.tick()
    after = bench.see(view.id)
    assert after.state == State.EXPIRED
    assert after.trouble.what == "Nobody decided in time."
    assert bench.audited().count("expired") == 1
    assert bench.lines() == []


def test_at_half_time_people_are_reminded_once(bench: Any) -> None:
    """The group to escalate to is mentioned, and told how much time is left."""
    command = bench.shop.settings.commands["world"].model_copy(update={"escalate_to": "keepers"})
    settings(bench, commands={"world": command})
    bench.proposal()
    clock = Ticker(bench.shop)
    bench.now += 1801
    clock.tick()
    clock.tick()
    assert notes(bench) == [
        ("This plan still waits for someone in keepers or devs. It expires in 30 minutes, unchanged.", ["S1", "U2"])
    ]


def test_an_approved_plan_neither_expires_nor_reminds(bench: Any) -> None:
    """Its time is over when it was decided."""
    view = bench.proposal()
    bench.decide(view)
    bench.now += 7200
    Ticker(bench.shop).tick()
    assert bench.see(view.id).state == State.APPROVED
    assert notes(bench) == []


def scheduled(bench: Any, **standing: Any) -> None:
    ask = {"folder": str(bench.folder)}
    settings(
        bench,
        schedules={"nightly": Schedule(command="world", ask=ask, every_minutes=60, channel="C7")},
        standing={"calm nights": Standing(owner="U5", command="world", ask=ask, until="2030-01-01", **standing)}
        if standing.pop("stands", True)
        else {},
    )
    bench.shop.write(lambda conn: schedules.sync(conn, bench.shop.settings.schedules, bench.now))


def test_a_schedule_asks_once_per_tick(bench: Any) -> None:
    """However many tickers there are: with a key that names the tick."""
    scheduled(bench, stands=False)
    bench.now += 3601
    for clock in (Ticker(bench.shop), Ticker(bench.shop)):
        clock.tick()
    (view,) = bench.desk.runs()
    assert (view.asker, view.source, view.channel) == ("schedule:nightly", "schedule", "C7")
    assert bench.plan(view.id).state == State.PROPOSED
    assert bench.desk.schedules()[0].last_run == view.id
    bench.now += 3600
    Ticker(bench.shop).tick()
    assert len(bench.desk.runs()) == 2


def test_a_standing_approval_lets_exactly_that_act(bench: Any) -> None:
    """The owner is shown and audited; the work is enqueued."""
    scheduled(bench)
    bench.now += 3601
    Ticker(bench.shop).tick()
    view = bench.plan(bench.desk.runs()[0].id)
    assert (view.state, view.standing, view.decisions[0].user) == (State.APPROVED, "calm nights", "U5")
    approved = next(e for e in bench.desk.audit(limit=99) if e.what == "approved")
    assert approved.who == "U5"
    assert approved.facts["standing"] == "calm nights"
    assert bench.apply(view.id).state == State.DONE


def test_a_standing_approval_is_for_schedules(bench: Any) -> None:
    """A person who asks for the same still needs somebody's click, and so does the new plan after a drift."""
    scheduled(bench)
    assert bench.proposal().state == State.PROPOSED
    bench.now += 3601
    Ticker(bench.shop).tick()
    view = next(bench.plan(v.id) for v in bench.desk.runs() if v.source == "schedule")
    (bench.folder / "storm").touch()
    assert bench.plan(bench.apply(view.id).superseded_by).state == State.PROPOSED


def test_a_schedule_of_an_unknown_command_harms_nobody(bench: Any) -> None:
    """It is audited, its next tick is set, and the other schedules fire."""
    scheduled(bench, stands=False)
    both = bench.shop.settings.schedules | {"ghost": Schedule(command="ghost", every_minutes=60)}
    settings(bench, schedules=both)
    bench.shop.write(lambda conn: schedules.sync(conn, both, bench.now))
    bench.now += 3601
    Ticker(bench.shop).tick()
    assert [v.command for v in bench.desk.runs()] == ["world"]
    assert "refused_ask" in bench.audited()


def test_work_that_is_missing_is_enqueued_again(bench: Any) -> None:
    """As after a crash between a row and its work, or a store that was restored from a backup."""
    view = bench.proposal()
    bench.decide(view)
    bench.shop.queues._client.delete_workflow(f"apply-{view.id}")
    Ticker(bench.shop).tick()
    assert bench.shop.queues.state("apply", view.id) is None
    bench.now += HEAL_AFTER + 1
    Ticker(bench.shop).tick()
    assert bench.shop.queues.state("apply", view.id) == "waiting"


@pytest.mark.parametrize("step", ["asked", "approved", "applying"])
def test_work_that_is_lost_closes_its_run(bench: Any, step: str) -> None:
    """Nothing is stuck for ever, and the words say what is known."""
    from bot.engine import applying

    view = bench.see(bench.ask()) if step == "asked" else bench.proposal()
    if step != "asked":
        bench.decide(view)
    if step == "applying":
        applying.begin(bench.shop, view.id)
    bench.shop.queues._client.cancel_workflow(f"{'plan' if step == 'asked' else 'apply'}-{view.id}")
    bench.now += HEAL_AFTER + 1
    Ticker(bench.shop).tick()
    after = bench.see(view.id)
    assert after.state == (State.REFUSED if step == "asked" else State.STOPPED)
    assert "The bot itself failed" in after.trouble.what


def test_backups_go_when_the_run_is_verified_and_its_time_has_passed(bench: Any) -> None:
    """Once; only of steps that we began; a failure is told and tried again a day later."""
    bench.world.add(str(bench.folder), "b", "before")
    view = bench.carried_out(stages=[["a", "b"]])
    clock = Ticker(bench.shop)
    clock.tick()
    assert bench.shop.queues.state("retire", view.id) is None
    bench.now += 72 * 3600 + 1
    clock.tick()
    assert bench.shop.queues.state("retire", view.id) == "waiting"
    bench.mood("retire", "a", "refused")
    retiring.retire(bench.shop, view.id, lambda _name, call: call())
    assert bench.audited()[-1] == "not_retired"
    assert "tried again tomorrow" in notes(bench)[-1][0]
    (bench.folder / "mood-retire-a").unlink()
    bench.now += 86401
    clock.tick()
    assert bench.shop.queues.state("retire", view.id, turn=2) == "waiting"
    retiring.retire(bench.shop, view.id, lambda _name, call: call())
    assert [name for name, _ in bench.lines()] == ["b", "a", "retired-a"]


def test_what_was_stopped_keeps_its_backups(bench: Any) -> None:
    """People need them."""
    bench.mood("do", "b", "refused")
    view = bench.carried_out(stages=[["a"], ["b"]], on_failure="stop")
    bench.now += 90 * 86400
    Ticker(bench.shop).tick()
    assert bench.shop.queues.state("retire", view.id) is None


def test_old_runs_are_forgotten_and_the_audit_is_not(bench: Any) -> None:
    """With their steps, decisions and messages; open runs and unremoved backups stay."""
    bench.mood("do", "x", "refused")
    old, young = bench.carried_out("old", stages=[["x"]], on_failure="stop"), bench.proposal("young", stages=[["y"]])
    entries = len(bench.audited())
    bench.now += 401 * 86400
    assert retention.forget(bench.shop) == 1
    assert bench.desk.run(old.id) is None
    assert bench.desk.run(young.id) is not None
    assert len(bench.audited()) == entries
    assert audit.verify(bench.shop.store).ok
    for table in (tables.run_step, tables.decision, messages.message):
        of_old = sa.select(sa.func.count()).where(table.c.run == old.id)
        assert bench.shop.read(lambda conn, q=of_old: conn.execute(q).scalar()) == 0


def test_the_records_of_ended_work_go_after_two_weeks(bench: Any) -> None:
    """While the run itself stays listed; what waits stays too."""
    ended, waits = bench.proposal("ended"), bench.ask("waits")
    bench.shop.queues._client.cancel_workflow(f"plan-{ended.id}")
    for days, state in ((13, "lost"), (15, None)):
        bench.now = time.time() + days * 86400
        retention.forget(bench.shop)
        assert bench.shop.queues.state("plan", ended.id) == state
    assert bench.shop.queues.state("plan", waits) == "waiting"
    assert bench.desk.run(ended.id) is not None


@pytest.mark.slow  # so much of it takes its time
def test_ten_thousand_pending_approvals_are_rows(bench: Any) -> None:
    """They cost no thread and no workflow, and a tick among them takes well under a second of the processor's time."""
    view = bench.proposal()
    row = bench.shop.read(lambda conn: runs.get(conn, view.id))._asdict()
    many = [row | {"id": f"r-{n}", "key": str(n), "expires_at": bench.now + 3600 + n} for n in range(10_000)]
    bench.shop.write(lambda conn: conn.execute(tables.run.insert(), many))
    threads, clock = threading.active_count(), Ticker(bench.shop)
    clock.tick()
    began = time.thread_time()
    clock.tick()
    assert time.thread_time() - began < 1
    assert threading.active_count() == threads
    assert len(bench.desk.waiting_for("U2")) == 20
    began = time.thread_time()
    assert bench.decide(bench.see("r-77")).accepted
    assert time.thread_time() - began < 1


def test_what_comes_after_a_bad_row_is_done_all_the_same(bench: Any) -> None:
    """A schedule that nobody can read keeps no lost run and no backup waiting, at this tick or at any other."""
    view = bench.carried_out()
    broken = {"name": "b", "command": "world", "ask": "{", "every": 1.0, "jitter": 0.0, "tick": 0.0, "next_at": 0.0}
    bench.shop.write(lambda conn: conn.execute(schedules.schedule.insert().values(**broken)))
    bench.now += bench.shop.settings.store.keep_backups_hours * 3600 + 1
    Ticker(bench.shop).tick()
    assert bench.shop.queues.state("retire", view.id, turn=1) == "waiting"


def test_open_runs_are_counted_not_read(bench: Any) -> None:
    """For the metrics: those that wait count, those that ended do not."""
    bench.carried_out("done")
    bench.proposal("waits", stages=[["b"]])
    assert bench.shop.read(runs.count_open) == 1


def test_one_bad_row_does_not_stop_the_clock(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The thread outlives an error in a tick, and ends when told to."""
    ticked = threading.Event()

    def tick(self: Ticker) -> None:
        if ticked.is_set():
            bench.shop.stopping.set()
        ticked.set()
        raise IntegrityError("", {}, Exception())

    monkeypatch.setattr(Ticker, "tick", tick)
    monkeypatch.setattr("bot.engine.ticker.PERIOD", 0.001)
    thread = threading.Thread(target=Ticker(bench.shop).run, daemon=True)
    thread.start()
    thread.join(60)
    assert not thread.is_alive()
    assert ticked.is_set()
