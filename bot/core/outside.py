"""Ports of the systems that alert handlers look at and act on. As in `bot.core.ports`: plain blocking functions with
timeouts of their own, raising only the errors of `bot.core.errors`. Addresses come from the settings, never from an
alert."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NoReturn, Protocol

from bot.core.errors import Refused
from bot.core.runbook import Runbook
from bot.core.value import Value


class Sample(Value):
    """One value of one series. `value` None is NaN or infinite: a number that says nothing."""

    labels: dict[str, str]
    at: float
    value: float | None


class Line(Value):
    """One series over time, in order: (seconds since the epoch, value or None)."""

    labels: dict[str, str]
    points: tuple[tuple[float, float | None], ...]


class Vector(Value):
    samples: tuple[Sample, ...]
    warnings: tuple[str, ...] = ()  # Prometheus's own, cut; partial results come with one


class Matrix(Value):
    lines: tuple[Line, ...]
    warnings: tuple[str, ...] = ()


class Prometheus(Protocol):
    def regions(self) -> tuple[str, ...]:
        """The regions that have a Prometheus in the settings, in their order."""
        ...

    def now(self, region: str, query: str) -> Vector:
        """An instant query. Refused for a query it does not understand, Transient when it does not answer."""
        ...

    def over(self, region: str, query: str, *, start: float, end: float, step: float) -> Matrix: ...

    def link(self, region: str, query: str, *, hours: float) -> str:
        """Where a person sees the same query and range (Grafana if configured, else Prometheus)."""
        ...


class Health(Value):
    """Is an endpoint reachable? `how` says which way it is or is not, `told` one sentence; `latency` in seconds."""

    name: str
    address: str
    reachable: bool
    how: Literal["ok", "asks_for_login", "server_error", "not_json", "timeout", "dns", "tls", "refused", "cut"]
    status: int | None = None
    latency: float | None = None
    told: str


class Endpoints(Protocol):
    def check(self, name: str) -> Health:
        """Ask an endpoint of the settings. A failure to reach it is an answer, not an error."""
        ...


class StatusPage(Value):
    """What a provider says of itself (Statuspage v2). `components` and `incidents` only those that are not well."""

    name: str
    address: str
    indicator: str = "unknown"  # none | minor | major | critical | unknown
    components: tuple[str, ...] = ()
    incidents: tuple[str, ...] = ()
    trouble: str = ""  # why it could not be read


class StatusPages(Protocol):
    def read(self) -> tuple[StatusPage, ...]:
        """All pages of the settings; one that cannot be read says so in `trouble`."""
        ...


class PagerReader(Protocol):
    def configured(self) -> bool: ...

    def raised(self, key: str) -> bool:
        """Was a page with this deduplication key accepted? True only when that is known."""
        ...


class Pager(PagerReader, Protocol):
    def page(self, key: str, summary: str, *, severity: str, details: dict[str, str]) -> None:
        """Raise an incident (Events v2); the same key again is the same incident."""
        ...


class TrackerReader(Protocol):
    def configured(self) -> bool: ...

    def find(self, marker: str) -> str | None:
        """The address of the open issue that carries this marker in its body."""
        ...


class Tracker(TrackerReader, Protocol):
    def open(self, title: str, body: str, *, labels: tuple[str, ...], marker: str) -> None:
        """Open an issue with the marker in its body, unless there is one."""
        ...


class HookReader(Protocol):
    def configured(self) -> bool: ...

    def raised(self, marker: str) -> bool:
        """Was a call with this marker taken? True only when that is known."""
        ...


class Hook(HookReader, Protocol):
    def call(self, title: str, body: str, *, marker: str, region: str, links: Mapping[str, str]) -> None:
        """Tell a system of the organisation's own to open a CIE; the marker goes along as idempotency key."""
        ...


class CasesReader(Protocol):
    def configured(self) -> bool: ...

    def find(self, marker: str) -> str | None:
        """The number of the support case that carries this marker."""
        ...


class Cases(CasesReader, Protocol):
    def open(self, summary: str, description: str, *, severity: str, marker: str) -> None: ...


class Runbooks(Protocol):
    """Runbooks by name: those beside the handlers, and the organisation's own laid over them."""

    def names(self) -> tuple[str, ...]: ...

    def find(self, name: str) -> Runbook | None:
        """The runbook of this name, spelled as in `bot.core.runbook.named`. Refused when it cannot be read."""
        ...

    def all(self) -> tuple[Runbook, ...]:
        """All of them by name; one that cannot be read says so in its warnings."""
        ...


class NotConfigured:
    """Stands in for a system that the settings do not name; any use of it is refused with the setting's name."""

    def __init__(self, what: str, setting: str) -> None:
        self._what, self._setting = what, setting

    def configured(self) -> bool:
        return False

    def regions(self) -> tuple[str, ...]:
        return ()

    def read(self) -> tuple[StatusPage, ...]:
        return ()

    def __getattr__(self, _: str) -> NoReturn:
        raise Refused(f"{self._what} is not configured.", f"Set {self._setting} in the settings.")
