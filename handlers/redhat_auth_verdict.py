"""The judgement about Red Hat authentication in one region. Pure: numbers in, a verdict and its reasons out."""

from __future__ import annotations

from enum import StrEnum

from bot.core.value import Value
from handlers.redhat_auth_course import FAILED, METHODS, SUCCESS, Course, Evidence, clock, course


class Verdict(StrEnum):
    """From the worst to the best; when several regions are judged, the first leads."""

    ENDPOINT_DOWN = "endpoint_down"
    BOTH_FAILING = "both_failing"
    TOKEN_FAILING = "token_failing"  # noqa: S105  a word, no password
    JWT_FAILING = "jwt_failing"
    PROMETHEUS_DOWN = "no_data_prometheus_down"
    QUERY_FAILED = "no_data_query_failed"
    METRIC_ABSENT = "no_data_metric_absent"
    STALE = "no_data_stale"
    NOT_CONFIGURED = "no_data_not_configured"
    UNCLEAR = "unclear"
    JWT_OVER = "jwt_over"
    RECOVERED = "recovered"
    HEALTHY = "healthy"


FAILING = frozenset({Verdict.ENDPOINT_DOWN, Verdict.BOTH_FAILING, Verdict.TOKEN_FAILING, Verdict.JWT_FAILING})
CIE = frozenset({Verdict.ENDPOINT_DOWN, Verdict.BOTH_FAILING, Verdict.TOKEN_FAILING})
OVER = frozenset({Verdict.JWT_OVER, Verdict.RECOVERED, Verdict.HEALTHY})
MISSING = frozenset(set(Verdict) - FAILING - OVER - {Verdict.UNCLEAR})
RANK = {verdict: place for place, verdict in enumerate(Verdict)}

MISSED = {
    "down": Verdict.PROMETHEUS_DOWN,
    "failed": Verdict.QUERY_FAILED,
    "not_configured": Verdict.NOT_CONFIGURED,
}


class Judgement(Value):
    verdict: Verdict
    reason: tuple[str, ...]
    cie: bool = False
    over: bool = False
    since: float | None = None
    earlier: bool = False  # it began before `since`, which is only as far back as was read
    until: float | None = None  # the last failure, when it is over
    courses: tuple[Course, ...] = ()


def judge(evidence: Evidence) -> Judgement:
    """The verdict. An endpoint that is down leads; without data nothing is ever called healthy."""
    judged = _logins(evidence)
    health = evidence.endpoint
    if health is None or health.reachable:
        return judged
    first, *rest = judged.reason
    told = f"The accounts endpoint is down: {health.told} That calls for a CIE."
    reason = (told, f"By the logins alone: {first}", *rest)  # which may say "No CIE"
    if judged.verdict in OVER:
        reason = (*reason, "Logins still work, so the fault may lie between the bot and the endpoint: look at both.")
    return judged.model_copy(
        update={"verdict": Verdict.ENDPOINT_DOWN, "reason": reason, "cie": True, "over": False, "until": None}
    )


def _logins(evidence: Evidence) -> Judgement:
    if evidence.problem is not None:
        return Judgement(verdict=MISSED[evidence.problem], reason=(evidence.told,))
    counted = [sample for sample in evidence.samples if sample.value is None or sample.value > 0]
    if not counted:
        return _absent(evidence)
    jwt, token = (course(evidence, method) for method in METHODS)
    judged = _verdict(evidence, jwt, token)
    extra = (*strange(evidence), *(f"Prometheus warns: {warning}" for warning in evidence.warnings))
    untimed = (_untimed(evidence),) if evidence.lines is None else ()
    reason = (*judged.reason, *(_figures(one) for one in (jwt, token) if one.succeeded or one.failed))
    judged = judged.model_copy(update={"reason": (*reason, *untimed, *extra), "courses": (jwt, token)})
    if judged.verdict in OVER and (extra or untimed):
        told = "It looks well, but not all of the data can be read, so this is not called healthy."
        return judged.model_copy(update={"verdict": Verdict.UNCLEAR, "over": False, "reason": (told, *judged.reason)})
    return judged


def _verdict(evidence: Evidence, jwt: Course, token: Course) -> Judgement:
    if quiet := _quiet_for(evidence):
        return Judgement(verdict=Verdict.STALE, reason=(quiet, *_last_known(jwt, token)))
    if jwt.failing and token.failing:
        return _found(Verdict.BOTH_FAILING, (jwt, token), "Both methods are failing: no login is left. CIE.")
    if jwt.failing:
        return _found(Verdict.JWT_FAILING, (jwt,), _carried(token))
    if token.failing:
        return _found(Verdict.TOKEN_FAILING, (token,), _alone(jwt))
    return _not_failing(jwt, token)


def _not_failing(jwt: Course, token: Course) -> Judgement:
    if not (jwt.succeeded or token.succeeded):
        return Judgement(verdict=Verdict.UNCLEAR, reason=("No login has succeeded within the hour.",))
    if token.noticed:
        return _over(Verdict.RECOVERED, (jwt, token), "token failed within the hour; logins work again.")
    if jwt.noticed:
        return _over(Verdict.JWT_OVER, (jwt,), "jwt failed within the hour and works again.")
    return _well(jwt, token)


def _last_known(jwt: Course, token: Course) -> tuple[str, ...]:
    failing = [one.method for one in (jwt, token) if one.failing]
    return (f"The last that is known: {' and '.join(failing)} failing.",) if failing else ()


def _well(jwt: Course, token: Course) -> Judgement:
    strays = sum(one.failed for one in (jwt, token))
    last = max((one.last_failure for one in (jwt, token) if one.last_failure is not None), default=None)
    told = "There are logins, and none has failed within the hour."
    if strays:
        told = f"{strays:g} of {strays + jwt.succeeded + token.succeeded:g} failed within the hour: too few to matter."
    elif last is not None:
        told = f"There are logins, and the last failure was at {clock(last)}, over an hour ago."
    return Judgement(verdict=Verdict.HEALTHY, reason=(told,), over=True, until=last)


def _found(verdict: Verdict, courses: tuple[Course, ...], told: str) -> Judgement:
    """`since` is when the state began: both are failing since the later of the two began to."""
    last = _begun(courses)[-1]
    return Judgement(verdict=verdict, reason=(told,), cie=verdict in CIE, since=last.since, earlier=last.earlier)


def _begun(courses: tuple[Course, ...]) -> list[Course]:
    """Those that began at a known time, the earliest first; if there are none, one that tells nothing."""
    known = (one for one in courses if one.since is not None)
    return sorted(known, key=lambda one: one.since or 0) or [Course(method="")]


def _over(verdict: Verdict, courses: tuple[Course, ...], told: str) -> Judgement:
    first = _begun(courses)[0]
    ended = [one.last_failure for one in courses if one.last_failure is not None]
    return Judgement(
        verdict=verdict,
        reason=(told,),
        over=True,
        since=first.since,
        earlier=first.earlier,
        until=max(ended, default=None),
    )


def _carried(token: Course) -> str:
    if token.succeeded:
        return f"Only jwt is failing; token took over ({token.succeeded:g} successes), so clusters are made. No CIE."
    return "Only jwt is failing, but token has not been seen to succeed either. No CIE as long as it does not fail."


def _alone(jwt: Course) -> str:
    if jwt.succeeded:
        return (
            "token is failing: a CIE by the runbook, because token is tried only after jwt has failed. Yet jwt is not "
            "seen failing: look closer before you open it."
        )
    return "token is failing, and of jwt no success is known: as far as can be seen no login is left. CIE."


def _absent(evidence: Evidence) -> Judgement:
    seen = [line for line in evidence.lines or () if any(value for _, value in line.points)]
    if seen:
        last = max(at for line in seen for at, value in line.points if value)
        told = f"There were samples until {clock(last)}, and none within the last hour. That is not the same as well."
        return Judgement(verdict=Verdict.STALE, reason=(told,))
    told = "Prometheus answers, but has no sample of the metric: the deployer is not scraped, or its name has changed."
    return Judgement(
        verdict=Verdict.METRIC_ABSENT, reason=(told, *(f"Prometheus warns: {w}" for w in evidence.warnings))
    )


def _quiet_for(evidence: Evidence) -> str:
    """A sentence when there are samples within the hour, but none of late; empty when all is fresh or not known."""
    if evidence.lines is None:
        return ""
    last = max((at for line in evidence.lines for at, value in line.points if value), default=None)
    if last is None:
        return "The hour has samples, but the course over time shows none: the two answers do not fit together."
    if evidence.now - last <= evidence.stale:
        return ""
    return f"The newest sample is of {clock(last)}; what has happened since is not known."


def strange(evidence: Evidence) -> tuple[str, ...]:
    """What is in the answer that the runbook does not know. It is told, and keeps a verdict from being a good one."""
    told = []
    for sample in evidence.samples:
        method, status = sample.labels.get("method", ""), sample.labels.get("status", "")
        name = f"method {method[:40] or '(none)'}, status {status[:40] or '(none)'}"
        if sample.value is None:
            told.append(f"The value for {name} is not a number.")
        elif sample.value > 0 and (method not in METHODS or status not in (SUCCESS, FAILED)):
            told.append(f"{sample.value:g} for {name}, which the runbook does not know.")
    return tuple(told)


def _figures(one: Course) -> str:
    told = f"{one.method}: {one.failed:g} failed and {one.succeeded:g} succeeded within the hour"
    if one.failed and one.last_failure is not None:
        told += f", the last failure at {clock(one.last_failure)}"
    return told + "."


def _untimed(evidence: Evidence) -> str:
    why = evidence.untimed or "The course over time could not be read."
    return f"{why} So failures within the hour are taken to be going on."
