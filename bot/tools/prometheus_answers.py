"""What Prometheus's answers mean (query API v1): our values, or our errors. Its own error texts go no further."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from bot.core.errors import Refused, Told, Transient
from bot.core.outside import Line, Matrix, Sample, Vector
from bot.tools.foreign_text import plain, some
from bot.tools.http_answer import Answer

AGAIN = "Try again in a minute."
LONGEST_WARNING = 200
MOST_WARNINGS = 5


class Misshapen(Exception):
    """A success that is not in the shape that the API promises."""


def vector(answer: Answer, where: str) -> Vector:
    """The answer of an instant query; a scalar is one sample without labels. Refused, Transient."""
    document = _success(answer, where)
    try:
        kind, result = _result(document)
        if kind == "scalar":
            at, value = _point(result)
            return Vector(samples=(Sample(labels={}, at=at, value=value),), warnings=_warnings(document))
        if kind == "vector":
            return Vector(samples=tuple(_sample(series) for series in result), warnings=_warnings(document))
    except Misshapen:
        kind = ""
    raise _not_a("value per series", where) if kind else misshapen(where)


def matrix(answer: Answer, where: str) -> Matrix:
    """The answer of a range query. Refused, Transient."""
    document = _success(answer, where)
    try:
        kind, result = _result(document)
        if kind == "matrix":
            return Matrix(lines=tuple(_line(series) for series in result), warnings=_warnings(document))
    except Misshapen:
        kind = ""
    raise _not_a("range", where) if kind else misshapen(where)


def _success(answer: Answer, where: str) -> dict[str, Any]:
    if answer.status != 200:
        raise refusal(answer, where)
    document = answer.object
    if document is None or document.get("status") != "success":
        raise misshapen(where, empty=not answer.body.strip())
    return document


def _result(document: dict[str, Any]) -> tuple[str, list[Any]]:
    data = document.get("data")
    kind, result = (data.get("resultType"), data.get("result")) if isinstance(data, dict) else (None, None)
    if not isinstance(kind, str) or not isinstance(result, list):
        raise Misshapen
    return kind, result


def _sample(series: Any) -> Sample:
    labels = _labels(series)
    if "histogram" in series:  # a native histogram has no one value
        return Sample(labels=labels, at=_time(series["histogram"]), value=None)
    at, value = _point(series.get("value"))
    return Sample(labels=labels, at=at, value=value)


def _line(series: Any) -> Line:
    labels = _labels(series)
    values, histograms = series.get("values", []), series.get("histograms", [])
    if not isinstance(values, list) or not isinstance(histograms, list):
        raise Misshapen
    points = [*map(_point, values), *((_time(pair), None) for pair in histograms)]
    return Line(labels=labels, points=tuple(sorted(points, key=lambda point: point[0])))


def _labels(series: Any) -> dict[str, str]:
    labels = series.get("metric") if isinstance(series, dict) else None
    if not isinstance(labels, dict) or not all(isinstance(value, str) for value in labels.values()):
        raise Misshapen
    return dict(labels)


def _point(pair: Any) -> tuple[float, float | None]:
    """(seconds, value); NaN and infinities say nothing."""
    at = _time(pair)
    if not isinstance(pair[1], str):
        raise Misshapen
    try:
        value = float(pair[1])
    except ValueError:
        raise Misshapen from None
    return at, value if math.isfinite(value) else None


def _time(pair: Any) -> float:
    if (
        not isinstance(pair, list)
        or len(pair) != 2
        or isinstance(pair[0], bool)
        or not isinstance(pair[0], int | float)
    ):
        raise Misshapen
    try:
        at = float(pair[0])
    except OverflowError:
        raise Misshapen from None
    if not math.isfinite(at):
        raise Misshapen
    return at


def _warnings(document: dict[str, Any]) -> tuple[str, ...]:
    told = document.get("warnings")
    texts = [text for text in told if isinstance(text, str)] if isinstance(told, list) else []
    return some((plain(text, LONGEST_WARNING) for text in texts), MOST_WARNINGS)


class Rule(NamedTuple):
    """A status, the `errorType` that Prometheus then names ("" is any, "-": not Prometheus's own words), the error."""

    status: range
    error: str
    kind: type[Told]
    what: str  # {where} {status}
    now: str


def _only(status: int) -> range:
    return range(status, status + 1)


RULES = (  # the first that fits
    Rule(range(300, 400), "", Refused, "{where} sends the bot to another address ({status}); it does not follow with "
         "its login.", "Set the address in the settings to where it sends, or give the bot a login that it accepts."),
    Rule(_only(400), "-", Refused, "{where} answered {status}, but not as Prometheus does.",
         "Check the address in the settings: http or https, port, path."),
    Rule(_only(400), "", Refused, "{where} did not understand the bot's query ({status}).",
         "This is a fault of the bot or of its settings: report it, and run the runbook's query by hand."),
    Rule(_only(401), "", Refused, "{where} does not accept the bot's login ({status}).",
         "Check the region's `auth` in the settings and renew what it names."),
    Rule(_only(403), "", Refused, "{where} does not let the bot query ({status}).",
         "Give the bot's login the right to query there."),
    Rule(range(404, 406), "", Refused, "{where} has no Prometheus query API ({status}).",
         "Check the address in the settings, with its path prefix."),
    Rule(_only(422), "", Refused, "{where} understood the bot's query but cannot carry it out ({status}).",
         "Run the runbook's query by hand there; its answer says what is too much or contradictory."),
    Rule(_only(429), "", Transient, "{where} is asked too often ({status}).", AGAIN),
    Rule(_only(503), "timeout", Transient, "{where} gave up on the query because it took too long ({status}).",
         "It is overloaded or the data is large: try again in a minute, or look by hand."),
    Rule(range(502, 505), "-", Transient, "{where} is not reachable behind its proxy ({status}).",
         AGAIN + " If it goes on, tell those who run it."),
    Rule(range(500, 600), "", Transient, "{where} failed inside ({status}).",
         AGAIN + " If it goes on, tell those who run it."),
    Rule(range(1000), "", Transient, "{where} gave an answer that the bot does not know ({status}).",
         "Check the address in the settings."),
)  # fmt: skip


def refusal(answer: Answer, where: str) -> Told:
    """The error for an answer that is not a success."""
    told = (answer.object or {}).get("errorType")
    error = told if isinstance(told, str) and told else "-"
    rule = next(rule for rule in RULES if answer.status in rule.status and rule.error in ("", error))
    what = rule.what.format(where=where, status=answer.status)
    return Transient(what, rule.now, after=answer.after) if rule.kind is Transient else rule.kind(what, rule.now)


def misshapen(where: str, *, empty: bool = False) -> Transient:
    what = f"{where} gave an empty answer." if empty else f"What answers for {where} does not speak like Prometheus."
    return Transient(what, "Check that the address in the settings is Prometheus and not a login page or a proxy.")


def _not_a(wanted: str, where: str) -> Refused:
    return Refused(
        f"The bot's query does not give a {wanted} at {where}.",
        "This is a fault of the bot or of its settings: report it, and run the runbook's query by hand.",
    )
