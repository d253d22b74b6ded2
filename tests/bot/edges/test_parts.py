"""What a person is told when the store did not answer."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from bot.core.errors import Refused, Told, Transient
from bot.edges.parts import undecided, unkept, unstored

LOST = Transient("The store broke off.", "Look again.", unheard=True)
TELLS: list[tuple[Callable[[Told], Told], str, str]] = [
    (unstored, "nothing was started", "look whether it shows up"),
    (undecided, "nothing was changed", "press it again: it counts once"),
    (unkept, "nothing was changed", "press it again: it counts once"),
]


@pytest.mark.parametrize(("tell", "sure", "instead"), TELLS)
def test_nothing_is_promised_that_nobody_knows(tell: Callable[[Told], Told], sure: str, instead: str) -> None:
    """The store was away: nothing was stored. It broke off while it stored: that is not known. A refusal stays one."""
    assert sure in tell(Transient("The store did not answer.")).what
    told = str(tell(LOST)).casefold()
    assert "is not known" in told
    assert instead in told
    assert "nothing" not in told
    refused = Refused("No.")
    assert tell(refused) is refused
