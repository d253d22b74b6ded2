"""What a schedule asks for is shown when there is something to say, and kept in any case."""

from __future__ import annotations

from typing import Any

from bot.core.intake import Request
from bot.core.plan import Answer
from bot.core.view import State
from bot.engine import messages


def asked(bench: Any, answer: Answer | None, source: Any) -> str:
    if answer is not None:
        bench.with_handler(plan=lambda ask, settings, tools: answer)
    ask = {"folder": str(bench.folder)}
    run: str = bench.desk.ask(Request(key=f"{source}-{answer}", command="world", ask=ask, asker="U1", source=source))
    return run


def shown(bench: Any, run: str) -> bool:
    query = messages.message.select().where(messages.message.c.run == run)
    return bool(bench.shop.read(lambda conn: conn.execute(query).all()))


QUIET = Answer(command="world", title="All is well", quiet=True)


def test_a_quiet_answer_to_a_schedule_is_not_posted(bench: Any) -> None:
    """But it is stored, audited and in the list of runs."""
    run = asked(bench, QUIET, "schedule")
    assert not shown(bench, run), "nobody waits for a schedule's planning"
    assert bench.plan(run).state == State.ANSWERED
    assert not shown(bench, run)
    assert bench.desk.runs()[0].answer == QUIET
    assert {"asked", "answered"} <= set(bench.audited())


def test_one_that_a_person_asked_for_is_posted(bench: Any) -> None:
    """Also when that is quiet: the person waits for it."""
    for source in ("slack", "cli", "retry"):
        run = asked(bench, QUIET, source)
        assert shown(bench, run)


def test_whatever_else_a_schedule_comes_to_is_posted(bench: Any) -> None:
    """An answer with something to say, a refusal, a plan."""
    loud = asked(bench, QUIET.model_copy(update={"quiet": False}), "schedule")
    bench.plan(loud)
    assert shown(bench, loud)
    bench.with_handler()
    bench.mood("plan", "plan", "refused")
    refused = bench.desk.ask(Request(key="r", command="world", ask={"folder": str(bench.folder)}, asker="schedule:a",
                                     source="schedule"))  # fmt: skip
    assert bench.plan(refused).state == State.REFUSED
    assert shown(bench, refused)
    (bench.folder / "mood-plan-plan").unlink()
    planned = bench.desk.ask(Request(key="p", command="world", ask={"folder": str(bench.folder)}, asker="schedule:a",
                                     source="schedule"))  # fmt: skip
    assert bench.plan(planned).state == State.PROPOSED
    assert shown(bench, planned)
