"""Any plan, failing in any way, ends in the state that fits the world."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from bot.core.view import RunView, State
from bot.engine import ending

KINDS = st.sampled_from(["ok", "refused", "transient", "boom", "deaf"])
STAGES = st.lists(st.lists(st.tuples(KINDS, st.booleans()), min_size=1, max_size=3), min_size=1, max_size=3)


@examples(
    max_examples=examples.default.max_examples // 4,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(stages=STAGES, on_failure=st.sampled_from(["undo", "stop", "go_on"]), before=st.sets(st.integers(0, 8)))
def test_any_plan_ends_in_the_state_that_fits_the_world(
    bench: Any, stages: list[list[tuple[str, bool]]], on_failure: str, before: set[int]
) -> None:
    """Whatever fails how: the ledger has what the records say, nothing of before is touched, and the final state is
    the one that the records add up to."""
    folder = Path(tempfile.mkdtemp(dir=bench.folder))
    names, flat = [], [kind for stage in stages for kind in stage]
    for number, (kind, reversible) in enumerate(flat):
        names.append(f"s{number}" + ("" if reversible else "!"))
        if number in before:
            bench.world.add(str(folder), f"s{number}", "before")
        if kind == "deaf":
            (folder / f"deaf-s{number}").touch()
        elif kind != "ok":
            (folder / f"mood-do-s{number}").write_text(kind)
    it = iter(names)
    ask = {"folder": str(folder), "stages": [[next(it) for _ in stage] for stage in stages], "on_failure": on_failure}
    view = bench.plan(bench.ask(folder.name, **ask))
    if view.state != State.ANSWERED:
        assert bench.decide(view).accepted
        view = bench.apply(view.id)
        consistent(view, bench.world.lines(str(folder)), before)
    shutil.rmtree(folder)


def consistent(view: RunView, lines: list[list[str]], before: set[int]) -> None:
    written = dict(lines)
    assert len(written) == len(lines), "something happened twice"
    for number, step in enumerate(view.steps):
        who = written.get(f"s{number}")
        assert who == {"already": "before", "done": view.id}.get(step.state), (number, step)
    failed = any(step.trouble for step in view.steps)
    assert (view.state == State.DONE) == (not failed)
    if view.state == State.UNDONE:
        assert set(written.values()) <= {"before"}


def test_the_verdict_over_records() -> None:
    """DONE only when all is good; UNDONE only when nothing of ours is left."""

    def row(state: str, kind: str = "Refused", attempt: int = 1, place: int = 0) -> Any:
        return SimpleNamespace(state=state, attempt=attempt, trouble={"kind": kind}, stage=0, place=place)

    assert ending.verdict([row("done"), row("already")], "undo") == State.DONE
    assert ending.verdict([row("undone"), row("waiting")], "undo") == State.UNDONE
    assert ending.verdict([row("failed", "Unverified")], "undo") == State.STOPPED
    assert ending.verdict([row("undo_failed")], "undo") == State.STOPPED
    assert ending.verdict([row("done"), row("failed")], "go_on") == State.PARTLY
    proof = frozenset({(0, 7)})
    assert ending.verdict([row("undone"), row("failed", place=7)], "undo", proof) == State.UNDONE
    assert ending.verdict([row("done"), row("failed", place=7)], "undo", proof) == State.STOPPED
