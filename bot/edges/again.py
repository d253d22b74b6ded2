"""The button that asks again for what a run did not bring about. The desk knows what that is; it names only the run."""

from __future__ import annotations

import json

from bot.core.view import RunView, State, StepState
from bot.edges import proposal
from bot.edges.blocks import Block
from bot.edges.elements import button

AGAIN = "again"  # action id
OFFERED = (State.PARTLY, State.STOPPED, State.UNDONE, State.REFUSED, State.EXPIRED)
_SO = (StepState.DONE, StepState.ALREADY)


def blocks(view: RunView) -> list[Block]:
    """The button, for a run that ended in any of the ways that it is offered for."""
    if view.state not in OFFERED:
        return []
    value = json.dumps({"run": view.id}, separators=(",", ":"))
    return [{"type": "actions", "block_id": "again", "elements": [button(AGAIN, label(view), value)]}]


def label(view: RunView) -> str:
    """Says how much is left, where a part of it is done and stays."""
    left = [step for step in proposal.steps(view) if step.state not in _SO]
    if view.state not in (State.PARTLY, State.STOPPED) or not left:
        return "Try again"
    failed = all(step.state is StepState.FAILED for step in left)
    if len(left) == 1:
        return "Try the one that failed again" if failed else "Try the one that is not done again"
    return f"Try the {len(left)} that {'failed' if failed else 'are not done'} again"
