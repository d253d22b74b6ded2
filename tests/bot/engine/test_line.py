"""Standing in line."""

from __future__ import annotations

import threading
import time

import pytest

from bot.core.errors import Transient
from bot.engine.line import Line


def wait_for(line: Line, count: int) -> None:
    deadline = time.monotonic() + 60
    while len(line._waiting) < count:
        assert time.monotonic() < deadline


def test_turns_come_in_order() -> None:
    """Who came first is served first, one at a time."""
    line, served, at_once = Line(), list[int](), list[int]()

    def take(n: int) -> None:
        with line.turn(90):
            at_once.append(1)
            assert len(at_once) == 1
            served.append(n)
            at_once.pop()

    threads = []
    with line.turn(1):
        for n in range(20):
            threads.append(threading.Thread(target=take, args=(n,)))
            threads[-1].start()
            wait_for(line, n + 2)
    for thread in threads:
        thread.join()
    assert served == list(range(20))


def test_nobody_waits_for_ever() -> None:
    """Whoever gives up leaves the line, and the next one is served."""
    line = Line()
    with line.turn(1), pytest.raises(Transient), line.turn(0.01):
        pass
    with pytest.raises(ZeroDivisionError), line.turn(1):
        raise ZeroDivisionError
    with line.turn(0):
        assert len(line._waiting) == 1
    assert not line._waiting
