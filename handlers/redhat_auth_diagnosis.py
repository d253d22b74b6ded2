"""What people are told about Red Hat authentication: the judgement with its evidence, picture, steps and buttons."""

from __future__ import annotations

from typing import Any

from bot.core.diagnosis import Diagnosis, Mood, Offer, RunbookStep, Subject
from bot.core.errors import Told
from bot.core.plan import Note
from bot.core.ports import ReadTools
from handlers.redhat_auth import HOUR, QUERY, RUNBOOK, ForIncident, Settings, marker
from handlers.redhat_auth_course import clock
from handlers.redhat_auth_look import Scene, attempt, by_hand, look
from handlers.redhat_auth_picture import chart, shares, table
from handlers.redhat_auth_verdict import CIE, MISSING, OVER, Verdict

STEPS = ("check-endpoint", "find-method", "open-cie", "contact-redhat", "escalate", "monitor")
ACT = ("contact-redhat", "escalate", "monitor")
CALLED: dict[Verdict, tuple[str, ...]] = {
    Verdict.ENDPOINT_DOWN: ("open-cie", *ACT),
    Verdict.BOTH_FAILING: ("open-cie", *ACT),
    Verdict.TOKEN_FAILING: ("find-method", "open-cie", *ACT),
    Verdict.JWT_FAILING: ACT,
    Verdict.UNCLEAR: ("find-method", "escalate"),
    Verdict.JWT_OVER: ("monitor",),
    Verdict.RECOVERED: ("monitor",),
    Verdict.HEALTHY: (),
    **dict.fromkeys(MISSING, ("find-method", "escalate")),
}
TITLES = {
    Verdict.ENDPOINT_DOWN: "Red Hat's accounts endpoint is down: open a CIE",
    Verdict.BOTH_FAILING: "Both logins to Red Hat fail{where}: no cluster is created or deleted, open a CIE",
    Verdict.TOKEN_FAILING: "The token login to Red Hat fails{where}: a CIE, but jwt is not seen failing: look closer",
    Verdict.JWT_FAILING: "The jwt login to Red Hat fails{where}; no CIE as long as token works",
    Verdict.PROMETHEUS_DOWN: "Prometheus does not answer{where}: whether logins fail is not known",
    Verdict.QUERY_FAILED: "Prometheus refused the query{where}: whether logins fail is not known",
    Verdict.METRIC_ABSENT: "Prometheus has no data on Red Hat logins{where}: that is not good news",
    Verdict.STALE: "The data on Red Hat logins are old{where}: what happens now is not known",
    Verdict.NOT_CONFIGURED: "No Prometheus is configured{where}: whether logins fail is not known",
    Verdict.UNCLEAR: "The data on Red Hat logins are not clear{where}: look at them",
    Verdict.JWT_OVER: "The jwt login to Red Hat works again{where}; no CIE",
    Verdict.RECOVERED: "Logins to Red Hat work again{where}",
    Verdict.HEALTHY: "Logins to Red Hat are well{where}",
}
OFFERS = {
    "open-cie": ("open-cie", "Open a CIE"),
    "contact-redhat": ("contact-redhat", "Contact Red Hat"),
    "escalate": ("escalate-redhat-auth", "Escalate"),
}


def diagnose(subject: Subject, settings: Settings, tools: ReadTools) -> Diagnosis:
    """Look, judge and tell. Outside systems that do not answer are part of what is told."""
    scene = look(subject, settings, tools)
    return tell(subject, scene, settings, tools)


def tell(subject: Subject, scene: Scene, settings: Settings, tools: ReadTools) -> Diagnosis:
    judged = scene.worst.judgement
    opened, unsure = cie(subject, tools)
    return Diagnosis(
        verdict=judged.verdict.value,
        mood=mood(judged.verdict),
        title=_title(judged.verdict, scene, opened=bool(opened)),
        reason=judged.reason,
        since=judged.since,
        earlier=judged.earlier,
        evidence=(*opened, *evidence(scene, settings)),
        table=table(scene),
        chart=chart(scene.worst, settings),
        links=links(scene, settings, tools),
        unchecked=(*scene.unchecked, *unsure),
        steps=steps(subject, scene, tools, opened=opened),
        runbook=RUNBOOK,
        over=all(one.judgement.over for one in scene.looked),
    )


def cie(subject: Subject, tools: ReadTools) -> tuple[tuple[Note, ...], tuple[Note, ...]]:
    """The CIE that this incident has in the issue tracker; and a note if that could not be found out."""
    if not subject.incident or not tools.tracker.configured():
        return (), ()
    mark = marker("cie", ForIncident(incident=subject.incident), tools.now())
    try:
        where = tools.tracker.find(mark)
    except Told as told:
        return (), (Note(label="Is a CIE open?", text=f"{told} By hand: look in the issue tracker."),)
    return ((Note(label="CIE", text=f"It is open: {where}"),), ()) if where else ((), ())


def mood(verdict: Verdict) -> Mood:
    if verdict is Verdict.HEALTHY:
        return Mood.GOOD
    if verdict in OVER or verdict is Verdict.JWT_FAILING:
        return Mood.WATCH
    return Mood.BAD if verdict in CIE else Mood.UNKNOWN


def _title(verdict: Verdict, scene: Scene, *, opened: bool) -> str:
    """Nobody is told to open what is open."""
    title = TITLES[verdict].format(where=_where(scene))[:150]
    return title.replace("open a CIE", "its CIE is open") if opened else title


def _where(scene: Scene) -> str:
    same = [one for one in scene.looked if one.judgement.verdict is scene.worst.judgement.verdict]
    if len(same) > 1:
        return f" in {len(same)} regions"
    return f" in {scene.worst.region[:40]}" if scene.worst.region else ""


def evidence(scene: Scene, settings: Settings) -> tuple[Note, ...]:
    """The endpoint, what status pages say, how the other regions are, and who is to be told."""
    judged = scene.worst.judgement
    notes = [Note(label="Accounts endpoint", text=scene.health.told)] if scene.health else []
    notes += [Note(label=f"Status page {page.name}", text=_page(page)) for page in scene.pages]
    notes += [
        Note(label=one.region or "Region", text=TITLES[one.judgement.verdict].format(where=""))
        for one in scene.looked[1:]
    ]
    notes += [Note(label="Failure share", text=told)] if (told := shares(scene.worst.evidence)) else []
    if judged.until is not None and judged.verdict is not Verdict.HEALTHY:
        notes.append(Note(label="Last failure", text=clock(judged.until)))
    if whom := whom_to_tell(judged.verdict, settings):
        notes.append(Note(label="Escalate to", text=whom))
    return tuple(notes)


def whom_to_tell(verdict: Verdict, settings: Settings) -> str:
    """The squad's policy: a CIE is paged; everything else goes to its channel, or becomes an issue for later."""
    if verdict in CIE:
        return settings.policy and f"PagerDuty policy {settings.policy}"
    if verdict in OVER:
        return ""
    return " or ".join(filter(None, (settings.slack_channel and f"Slack {settings.slack_channel}", settings.issues)))


def _page(page: Any) -> str:
    if page.trouble:
        return f"{page.trouble} By hand: open {page.address}"
    found = "; ".join((*page.components, *page.incidents))
    return found or "It reports nothing out of order."


def links(scene: Scene, settings: Settings, tools: ReadTools) -> tuple[Note, ...]:
    """Addresses from the settings; an alert's own are not among them."""
    found = []
    read = scene.worst.evidence
    hours = settings.hours if read.begins is None else (read.now - read.begins) / HOUR  # the same as the picture's
    if scene.worst.region in tools.prometheus.regions():
        try:
            where = tools.prometheus.link(scene.worst.region, QUERY, hours=hours)
            found.append(Note(label=f"The query in {scene.worst.region}", text=where))
        except Told:
            pass  # the link is a convenience; what could not be read is told already
    found.append(Note(label="Accounts endpoint", text=settings.endpoint_address))
    found.append(Note(label="Red Hat support", text=settings.support))
    return tuple(found)


def steps(subject: Subject, scene: Scene, tools: ReadTools, *, opened: tuple[Note, ...]) -> tuple[RunbookStep, ...]:
    """The runbook's steps for this verdict, each with a button if there is a command for it."""
    judged = scene.worst.judgement
    names = list(CALLED[judged.verdict])
    if scene.health is None and not judged.over:
        names.insert(0, "check-endpoint")
    if judged.verdict is Verdict.STALE and any(one.failing for one in judged.courses if one.method == "token"):
        names.insert(names.index("escalate"), "open-cie")
    made = {name: RunbookStep(name=name, text=by_hand(name, tools), offer=offer(name, subject, scene, tools))
            for name in names}  # fmt: skip
    if opened and "open-cie" in made:
        made["open-cie"] = _opened(made["open-cie"], opened[0].text, subject, tools)
    return tuple(made.values())


def _opened(step: RunbookStep, told: str, subject: Subject, tools: ReadTools) -> RunbookStep:
    """With its button only while it is not known that somebody was paged, too: to page twice is to page once."""
    if paged(subject, tools):
        return RunbookStep(name=step.name, text=f"The CIE: {told}")
    return RunbookStep(
        name=step.name, text=f"The CIE: {told} – it is not known that PagerDuty was called for it.", offer=step.offer
    )


def paged(subject: Subject, tools: ReadTools) -> bool:
    """Was PagerDuty called for this incident's CIE, as far as it would be?"""
    if not tools.pager.configured():
        return True
    page, _ = attempt(lambda: tools.pager.raised(marker("cie", ForIncident(incident=subject.incident), tools.now())))
    return bool(page)


def offer(name: str, subject: Subject, scene: Scene, tools: ReadTools) -> Offer | None:
    command, label = OFFERS.get(name, ("", ""))
    if command not in tools.commands:
        return None
    known = scene.region if scene.region in tools.prometheus.regions() else ""
    ask = {"region": known} if known else {}
    ask |= {"incident": subject.incident} if subject.incident else {}
    return Offer(label=label, command=command, ask=ask, danger=name == "open-cie")
