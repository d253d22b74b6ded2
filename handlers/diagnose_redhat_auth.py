"""/diagnose-redhat-auth and the alert armada_kubx_deployer_redhat_auth (runbook beside this file). Changes nothing."""

from __future__ import annotations

import re
from collections.abc import Callable

from pydantic import Field

from bot.core.alert import Alert, Matcher
from bot.core.diagnosis import AlertHandler, Diagnosis, Subject, Watching
from bot.core.handler import Handler
from bot.core.plan import Answer, Note
from bot.core.ports import ReadTools
from handlers.redhat_auth import ALERT, METRIC, RUNBOOK, Region, Settings, known
from handlers.redhat_auth_course import day_and_clock
from handlers.redhat_auth_diagnosis import STEPS, diagnose
from handlers.redhat_auth_look import seconds

COMMAND = RUNBOOK
FIRES = re.compile(r"\bfiring\b|\balertname\b|\bexperienc\w+ [^\n]{0,40}\bfailures\b", re.IGNORECASE)
__all__ = ["ALERT_HANDLER", "HANDLER", "STEPS"]


class DiagnoseRedhatAuth(Region):
    """What a person types after /diagnose-redhat-auth."""

    since: str = Field(
        default="3h",
        max_length=40,
        description="How far back to look: 90m, 3h; a day at most.",
        json_schema_extra={"positional": True},
    )


def plan(ask: DiagnoseRedhatAuth, settings: Settings, tools: ReadTools) -> Answer:
    """The diagnosis of the alert, asked for by hand."""
    region, now = known(ask.region, tools.prometheus.regions()), tools.now()
    length = seconds(ask.since)
    settings = settings.model_copy(update={"hours": length / 3600})
    subject = Subject(incident="", key=region, began=now, options={"since": ask.since})
    return answer(diagnose(subject, settings, tools))


def answer(found: Diagnosis) -> Answer:
    """A diagnosis as the answer to a command."""
    before = "before " if found.earlier else ""
    since = (f"Since {before}{day_and_clock(found.since)}.",) if found.since is not None and not found.over else ()
    chart = (Note(label="Over time", text=found.chart.alt),) if found.chart else ()
    return Answer(
        command=COMMAND,
        title=found.title,
        text=(f"Verdict: {found.verdict}.", *since, *found.reason),
        table=found.table,
        notes=(*found.evidence, *chart, *found.links),
        warnings=tuple(f"{note.label}: {note.text}" for note in found.unchecked),
        checklist=found.steps,
        chart=found.chart,
    )


def region_of(settings: Settings) -> Callable[[Alert], str]:
    """The region that an alert names, by the label that the settings name."""
    return lambda alert: alert.labels.get(settings.region_label, "")[:100]


def speaks_of_it(text: str) -> bool:
    """Is this the alert, posted or pasted? Who talks about the metric, or a change of its rule, raises no alarm."""
    return METRIC in text and FIRES.search(text) is not None


HANDLER = Handler(
    name=COMMAND,
    summary="Say whether logins to Red Hat fail, which ones, since when, and what to do.",
    ask=DiagnoseRedhatAuth,
    settings=Settings,
    plan=plan,
    example="us-south 3h",
)

ALERT_HANDLER = AlertHandler(
    name="redhat-auth",
    summary="armada-kubx-deployer fails to log in to Red Hat.",
    settings=Settings,
    matchers=(
        (Matcher(label="alertname", equal=ALERT),),
        (Matcher(label="alert_situation", equal=ALERT),),
        (Matcher(label="alertname", regex=rf"(?s).*{METRIC}.*"),),
        (
            Matcher(label="service", regex="armada-kubx-deployer.*"),
            Matcher(label="alertname", regex=".*redhat.?auth.*"),
        ),
    ),
    diagnose=diagnose,
    keyed=region_of,
    recognises=speaks_of_it,
    watching=Watching(every=120, quiet=1800, longest=12 * 3600),
    runbook=RUNBOOK,
)
