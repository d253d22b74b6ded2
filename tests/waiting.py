"""Waiting for what happens elsewhere: by looking, never by sleeping so long."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any


def until(found: Callable[[], Any], seconds: float = 60) -> Any:
    """What there is at last, once it is true. Fails after so many seconds: a minute is long, also on a busy machine."""
    deadline = time.monotonic() + seconds
    while not (seen := found()):
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)
    return seen
