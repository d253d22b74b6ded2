"""As much of PromQL as alerts about one metric need, computed from scripted samples.

Known: selectors with matchers, `sum|count|min|max [by (…)]`, `count|sum|min|max|last_over_time(…[d])`, `absent(…)`,
`timestamp(…)` and parentheses. Everything else is a parse error, as a typing mistake would be.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

LOOKBACK = 300.0  # seconds that a sample stands for its series in an instant selector
UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
TOKEN = re.compile(r'\s*([A-Za-z_:][\w:]*|"(?:[^"\\]|\\.)*"|\[[^\]]*\]|=~|!~|!=|=|[(){},])')
AGGREGATES: dict[str, Callable[[list[float]], float]] = {"sum": sum, "min": min, "max": max, "count": len}
OVER_TIME: dict[str, Callable[[list[float]], float]] = {
    "count_over_time": len, "sum_over_time": sum, "min_over_time": min, "max_over_time": max,
    "last_over_time": lambda values: values[-1],
}  # fmt: skip
WITH_NAME = ("last_over_time",)

Labels = tuple[tuple[str, str], ...]  # sorted
Samples = dict[Labels, list[tuple[float, float]]]  # (seconds, value) in order of time
Result = dict[Labels, tuple[float, float]]  # labels -> (time of the sample, value)
Expression = Callable[[Samples, float], Result]


class ParseError(Exception):
    """Not PromQL, or more of it than is known here."""


def labels_of(labels: dict[str, str]) -> Labels:
    return tuple(sorted(labels.items()))


def seconds(text: str) -> float:
    """A duration as Prometheus writes it ("1h30m"), or a plain number of seconds. ParseError."""
    if re.fullmatch(r"\d+(\.\d+)?", text):
        return float(text)
    parts = re.findall(r"(\d+)(ms|[smhdw])", text)
    if not text or "".join(number + unit for number, unit in parts) != text:
        raise ParseError(f"not a valid duration string: {text[:40]!r}")
    return sum(int(number) * UNITS[unit] for number, unit in parts)


def parse(query: str) -> Expression:
    """The query as a function of samples and time. ParseError."""
    reader = _Reader(list(_tokens(query)))
    if not reader.more:
        raise ParseError("no expression found in input")
    expression = reader.expression()
    if reader.more:
        raise ParseError(f"unexpected {reader.peek[:40]!r}")
    return expression


def _tokens(query: str) -> Iterator[str]:
    at, end = 0, len(query.rstrip())
    while at < end:
        found = TOKEN.match(query, at)
        if found is None:
            raise ParseError(f"{at + 1}: unexpected character")
        yield found.group(1)
        at = found.end()


@dataclass
class _Reader:
    tokens: list[str]
    at: int = 0

    @property
    def more(self) -> bool:
        return self.at < len(self.tokens)

    @property
    def peek(self) -> str:
        return self.tokens[self.at] if self.more else ""

    def take(self, wanted: str = "") -> str:
        token = self.peek
        if not token or (wanted and token != wanted):
            raise ParseError(f"unexpected {token or 'end of input'!r}, wanted {wanted or 'more'!r}")
        self.at += 1
        return token

    def inside(self) -> Expression:
        self.take("(")
        expression = self.expression()
        self.take(")")
        return expression

    def expression(self) -> Expression:
        if self.peek == "(":
            return self.inside()
        name = self.take()
        if not re.fullmatch(r"[A-Za-z_:][\w:]*", name):
            raise ParseError(f"unexpected {name[:40]!r}")
        if name in AGGREGATES and self.peek in ("(", "by"):
            return self.aggregate(name)
        if self.peek == "(":
            return self.call(name)
        return _instant(self.selector(name))

    def aggregate(self, name: str) -> Expression:
        by = self.by() if self.peek == "by" else None
        inner = self.inside()
        by = self.by() if by is None and self.peek == "by" else by
        return _aggregate(AGGREGATES[name], by or (), inner)

    def by(self) -> tuple[str, ...]:
        self.take("by")
        self.take("(")
        names = []
        while self.peek != ")":
            names.append(self.take())
            if self.peek == ",":
                self.take(",")
        self.take(")")
        return tuple(names)

    def call(self, name: str) -> Expression:
        if name in OVER_TIME:
            self.take("(")
            matches = self.selector(self.take())
            span = seconds(self.take()[1:-1]) if self.peek.startswith("[") else 0
            if not span:
                raise ParseError(f"expected type range vector in call to function {name!r}")
            self.take(")")
            return _over_time(OVER_TIME[name], name in WITH_NAME, matches, span)
        if name in ("absent", "timestamp"):
            return (_absent if name == "absent" else _timestamp)(self.inside())
        raise ParseError(f"unknown function with name {name[:40]!r}")

    def selector(self, name: str) -> Callable[[Labels], bool]:
        tests = [_matcher("__name__", "=", name)]
        if self.peek == "{":
            self.take("{")
            while self.peek != "}":
                label, sign, value = self.take(), self.take(), self.take()
                tests.append(_matcher(label, sign, _text(value)))
                if self.peek == ",":
                    self.take(",")
            self.take("}")
        return lambda labels: all(test(dict(labels)) for test in tests)


def _text(token: str) -> str:
    if not token.startswith('"'):
        raise ParseError(f"unexpected {token[:40]!r}, wanted a string")
    return token[1:-1].replace('\\"', '"').replace("\\\\", "\\")


def _matcher(label: str, sign: str, value: str) -> Callable[[dict[str, str]], bool]:
    if sign in ("=", "!="):
        return lambda labels: (labels.get(label, "") == value) is (sign == "=")
    if sign not in ("=~", "!~"):
        raise ParseError(f"unexpected {sign[:40]!r}, wanted a matcher")
    try:
        pattern = re.compile(value)
    except re.error:
        raise ParseError("error parsing regexp") from None
    return lambda labels: (pattern.fullmatch(labels.get(label, "")) is not None) is (sign == "=~")


def _unnamed(labels: Labels) -> Labels:
    return tuple(pair for pair in labels if pair[0] != "__name__")


def _instant(matches: Callable[[Labels], bool]) -> Expression:
    def evaluate(samples: Samples, at: float) -> Result:
        newest = {labels: _between(points, at - LOOKBACK, at)[-1:] for labels, points in samples.items()}
        return {labels: points[0] for labels, points in newest.items() if points and matches(labels)}

    return evaluate


def _over_time(
    function: Callable[[list[float]], float], named: bool, matches: Callable[[Labels], bool], span: float
) -> Expression:
    def evaluate(samples: Samples, at: float) -> Result:
        result: Result = {}
        for labels, points in samples.items():
            values = [value for _, value in _between(points, at - span, at)]
            if values and matches(labels):
                result[labels if named else _unnamed(labels)] = (at, float(function(values)))
        return result

    return evaluate


def _aggregate(function: Callable[[list[float]], float], by: tuple[str, ...], inner: Expression) -> Expression:
    def evaluate(samples: Samples, at: float) -> Result:
        groups: dict[Labels, list[float]] = {}
        for labels, (_, value) in inner(samples, at).items():
            groups.setdefault(tuple(pair for pair in labels if pair[0] in by), []).append(value)
        return {labels: (at, float(function(values))) for labels, values in groups.items()}

    return evaluate


def _absent(inner: Expression) -> Expression:
    return lambda samples, at: {} if inner(samples, at) else {(): (at, 1.0)}


def _timestamp(inner: Expression) -> Expression:
    return lambda samples, at: {_unnamed(ls): (at, when) for ls, (when, _) in inner(samples, at).items()}


def _between(points: list[tuple[float, float]], after: float, until: float) -> list[tuple[float, float]]:
    return [point for point in points if after < point[0] <= until]


def spelled(value: float) -> str:
    """A number as Prometheus spells it."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return f"{value:.17g}" if value != int(value) else str(int(value))
