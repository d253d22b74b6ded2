"""/escalate-redhat-auth: the squad's policy. A CIE is paged; the rest goes to its channel, or becomes an issue."""

from __future__ import annotations

from bot.core.diagnosis import Subject
from bot.core.handler import Handler
from bot.core.plan import Answer, Note, Plan, Stage, Step
from bot.core.ports import ReadTools
from handlers.open_cie import known_done, told_of_endpoint
from handlers.redhat_auth import ForIncident, Settings, known, marker
from handlers.redhat_auth_diagnosis import TITLES
from handlers.redhat_auth_look import Scene, look
from handlers.redhat_auth_verdict import CIE, OVER
from handlers.tickets import OpenIssue, PageOut, quoted

COMMAND = "escalate-redhat-auth"


def plan(ask: ForIncident, settings: Settings, tools: ReadTools) -> Plan | Answer:
    """Look once more; page if it is a CIE, else propose an issue for later and name the squad's channel."""
    known(ask.region, tools.prometheus.regions())
    scene = look(Subject(incident=ask.incident, key=ask.region, began=tools.now()), settings, tools)
    step = call(ask, scene, tools)
    if step is None:
        return by_hand(scene, settings)
    if known_done(step, tools):
        return Answer(command=COMMAND, title="The squad has been told already", notes=whom(scene, settings))
    return Plan(
        command=COMMAND,
        title="Escalate to the squad: " + ("page it" if isinstance(step, PageOut) else "open an issue for later"),
        subject="escalate/redhat-auth",
        ask=ask.model_dump(mode="json"),
        stages=(Stage(steps=(step,)),),
        on_failure="go_on",  # so that it is proposed also while it cannot be looked up
        notes=whom(scene, settings),
        warnings=doubts(scene),
    )


def doubts(scene: Scene) -> tuple[str, ...]:
    """What speaks against it, or is not known."""
    well = ("The bot sees nothing failing now.",) if scene.worst.judgement.verdict in OVER else ()
    return (*well, *(f"Not checked: {note.label}" for note in scene.unchecked))


def call(ask: ForIncident, scene: Scene, tools: ReadTools) -> Step | None:
    """The step that the policy names, if what it needs is configured."""
    judged, mark = scene.worst.judgement, marker("escalation", ask, tools.now())
    title = TITLES[judged.verdict].format(where=f" in {ask.region}" if ask.region else "")
    if judged.verdict in CIE:
        details = {"verdict": judged.verdict.value, "why": judged.reason[0]}
        return PageOut(key=mark, summary=f"Help needed: {title}", details=details) if tools.pager.configured() else None
    if not tools.tracker.configured():
        return None
    body = f"To be looked into:\n\n{quoted((*judged.reason, *told_of_endpoint(scene)))}"
    return OpenIssue(title=title, body=body, marker=mark)


def by_hand(scene: Scene, settings: Settings) -> Answer:
    cie = scene.worst.judgement.verdict in CIE
    told = "Page the squad by hand: PagerDuty is not configured." if cie else "No CIE: tell the squad in its channel."
    return Answer(command=COMMAND, title=told, text=scene.worst.judgement.reason, notes=whom(scene, settings))


def whom(scene: Scene, settings: Settings) -> tuple[Note, ...]:
    cie = scene.worst.judgement.verdict in CIE
    names = (
        (("PagerDuty policy", settings.policy),)
        if cie
        else (("Slack channel", settings.slack_channel), ("Issues", settings.issues))
    )
    return tuple(Note(label=label, text=text) for label, text in names if text)


HANDLER = Handler(
    name=COMMAND,
    summary="Escalate failing Red Hat logins as the squad's policy says.",
    ask=ForIncident,
    settings=Settings,
    plan=plan,
    steps=(PageOut, OpenIssue),
    example="us-south",
)
