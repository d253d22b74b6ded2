"""How often an incident's message is updated."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from bot.core.incident import IncidentState, IncidentView
from bot.engine import outbox

NOW = 1_000_000.0


def incident(**more: Any) -> IncidentView:
    return IncidentView(id="i-1", revision=2, handler="h", key="", state=IncidentState.OPEN, opened_at=NOW, **more)


def row(sent: float | None, method: str = "update") -> Any:
    """What the sender reads of a message."""
    return SimpleNamespace(sent_at=sent, method=method)


@pytest.mark.parametrize(
    ("sent", "looked", "until"),
    [
        (NOW + 0.1, NOW + 0.3, 0.0),  # the first verdict, right after "looking"
        (NOW + 0.1, None, NOW + 3.1),  # only counts have changed
        (NOW + 0.5, NOW + 0.3, NOW + 3.5),  # counts, after the verdict was shown
        (NOW + 60, NOW + 61, NOW + 63),  # a later look waits its turn in a storm
    ],
)
def test_the_first_verdict_is_shown_at_once(sent: float, looked: float | None, until: float) -> None:
    """Nobody waits three seconds for it; all that follows is at least three seconds apart."""
    assert outbox._not_before(row(sent), incident(looked_at=looked)) == until


def test_a_first_message_never_waits() -> None:
    """There is nothing that it could follow too closely."""
    assert outbox._not_before(row(None, "post"), incident()) == 0.0
