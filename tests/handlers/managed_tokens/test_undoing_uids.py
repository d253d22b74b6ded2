"""What /refresh-uids notes can be taken back: notes change nothing outside, and a plan need not warn of them."""

from __future__ import annotations

from typing import Any

from bot.core.grid import Account
from bot.core.plan import RunRef
from handlers.managed_tokens import UID
from handlers.refresh_uids import HANDLER, KeepUid


def test_a_note_is_taken_back(scene: Any) -> None:
    """To the one before, or to none; twice is once, and what somebody else has noted since stays."""
    scene.tools.records.drop(UID, "novapro")
    scene.grid.accounts |= {"dunepro": Account(name="dunepro", uid=999, active=True),
                            "novapro": Account(name="novapro", uid=502, active=True)}  # fmt: skip
    before = scene.tools.records.get(UID, "dunepro").value
    plan = scene.plan(HANDLER)
    notes = [step for _, _, step in plan.steps if isinstance(step, KeepUid)]
    assert len(notes) == 2
    assert all(step.reversible for step in notes)
    scene.apply(plan)
    for _ in range(2):
        for step in notes:
            step.undo(scene.tools, RunRef(id=f"run-{scene.runs}"))
    assert scene.tools.records.get(UID, "dunepro").value == before
    assert scene.tools.records.get(UID, "novapro") is None
    scene.apply(scene.plan(HANDLER))
    for step in notes:
        step.undo(scene.tools, RunRef(id="another"))
    assert scene.tools.records.get(UID, "novapro").value["uid"] == 502
