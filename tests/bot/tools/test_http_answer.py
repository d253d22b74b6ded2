"""What is looked for in a time of its own, and not after it."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from bot.tools import http_answer
from bot.tools.http_answer import Answer


def test_who_gets_no_turn_in_time_does_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a busy machine a thread may begin when nobody waits for it any more: what it was to send is not sent."""
    turn, done, threads = threading.Event(), [], []

    class Late(threading.Thread):
        def run(self) -> None:
            threads.append(self)
            turn.wait(60)
            super().run()

    def look(seconds: float) -> Answer:
        done.append(seconds)
        return Answer("answered")

    def begin(**named: Any) -> threading.Thread:
        return Late(**named)

    with monkeypatch.context() as patch:
        patch.setattr(threading, "Thread", begin)
        assert http_answer.within(0.05, look).how == "timeout"
    turn.set()
    for thread in threads:
        thread.join(60)
    assert done == []
    assert http_answer.within(60, look).how == "answered"
    assert 0 < done[0] <= 60
