"""/open-cie: page and open the issue of a CIE, once for an incident (runbook beside this file)."""

from __future__ import annotations

from bot.core.diagnosis import Subject
from bot.core.errors import Told
from bot.core.handler import Handler
from bot.core.plan import Answer, Note, Plan, Stage, Step
from bot.core.ports import ReadTools
from handlers.redhat_auth import TITLE, ForIncident, Settings, known, marker
from handlers.redhat_auth_diagnosis import links
from handlers.redhat_auth_look import Scene, look
from handlers.redhat_auth_verdict import CIE
from handlers.tickets import CallHook, OpenIssue, PageOut, quoted

COMMAND = "open-cie"


def plan(ask: ForIncident, settings: Settings, tools: ReadTools) -> Plan | Answer:
    """Look once more, then propose what is configured: a page, an issue, a webhook; with none, say how by hand."""
    known(ask.region, tools.prometheus.regions())
    scene = look(Subject(incident=ask.incident, key=ask.region, began=tools.now()), settings, tools)
    mark = marker("cie", ask, tools.now())
    steps = calls(mark, scene, settings, tools)
    if not steps:
        return by_hand(scene)
    if all(known_done(step, tools) for step in steps):
        return already(mark, tools)
    return Plan(
        command=COMMAND,
        title=f"Open a CIE: {TITLE}",
        subject="cie/redhat-auth",
        ask=ask.model_dump(mode="json"),
        stages=tuple(Stage(steps=(step,)) for step in steps),
        on_failure="go_on",
        notes=tuple(Note(label="Seen now", text=line) for line in scene.worst.judgement.reason[:3]),
        warnings=doubts(scene),
        then=(Note(label="Next", text="Contact Red Hat support (/contact-redhat), and watch the query."),),
    )


def known_done(step: Step, tools: ReadTools) -> bool:
    """A call whose state cannot be looked up just now is proposed: made again, it is the same page or issue."""
    try:
        return step.done(tools)
    except Told:
        return False


def calls(mark: str, scene: Scene, settings: Settings, tools: ReadTools) -> tuple[Step, ...]:
    reason = scene.worst.judgement.reason
    steps: list[Step] = []
    if tools.pager.configured():
        details = {
            "verdict": scene.worst.judgement.verdict.value,
            "region": scene.region or "several",
            "why": reason[0],
        }
        steps.append(PageOut(key=mark, summary=TITLE, details=details))
    seen = (*reason, *told_of_endpoint(scene))
    if tools.tracker.configured():
        body = f"What the bot saw:\n\n{quoted(seen)}"
        steps.append(OpenIssue(title=TITLE, body=body, labels=settings.labels, marker=mark))
    if tools.hook.configured():
        addresses = {note.label: note.text for note in links(scene, settings, tools)}
        told = "\n".join(seen)
        steps.append(CallHook(title=TITLE, body=told, region=scene.region, links=addresses, marker=mark))
    return tuple(steps)


def told_of_endpoint(scene: Scene) -> tuple[str, ...]:
    return (f"Accounts endpoint: {scene.health.told}",) if scene.health else ("The accounts endpoint was not checked.",)


def doubts(scene: Scene) -> tuple[str, ...]:
    verdict = scene.worst.judgement.verdict
    missed = tuple(f"Not checked: {note.label}" for note in scene.unchecked)
    if verdict in CIE:
        return missed
    return (f"What the bot sees now ({verdict.value}) does not by itself call for a CIE.", *missed)


def by_hand(scene: Scene) -> Answer:
    return Answer(
        command=COMMAND,
        title="The bot cannot open a CIE: PagerDuty, issue tracker and webhook are not configured",
        text=("Open it by hand, with exactly this title:", TITLE, "What the bot saw:", *scene.worst.judgement.reason),
        warnings=doubts(scene),
    )


def already(mark: str, tools: ReadTools) -> Answer:
    where = tools.tracker.find(mark) if tools.tracker.configured() else None
    return Answer(
        command=COMMAND,
        title="This CIE is open already",
        text=(f"The issue: {where}",) if where else ("It was paged, or the CIE webhook was called.",),
    )


HANDLER = Handler(
    name=COMMAND,
    summary="Open a CIE for OpenShift clusters: page, and open its issue.",
    ask=ForIncident,
    settings=Settings,
    plan=plan,
    steps=(PageOut, OpenIssue, CallHook),
    example="us-south",
)
