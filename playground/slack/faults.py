"""The switchboard of faults: what Slack does wrong on purpose, to which method, how often or for how long."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, get_args

Kind = Literal["down", "slow", "ratelimited", "error500", "cut"]
KINDS: tuple[str, ...] = get_args(Kind)


@dataclass
class Fault:
    """One fault.

    `method` is a Web API method or "*". `seconds` means: down, error500, cut: how long it lasts; slow: the latency of
    each call; ratelimited: the Retry-After. `count` calls are hit at most; without it, and without an end, one is.
    """

    method: str
    kind: Kind
    count: int | None = None
    seconds: float | None = None
    until: float | None = None


@dataclass
class Faults:
    """The faults in force, oldest first."""

    clock: Callable[[], float]
    active: list[Fault] = field(default_factory=list)
    told: list[Callable[[Fault], None]] = field(default_factory=list)

    def add(self, method: str, kind: Kind, *, count: int | None = None, seconds: float | None = None) -> Fault:
        """Switch a fault on; it is over after `count` calls or `seconds`, whichever is first."""
        lasting = kind in ("down", "error500", "cut") and seconds is not None
        until = self.clock() + seconds if lasting and seconds is not None else None
        if count is None and until is None:
            count = 1
        fault = Fault(method, kind, count, seconds, until)
        self.active.append(fault)
        for tell in self.told:
            tell(fault)
        return fault

    def clear(self) -> None:
        """All is well again."""
        self.active.clear()

    def take(self, method: str) -> Fault | None:
        """The fault that hits this call, used up by one."""
        self._forget()
        for fault in self.active:
            if fault.method in ("*", method):
                if fault.count is not None:
                    fault.count -= 1
                return fault
        return None

    def down(self) -> bool:
        """Whether all of Slack is down now."""
        self._forget()
        return any(fault.kind == "down" and fault.method == "*" for fault in self.active)

    def _forget(self) -> None:
        now = self.clock()
        for fault in list(self.active):
            if (fault.count is not None and fault.count <= 0) or (fault.until is not None and fault.until <= now):
                self.active.remove(fault)
