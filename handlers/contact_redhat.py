"""/contact-redhat: what to tell Red Hat support, filled in; and the case, where that is configured."""

from __future__ import annotations

from bot.core.diagnosis import Subject
from bot.core.handler import Handler
from bot.core.outside import Health
from bot.core.plan import Answer, Note, Plan, Stage
from bot.core.ports import ReadTools
from handlers.redhat_auth import ForIncident, Settings, known, marker
from handlers.redhat_auth_course import METHODS, Course, day_and_clock
from handlers.redhat_auth_look import Looked, Scene, attempt, look
from handlers.redhat_auth_verdict import CIE, OVER, Verdict, judge
from handlers.tickets import OpenCase

COMMAND = "contact-redhat"
SUMMARY = "Red Hat OpenShift on IBM Cloud cannot authenticate to Red Hat"
BY_HAND = "By hand: look whether there is a case, and copy this into it or into a new one."


def plan(ask: ForIncident, settings: Settings, tools: ReadTools) -> Plan | Answer:
    """The text to copy; with a configured support account, a plan that opens the case with it."""
    known(ask.region, tools.prometheus.regions())
    scene = look(Subject(incident=ask.incident, key=ask.region, began=tools.now()), settings, tools)
    told = text(scene, settings)
    if not tools.cases.configured():
        return to_copy("What to tell Red Hat support", told, scene, settings)
    mark = marker("case", ask, tools.now())
    number, away = attempt(lambda: tools.cases.find(mark))
    if away:  # its login is Red Hat's own, which may be just what fails: the text is there all the same
        title, first = "What to tell Red Hat support: the bot cannot open a case now", f"{away} {BY_HAND}"
        return to_copy(title, told, scene, settings, first)
    if number:
        return Answer(command=COMMAND, title=f"Red Hat support has case {number} for this", text=told)
    severity = "1 (Urgent)" if scene.worst.judgement.verdict in CIE else "2 (High)"
    step = OpenCase(summary=SUMMARY, description="\n".join(told), severity=severity, marker=mark)
    return Plan(
        command=COMMAND,
        title="Open a case with Red Hat support",
        subject="case/redhat-auth",
        ask=ask.model_dump(mode="json"),
        stages=(Stage(steps=(step,)),),
        on_failure="stop",
        notes=tuple(Note(label=f"Text {i}", text=line) for i, line in enumerate(told, 1)),
        warnings=doubts(scene),
        then=where(settings),
    )


def to_copy(title: str, told: tuple[str, ...], scene: Scene, settings: Settings, *first: str) -> Answer:
    warnings = (*first, *doubts(scene))
    return Answer(command=COMMAND, title=title, text=told, notes=where(settings), warnings=warnings)


def text(scene: Scene, settings: Settings) -> tuple[str, ...]:
    """What the runbook asks people to say: names and numbers, never a key or a token."""
    return (
        f"{SUMMARY}{_effect(scene)}",
        _endpoint(scene.health, settings),
        *(line for method in METHODS for line in _method(method, scene, settings)),
        f"Both methods belong to Red Hat account {settings.account}.",
    )


def _effect(scene: Scene) -> str:
    """No more than is known: an endpoint that is down, and logins that work all the same, is not yet an outage."""
    alone = judge(scene.worst.evidence.model_copy(update={"endpoint": None})).verdict
    if alone is Verdict.BOTH_FAILING:
        return ". Clusters can be neither created nor deleted."
    if alone in OVER and scene.worst.judgement.verdict in OVER:
        return " at times; at the moment logins work."
    if alone not in OVER and scene.worst.judgement.verdict in CIE:
        return ". The creation and deletion of clusters is impacted."
    return " reliably; the creation and deletion of clusters is at risk."


def _endpoint(health: Health | None, settings: Settings) -> str:
    address = settings.endpoint_address
    if health is None:
        return f"Whether {address} works: [fill in, the bot could not check it]."
    if not health.reachable:
        return f"{address} does not work: {health.told}"
    return f"{address} answers" + ("." if health.latency is None else f", in {health.latency * 1000:.0f} ms.")


def _method(method: str, scene: Scene, settings: Settings) -> tuple[str, ...]:
    login = f" (service account {settings.service_account}, user name {settings.username})" if method == "jwt" else ""
    what = {"jwt": "The jwt method", "token": "The token method, our backup,"}[method]
    states = [_state(one, method) for one in scene.looked]
    return tuple(f"{what}{login} {state}" for state in dict.fromkeys(states))


def _state(one: Looked, method: str) -> str:
    where = f" in {one.region}" if one.region else ""
    course: Course | None = next((c for c in one.judgement.courses if c.method == method), None)
    if course is None:
        return f"may or may not be failing{where}: [fill in, the bot could not check it]."
    if course.failing:
        before = "before " if course.earlier else ""
        since = f" since {before}{day_and_clock(course.since)}" if course.since is not None else ""
        counted = f"{course.failed:g} of {course.failed + course.succeeded:g} samples of our monitoring show a failure"
        return f"is failing{where}{since}: {counted} in the last hour."
    if course.noticed and course.last_failure is not None:
        return f"failed{where} until {day_and_clock(course.last_failure)}, and is not failing now."
    if not course.succeeded:
        return f"has not been used{where} within the hour."
    return f"is not failing{where}."


def where(settings: Settings) -> tuple[Note, ...]:
    return (
        Note(label="Where", text=f"Open a case or a chat at {settings.support}"),
        Note(label="Never send", text="The signing key and the refresh token. Red Hat does not need them."),
    )


def doubts(scene: Scene) -> tuple[str, ...]:
    return tuple(f"{note.label} could not be checked: {note.text}" for note in scene.unchecked)


HANDLER = Handler(
    name=COMMAND,
    summary="Write what to tell Red Hat support about failing logins; open the case where configured.",
    ask=ForIncident,
    settings=Settings,
    plan=plan,
    steps=(OpenCase,),
    example="us-south",
)
