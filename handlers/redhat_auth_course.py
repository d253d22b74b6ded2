"""What each login method did in one region: from numbers as Prometheus gives them to "it fails since …". Pure.

The hour's count says how much, the short window over time says whether it goes on: the hour's count alone stays up for
an hour after the last failure.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Literal

from bot.core.outside import Health, Line, Sample
from bot.core.value import Value

METHODS = ("jwt", "token")
SUCCESS, FAILED = "success", "failed"
STRETCH = 900.0  # seconds; failures closer together than this are one stretch

Problem = Literal["down", "failed", "not_configured"]


class Evidence(Value):
    """What was read in one region at `now`. `problem` with `told`: the counts could not be read. `lines` None: the
    course over time could not be read, `untimed` says why. `begins` and
    `every`: the grid of the lines (seconds). `few` and `stale`: thresholds (failures, seconds)."""

    now: float
    window: float
    samples: tuple[Sample, ...] = ()
    lines: tuple[Line, ...] | None = None
    warnings: tuple[str, ...] = ()
    problem: Problem | None = None
    told: str = ""
    untimed: str = ""
    endpoint: Health | None = None
    begins: float | None = None  # of the lines
    every: float = 60.0
    few: int = 3
    stale: float = 900.0


class Course(Value):
    """One method in one region. `failing` True: it fails now. Times are of the newest points, None: none seen."""

    method: str
    succeeded: float = 0
    failed: float = 0
    failing: bool = False
    noticed: bool = False  # more than stray failures within the hour
    since: float | None = None  # begin of the newest stretch of failures
    earlier: bool = False  # it reaches back to the begin of what was read: it began before that
    last_failure: float | None = None
    last_success: float | None = None


def course(evidence: Evidence, method: str) -> Course:
    """What one method did. It is failing when its failures are more than strays, and the last one is fresh or
    nothing has succeeded since; if the course over time is not known, the hour's count decides. As token is tried only
    after jwt has failed, a success of jwt's speaks for it too."""
    succeeded, failed = _count(evidence, (method,), SUCCESS), _count(evidence, (method,), FAILED)
    others = (method,) if method == "jwt" else METHODS
    noticed = failed >= evidence.few or (failed > 0 and not _count(evidence, others, SUCCESS))
    failures, successes = _times(evidence, (method,), FAILED), _times(evidence, (method,), SUCCESS)
    worked = _times(evidence, others, SUCCESS)
    since = stretch(failures) if failures else None
    return Course(
        method=method,
        succeeded=succeeded,
        failed=failed,
        noticed=noticed,
        failing=noticed and _goes_on(evidence, failures, worked),
        since=since,
        earlier=since is not None and evidence.begins is not None and since - evidence.begins < STRETCH,
        last_failure=_happened(evidence, failures),
        last_success=_happened(evidence, successes),
    )


def _goes_on(evidence: Evidence, failures: tuple[float, ...], worked: tuple[float, ...]) -> bool:
    if evidence.lines is None or not failures:
        return True
    return _fresh(evidence, failures) or not any(at > failures[-1] for at in worked)


def _happened(evidence: Evidence, times: tuple[float, ...]) -> float | None:
    """When the last of them really was: its trace stays in the short window for as long as that is."""
    if not times or _fresh(evidence, times):
        return times[-1] if times else None
    return max(times[-1] - evidence.window, stretch(times))


def _fresh(evidence: Evidence, times: tuple[float, ...]) -> bool:
    """Is there something in the window that ends now? Half of it is left to scrapes that come late."""
    return bool(times) and times[-1] >= evidence.now - evidence.window / 2


def stretch(times: tuple[float, ...]) -> float:
    """Where the newest run of times begins that are close together."""
    begin = times[-1]
    for at in reversed(times):
        if begin - at > STRETCH:
            break
        begin = at
    return begin


def _count(evidence: Evidence, methods: tuple[str, ...], status: str) -> float:
    fit = (s for s in evidence.samples if s.labels.get("method") in methods and s.labels.get("status") == status)
    return sum(sample.value for sample in fit if sample.value is not None and sample.value > 0)


def _times(evidence: Evidence, methods: tuple[str, ...], status: str) -> tuple[float, ...]:
    fit = (
        line
        for line in evidence.lines or ()
        if line.labels.get("method") in methods and line.labels.get("status") == status
    )
    return tuple(sorted({at for line in fit for at, value in line.points if value is not None and value > 0}))


def clock(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%H:%M UTC")


def day_and_clock(at: float) -> str:
    """For people elsewhere, who may read it on another day."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M UTC")
