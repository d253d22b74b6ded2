"""What took how long, and failed how often: every block is counted once, wherever it ends."""

from __future__ import annotations

import threading
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.errors import Refused
from bot.tools import meter as module
from bot.tools.meter import BOUNDS, Meter


@given(st.lists(st.floats(0, 100), min_size=1, max_size=30))
def test_each_is_within_its_bound(seconds: list[float]) -> None:
    """Of each bound, how many took at most so long; all of them are within the last."""
    counts = module._Counts()
    for one in seconds:
        counts.add(one, failed=False)
    told = counts.told("push", "")
    assert told.within == tuple((bound, sum(one <= bound for one in seconds)) for bound in (*BOUNDS, float("inf")))
    assert told.seconds == pytest.approx(sum(seconds))


def test_what_fails_is_timed_and_counted() -> None:
    """In our words; an exception of another kind is a fault, and no failure of the other side."""
    meter = Meter()
    for error in (Refused("No."), ValueError()):
        with suppress(Refused, ValueError), meter.timing("store", "dune_pro"):
            raise error
    (one,) = meter.took()
    assert (one.what, one.service, one.within[-1][1], one.failed) == ("store", "dune_pro", 2, 1)


def test_many_at_once_lose_none() -> None:
    """Steps run side by side."""
    meter = Meter()

    def work() -> None:
        for _ in range(50):
            with meter.timing("ping"):
                pass

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert meter.took()[0].within[-1][1] == 400


def test_names_without_end_are_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file with ever new names makes no process grow for ever; what is known is still counted."""
    monkeypatch.setattr(module, "MOST", 2)
    meter = Meter()
    for name in ("a", "b", "c", "a"):
        with meter.timing("push", name):
            pass
    assert [(one.service, one.within[-1][1]) for one in meter.took()] == [("a", 2), ("b", 1)]
