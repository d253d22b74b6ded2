"""What is read for a diagnosis of Red Hat authentication: the endpoint, and each region's counts and their course."""

from __future__ import annotations

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from bot.core.diagnosis import Subject
from bot.core.errors import Refused, Told, Transient
from bot.core.outside import Health, StatusPage
from bot.core.plan import Note
from bot.core.ports import ReadTools
from bot.core.value import Value
from handlers.redhat_auth import HOUR, QUERY, RUNBOOK, SHORT, WINDOW, Settings
from handlers.redhat_auth_course import Evidence
from handlers.redhat_auth_verdict import RANK, Judgement, judge
from handlers.shelf import step

LONGEST = 24 * HOUR  # of a chart
BEFORE = 1800.0  # seconds shown before an incident began
AT_ONCE = 8  # regions asked side by side
Got = TypeVar("Got")


class Looked(Value):
    """One region; `region` is as the settings name it, or as the alert does when they do not."""

    region: str
    evidence: Evidence
    judgement: Judgement


class Scene(Value):
    """All that was read, the worst region first. `unchecked`: what could not be, and how to do it by hand."""

    looked: tuple[Looked, ...]
    health: Health | None = None
    pages: tuple[StatusPage, ...] = ()
    unchecked: tuple[Note, ...] = ()

    @property
    def worst(self) -> Looked:
        return self.looked[0]

    @property
    def region(self) -> str:
        """The region that it is about; empty when more than one is as bad."""
        same = [one for one in self.looked if one.judgement.verdict is self.worst.judgement.verdict]
        return self.worst.region if len(same) == 1 else ""


def look(subject: Subject, settings: Settings, tools: ReadTools) -> Scene:
    """Read everything. Never raises for an outside system that does not answer: that is told instead."""
    health, unchecked = endpoint(settings, tools)
    pages = _pages(tools) if health is not None and not health.reachable else ()
    regions = wanted(subject, settings, tools)
    with ThreadPoolExecutor(max_workers=AT_ONCE, thread_name_prefix="region") as pool:
        evidence = list(pool.map(lambda region: _read(region, subject, settings, tools, health), regions))
    looked = [Looked(region=r, evidence=e, judgement=judge(e)) for r, e in zip(regions, evidence, strict=True)]
    looked.sort(key=lambda one: RANK[judge(one.evidence.model_copy(update={"endpoint": None})).verdict])
    missed = tuple(note for one in looked for note in _missed(one, tools))
    return Scene(looked=tuple(looked), health=health, pages=pages, unchecked=(*unchecked, *missed))


def wanted(subject: Subject, settings: Settings, tools: ReadTools) -> tuple[str, ...]:
    """The regions to look at. One that the settings do not know is looked at too, in vain, and said to be unknown;
    the alert's word for it goes into no query."""
    known = tools.prometheus.regions()
    labels = [alert.labels.get(settings.region_label, "") for alert in subject.alerts]
    named = [name for name in dict.fromkeys([subject.key, *labels]) if name]
    if not named:
        return known or ("",)
    unknown = [name[:100] for name in named if name not in known]
    return tuple(named) if not unknown else (*unknown[:5], *known)


def endpoint(settings: Settings, tools: ReadTools) -> tuple[Health | None, tuple[Note, ...]]:
    try:
        return tools.endpoints.check(settings.endpoint), ()
    except Told as told:
        text = f"{told} By hand: {by_hand('check-endpoint', tools)}"
        return None, (Note(label="Accounts endpoint", text=text),)


def _pages(tools: ReadTools) -> tuple[StatusPage, ...]:
    try:
        return tools.status_pages.read()
    except Told:
        return ()


def _read(region: str, subject: Subject, settings: Settings, tools: ReadTools, health: Health | None) -> Evidence:
    now = tools.now()
    base = Evidence(
        now=now, window=WINDOW, endpoint=health, few=settings.few, stale=settings.stale_minutes * 60
    )  # fmt: skip
    if region not in tools.prometheus.regions():
        return base.model_copy(update={"problem": "not_configured", "told": _nowhere(region)})
    counts, down = attempt(lambda: tools.prometheus.now(region, QUERY))
    if counts is None:
        problem = "down" if isinstance(down, Transient) else "failed"
        return base.model_copy(update={"problem": problem, "told": str(down)})
    found = base.model_copy(update={"samples": counts.samples, "warnings": counts.warnings})
    begins, every = span(now, subject.began, settings.hours)
    timed = _timed(found, region, begins, every, tools)
    if "since" in subject.options or now - begins >= LONGEST or not judge(timed).earlier:
        return timed
    longer = _timed(found, region, *span(now, now - LONGEST, settings.hours), tools)
    return timed if longer.lines is None else longer


def _timed(found: Evidence, region: str, begins: float, every: float, tools: ReadTools) -> Evidence:
    """With the course over time, if that can be read."""
    course, trouble = attempt(lambda: tools.prometheus.over(region, SHORT, start=begins, end=found.now, step=every))
    return found.model_copy(
        update={
            "begins": begins,
            "every": every,
            "lines": None if course is None else course.lines,
            "untimed": str(trouble) if trouble else "",
            "warnings": tuple(dict.fromkeys((*found.warnings, *(course.warnings if course else ())))),
        }
    )


def attempt(read: Callable[[], Got]) -> tuple[Got | None, Told | None]:
    try:
        return read(), None
    except Told as told:
        return None, told


def span(now: float, began: float, hours: float) -> tuple[float, float]:
    """Begin and step, in seconds, of what is shown: the usual hours, and more if the incident is older."""
    length = min(max(hours * HOUR, now - began + BEFORE), LONGEST)
    every = 60.0 if length <= 6 * HOUR else 120.0
    return now - length, every


def _nowhere(region: str) -> str:
    if not region:
        return "No Prometheus is configured, so nothing can be said about logins."
    return f"The settings have no Prometheus for region {region}, so nothing can be said about it."


def _missed(one: Looked, tools: ReadTools) -> tuple[Note, ...]:
    evidence = one.evidence
    told = evidence.told if evidence.problem else evidence.untimed if evidence.lines is None else ""
    if not told:
        return ()
    label = f"Logins in {one.region}" if one.region else "Logins"
    return (Note(label=label, text=f"{told} By hand: {by_hand('find-method', tools)}"),)


def by_hand(name: str, tools: ReadTools) -> str:
    """A step of the runbook as a text that stands alone: in Slack there is no query further down."""
    text = step(tools, RUNBOOK, name).text
    return f"{text} The query: {QUERY}" if name in ("find-method", "monitor") else text


def seconds(text: str) -> float:
    """A length of time as people write it: 90m, 3h, 3 (hours). Refused if it is none."""
    found = re.fullmatch(r"(\d{1,4}(?:\.\d{1,2})?)\s*([mh]?)", text.strip())
    if not found or not float(found.group(1)):
        raise Refused("That is not a length of time.", "Write it as 90m or 3h.")
    return min(float(found.group(1)) * (60 if found.group(2) == "m" else HOUR), LONGEST)
