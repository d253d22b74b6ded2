"""Red Hat logins as a chart and as a table."""

from __future__ import annotations

from bot.core.diagnosis import Chart, Series
from bot.core.outside import Line
from bot.core.plan import Table
from handlers.redhat_auth import HOUR, WINDOW, Settings
from handlers.redhat_auth_course import FAILED, METHODS, SUCCESS, Evidence, clock
from handlers.redhat_auth_look import Looked, Scene

DRAWN = 8  # lines in a chart, rows of a region
QUARTER = 900.0  # seconds: the alert counts failures over a quarter of an hour


def chart(one: Looked, settings: Settings) -> Chart | None:
    """Counts of the short window over time, method by method; None when there is nothing to draw."""
    lines = [line for line in _ordered(one.evidence.lines or ()) if any(value for _, value in line.points)][:DRAWN]
    if not lines:
        return None
    where = f" in {one.region}" if one.region else ""
    return Chart(
        title=f"Red Hat logins{where}, samples in {WINDOW / 60:g} minutes",
        unit="samples",
        series=tuple(Series(name=_name(line), points=_gaps(line, one.evidence), bad=_bad(line)) for line in lines),
        begins=one.judgement.since,
        threshold=round(settings.alert_failures * WINDOW / QUARTER, 2),
        alt=f"Red Hat logins{where}. " + " ".join(_words(line, one.evidence) for line in lines),
    )


def _ordered(lines: tuple[Line, ...]) -> list[Line]:
    return sorted(lines, key=lambda line: (line.labels.get("method", ""), not _bad(line), _name(line)))


def _name(line: Line) -> str:
    return f"{line.labels.get('method', '')[:20] or '?'} {line.labels.get('status', '')[:20] or '?'}"


def _bad(line: Line) -> bool:
    return line.labels.get("status") != SUCCESS


def _gaps(line: Line, evidence: Evidence) -> tuple[tuple[float, float | None], ...]:
    """The line on the whole grid: Prometheus leaves out the times at which there is nothing, which is not zero."""
    if evidence.begins is None:
        return line.points
    begins, every = evidence.begins, evidence.every
    known = {round((at - begins) / every): value for at, value in line.points}
    return tuple((begins + i * every, known.get(i)) for i in range(round((evidence.now - begins) / every) + 1))


def _words(line: Line, evidence: Evidence) -> str:
    values = [(value, at) for at, value in line.points if value is not None]
    most, at = max(values)
    last, when = line.points[-1][1], line.points[-1][0]
    end = f"{last:g}" if last is not None and when >= evidence.now - WINDOW / 2 else "none"
    return f"{_name(line)}: {end} at the end, at most {most:g} at {clock(at)}."


def shares(evidence: Evidence) -> str:
    """Which part of each method's logins failed, over the last hour by quarters, the newest last; empty if none did."""
    hour = {method: _part(evidence, method, HOUR, 0) for method in METHODS}
    told = [f"{method} {_quarters(evidence, method)}" for method, part in hour.items() if part is not None]
    return f"{'; '.join(told)} (the last hour by quarters, the newest last)" if any(hour.values()) else ""


def _quarters(evidence: Evidence, method: str) -> str:
    parts = [_part(evidence, method, (n + 1) * QUARTER, n * QUARTER) for n in (3, 2, 1, 0)]
    return ", ".join("none" if part is None else f"{part:.0%}" for part in parts)


def _part(evidence: Evidence, method: str, begin: float, end: float) -> float | None:
    """The failed part between so many seconds ago and so many; None when there was no login."""
    sums = dict.fromkeys((SUCCESS, FAILED), 0.0)
    for line in evidence.lines or ():
        if line.labels.get("method") == method and (status := line.labels.get("status")) in sums:
            sums[str(status)] += sum(v or 0 for at, v in line.points if end <= evidence.now - at < begin)
    return sums[FAILED] / sum(sums.values()) if any(sums.values()) else None


def table(scene: Scene) -> Table | None:
    """The counts: method, status, the hour, and when it was last seen; with the region if there are several."""
    several = len(scene.looked) > 1
    rows = [(one.region, *row) for one in scene.looked for row in _rows(one.evidence)]
    if not rows:
        return None
    head = ("region", "method", "status", "last hour", "last seen")
    return Table(head=head, rows=tuple(rows)) if several else Table(head=head[1:], rows=tuple(r[1:] for r in rows))


def _rows(evidence: Evidence) -> list[tuple[str, str, str, str]]:
    kept = [s for s in evidence.samples if s.value is None or s.value > 0]
    kept.sort(key=lambda s: (s.labels.get("method", ""), s.labels.get("status") != FAILED, s.labels.get("status", "")))
    return [
        (
            s.labels.get("method", "")[:40],
            s.labels.get("status", "")[:40],
            "not a number" if s.value is None else f"{s.value:g}",
            _seen(evidence, s.labels),
        )
        for s in kept[:DRAWN]
    ]


def _seen(evidence: Evidence, labels: dict[str, str]) -> str:
    """When it was last seen, to within the short window."""
    times = [at for line in evidence.lines or () if line.labels == labels for at, value in line.points if value]
    if not times:
        return "?"
    return "now" if times[-1] >= evidence.now - WINDOW / 2 else clock(times[-1] - WINDOW)
