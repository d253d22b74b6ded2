"""Logins with an offline token that Red Hat SSO refuses: which refusal it is, and what mends it (runbook beside this).

Recognised by `bot.core.sso.verdict`, as the tool recognises what the server answers (upstream.md, seed 000).
"""

from __future__ import annotations

import re

from pydantic import Field

from bot.core import sso
from bot.core.alert import Alert, Matcher
from bot.core.diagnosis import AlertHandler, Diagnosis, Mood, Offer, RunbookStep, Subject
from bot.core.handler import HandlerSettings
from bot.core.plan import Note
from bot.core.ports import ReadTools
from bot.core.sso import Verdict
from bot.core.value import Value
from handlers.shelf import step

RUNBOOK = "offline-session"
CURE = "fix-offline-session"
STEPS = ("renew", "check-client", "check-owner", "run-again")


class Refusal(Value):
    """One way in which the server refuses (`bot.core.sso.WORDS`). `steps`: what mends it."""

    verdict: Verdict
    title: str
    means: str
    steps: tuple[str, ...]


REFUSALS = (
    Refusal(
        verdict="session_not_found",
        title="The offline session is gone: a new offline token is needed",
        means="Red Hat SSO no longer has the session behind the token: it was revoked, or not used for 30 days.",
        steps=("renew", "run-again"),
    ),
    Refusal(
        verdict="session_not_active",
        title="The offline session has ended: a new offline token is needed",
        means="It reached its longest life or lay idle too long. The server drops it; next time it is 'not found'.",
        steps=("renew", "run-again"),
    ),
    Refusal(
        verdict="stale_token",
        title="The offline token was replaced by a newer one",
        means="Somebody or something used the token and got a new one, or all tokens up to a date were revoked.",
        steps=("renew", "check-owner", "run-again"),
    ),
    Refusal(
        verdict="wrong_client",
        title="The offline token belongs to another client",
        means="It was issued for another client_id than the one that uses it. One from the same place will not do.",
        steps=("check-client", "renew", "run-again"),
    ),
    Refusal(
        verdict="client_session_ended",
        title="The client's part of the offline session has ended: a new offline token is needed",
        means="It was revoked or reached its own end, or the server took it away because a token was used that had "
        "been replaced already, as happens when two use the same one.",
        steps=("renew", "check-owner", "run-again"),
    ),
    Refusal(
        verdict="owner_disabled",
        title="The account that owns the offline token is disabled",
        means="Nothing that is done to the token helps before its owner is enabled.",
        steps=("check-owner", "renew", "run-again"),
    ),
    Refusal(
        verdict="token_not_active",
        title="The token is past its end, or not valid yet",
        means="This is an ordinary token, the realm limits the life of offline ones, or the machine's clock is wrong.",
        steps=("renew", "run-again"),
    ),
    Refusal(
        verdict="invalid_token",
        title="The offline token is damaged, or from another server",
        means="Its signature, type or owner is not what the server knows. It may have been cut when it was copied.",
        steps=("renew", "run-again"),
    ),
    Refusal(
        verdict="ordinary_session",
        title="An ordinary session has ended; it was not an offline token",
        means="The token came from a login without the scope offline_access, and ended with that login.",
        steps=("renew", "run-again"),
    ),
    Refusal(
        verdict="no_token",
        title="No refresh token was sent",
        means="The place that the job reads is empty, or the job reads another place.",
        steps=("check-owner", "renew", "run-again"),
    ),
    Refusal(
        verdict="client_refused",
        title="Red Hat SSO refuses the client, not the token",
        means="The client's id, secret or key is wrong, or the client is disabled. A new token will not help.",
        steps=("check-client", "run-again"),
    ),
    Refusal(
        verdict="refused",
        title="Red Hat SSO refuses the token, with words that the runbook does not know",
        means="invalid_grant says that the token cannot be used; why, only the words after it tell.",
        steps=("renew", "check-owner", "run-again"),
    ),
)
GRANT = re.compile(
    r"can.t get access token|invalid_grant|openid-connect/token|offline (?:user )?session", re.IGNORECASE
)


class Settings(HandlerSettings):
    """Who owns the token, for people."""

    token_page: str = Field(
        default="https://console.redhat.com/openshift/token", description="Where a person gets a new offline token."
    )
    owner: str = Field(default="", description="Who may issue a new one: a person, a team, a channel.")


def which(text: str) -> Refusal | None:
    """The refusal that a text tells of; None if it tells of none."""
    verdict = sso.verdict(text, text) if GRANT.search(" ".join(text.split())) else None
    return next((one for one in REFUSALS if one.verdict == verdict), None)


def said(subject: Subject) -> str:
    texts = (subject.text, *(text for alert in subject.alerts for text in (*alert.annotations.values(), alert.name)))
    return "\n".join(texts)


def diagnose(subject: Subject, settings: Settings, tools: ReadTools) -> Diagnosis:
    """Which refusal it is. Only the text is read: no token is tried, because trying one may use it up."""
    found = which(said(subject))
    if found is None:
        return unknown()
    resolved = bool(subject.alerts) and all(alert.status == "resolved" for alert in subject.alerts)
    owner = (Note(label="Owner", text=settings.owner),) if settings.owner else ()
    return Diagnosis(
        verdict=found.verdict,
        mood=Mood.WATCH if resolved else Mood.BAD,
        title=found.title,
        reason=(found.means, "Recognised by the error and its description in what was posted."),
        evidence=owner,
        links=(Note(label="New offline token", text=settings.token_page),),
        steps=tuple(_step(name, tools) for name in found.steps),
        runbook=RUNBOOK,
        over=resolved,
    )


def unknown() -> Diagnosis:
    return Diagnosis(
        verdict="not_recognised",
        mood=Mood.UNKNOWN,
        title="It speaks of a login, but not of a refusal that the runbook knows",
        reason=("Neither an error nor a description of the runbook's table is in what was posted.",),
        unchecked=(Note(label="The log", text="Look for the lines with 'access token' in it by hand."),),
        runbook=RUNBOOK,
    )


def _step(name: str, tools: ReadTools) -> RunbookStep:
    """The cure is a button where its command is enabled; everywhere else a person does it and ticks it."""
    cure = name == "renew" and CURE in tools.commands
    offer = Offer(label="Renew the offline session", command=CURE) if cure else None
    return RunbookStep(name=name, text=step(tools, RUNBOOK, name).text, offer=offer)


def job_of(alert: Alert) -> str:
    """Incidents by the job that failed, where the alert names one."""
    return alert.labels.get("job_name", "")[:100]


ALERT_HANDLER = AlertHandler(
    name="offline-session",
    summary="Red Hat SSO refuses an offline token.",
    settings=Settings,
    matchers=((Matcher(label="alertname", regex=r"(?s)(?i:.*offline.?session.*)"),),),
    diagnose=diagnose,
    key=job_of,
    recognises=lambda text: which(text) is not None,
    runbook=RUNBOOK,
)
