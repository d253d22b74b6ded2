"""The inspector's log: what went over the wire, tokens masked."""

from __future__ import annotations

import json
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Literal

Direction = Literal["to_slack", "to_bot", "to_vault"]
KEPT = 2000
TYPED = "secret"  # block_id of inputs that are hidden


class Traffic:
    """The last entries, numbered from 1. `told` is called with each new one."""

    def __init__(self, told: Callable[[dict[str, Any]], None]) -> None:
        self.told = told
        self.masked: set[str] = set()
        self._entries: deque[dict[str, Any]] = deque(maxlen=KEPT)
        self._n = 0
        self._lock = threading.Lock()

    def mask(self, *secrets: str) -> None:
        """These never appear in an entry."""
        self.masked |= {secret for secret in secrets if secret}

    def add(
        self, direction: Direction, what: str, status: str | int, ms: float, request: Any = None, response: Any = None
    ) -> dict[str, Any]:
        """Note one exchange. `ms` is how long it took. Any thread may call this."""
        entry = {
            "at": time.time(),
            "direction": direction,
            "what": what,
            "status": status,
            "ms": round(ms, 1),
            "request": self._clean(request),
            "response": self._clean(response),
        }
        with self._lock:
            self._n += 1
            entry["n"] = self._n
            self._entries.append(entry)
        self.told(entry)
        return entry

    def after(self, n: int) -> list[dict[str, Any]]:
        """The entries with a number above `n`, oldest first."""
        return [entry for entry in list(self._entries) if entry["n"] > n]

    def _clean(self, value: Any) -> Any:
        text = json.dumps(value, default=str)
        for secret in self.masked:
            text = text.replace(secret, secret[:5] + "…masked")
        return _without_typed(json.loads(text))


def _without_typed(value: Any) -> Any:
    """What somebody typed into an input whose block is called "secret" is for the bot alone."""
    if isinstance(value, list):
        return [_without_typed(one) for one in value]
    if not isinstance(value, dict):
        return value
    return {name: _hidden(one) if name == TYPED else _without_typed(one) for name, one in value.items()}


def _hidden(inputs: Any) -> Any:
    if not isinstance(inputs, dict):
        return inputs
    return {name: {**one, "value": "…masked"} if isinstance(one, dict) else one for name, one in inputs.items()}
