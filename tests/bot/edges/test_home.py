"""The Home tab shows one person what to do, and says so when there is nothing."""

from __future__ import annotations

import json
from typing import Any

from bot.core.desk import ScheduleView
from bot.core.plan import Plan
from bot.core.view import RunView, State
from bot.edges.blocks import texts
from bot.edges.home import home


def run(number: int, state: State = State.PROPOSED, **more: Any) -> RunView:
    plan = Plan(command="try-it", title=f"Move token {number}", subject="s", stages=())
    return RunView(
        id=f"r-{number}",
        revision=1,
        command="try-it",
        asker="U9",
        source="slack",
        state=state,
        asked_at=1e9,
        plan=plan,
        digest="d",
        **more,
    )


def told(view: dict[str, Any]) -> str:
    return "\n".join(texts(view["blocks"]))


def values(view: dict[str, Any]) -> list[tuple[str, str]]:
    actions = (block for block in view["blocks"] if block["type"] == "actions")
    return [(e["action_id"], json.loads(e["value"])["run"]) for block in actions for e in block["elements"]]


def test_an_empty_home_tells_how_to_begin() -> None:
    """No bare page: the commands one can type stand there."""
    words = told(home("U1", [], [], [], []))
    assert "Nothing waits for you" in words
    assert "Hello <@U1>" in words
    assert "/hivekeeper help" in words


def test_what_waits_can_be_decided_here() -> None:
    """Each plan with its own three buttons, warnings and expiry."""
    view = home("U1", [run(1, expires_at=1e9 + 60), run(2)], [], [], [])
    assert values(view) == [(a, r) for r in ("r-1", "r-2") for a in ("approve", "deny", "details")]
    assert "Waits for you (2)" in told(view)
    assert "expires <!date^1000000060^" in told(view)


def test_no_run_is_listed_twice() -> None:
    """What waits is not under way as well, and what is under way is not among the last."""
    waiting, busy, over = run(1), run(2, State.APPLYING), run(3, State.DONE)
    words = told(home("U1", [waiting], [waiting, busy], [waiting, busy, over], []))
    assert [words.count(f"Move token {n}*") for n in (1, 2, 3)] == [1, 1, 1]
    assert words.index("Under way") < words.index("Move token 2") < words.index("Last runs")


def test_many_waiting_plans_are_counted() -> None:
    """Twelve are shown with buttons, the rest is a number and a command."""
    view = home("U1", [run(n) for n in range(50)], [], [], [])
    assert len(values(view)) == 36
    assert "… and 38 more: `/hivekeeper runs`" in told(view)


def test_schedules_tell_what_runs_when_and_under_what() -> None:
    """How often in people's units, when next, and whether somebody has to approve."""
    nightly = ScheduleView(name="nightly", command="try-it", text="a", every=86400, next_at=1e9, standing="ops")
    odd = ScheduleView(name="odd", command="try-it", text="", every=5400, next_at=1e9, last_at=5e8)
    words = told(home("U1", [], [], [], [nightly, odd]))
    assert "*nightly* · `/try-it a` · every 1 day" in words
    assert "under the standing approval ops" in words
    assert "every 90 minutes" in words
    assert "asks for approval" in words
    assert "trouble" not in words
    ill = nightly.model_copy(update={"trouble": "r-abcdefg"})
    assert "under the standing approval ops · ⚠️ trouble: run `r-abcdefg`" in told(home("U1", [], [], [], [ill]))
