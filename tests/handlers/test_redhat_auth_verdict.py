"""The judgement about Red Hat logins: the runbook's own results, and everything that may stand beside them."""

from __future__ import annotations

import math
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import handlers
from bot.core import runbook
from bot.core.outside import Health, Line, Sample
from handlers.redhat_auth import QUERY, TITLE
from handlers.redhat_auth_course import Evidence
from handlers.redhat_auth_verdict import CIE, FAILING, MISSING, OVER, Verdict, judge

BOOK_TEXT = (Path(handlers.__file__).parent / "diagnose_redhat_auth.md").read_text(encoding="utf-8")
BOOK = runbook.parse("diagnose-redhat-auth", BOOK_TEXT)
NOW, STEP, WINDOW = 1_900_000_000.0, 60.0, 300.0
RESULT = re.compile(r'\{method="(\w+)", status="(\w+)"\}\s+(\d+)')
DOWN = Health(name="accounts", address="https://x", reachable=False, how="timeout", told="No answer within 5 s.")
UP = Health(name="accounts", address="https://x", reachable=True, how="asks_for_login", status=401, told="It answers.")


def trace(method: str, status: str, *minutes: float) -> Line:
    """What the short window shows over three hours of something that happened so many minutes ago."""
    begins = NOW - 3 * 3600
    times = [begins + i * STEP for i in range(181)]
    happened = [NOW - 60 * ago for ago in minutes]
    points = [(at, float(n)) for at in times if (n := sum(at - WINDOW < one <= at for one in happened))]
    return Line(labels={"method": method, "status": status}, points=tuple(points))


def world(*happened: tuple[str, str, tuple[float, ...]], **more: object) -> Evidence:
    """Evidence of (method, status, minutes ago): the hour's count, and the course over time."""
    samples = [
        Sample(labels={"method": m, "status": s}, at=NOW, value=float(n))
        for m, s, minutes in happened
        if (n := sum(ago < 60 for ago in minutes))
    ]
    lines = tuple(trace(m, s, *minutes) for m, s, minutes in happened)
    return Evidence(**{"now": NOW, "window": WINDOW, "samples": tuple(samples), "lines": lines, **more})  # type: ignore[arg-type]  # fields by name


def minutes(begin: float, end: float, every: float = 2) -> tuple[float, ...]:
    """From so many minutes ago to so many minutes ago."""
    return tuple(begin - i * every for i in range(int((begin - end) / every) + 1))


LONG = minutes(170, 0)


def test_the_query_is_the_runbooks() -> None:
    """The one query in the runbook is, to the letter, the one that is asked; and so is the CIE's title."""
    assert BOOK.promql == (QUERY,)
    assert TITLE in BOOK.spans


@pytest.mark.parametrize("code", [c for c in BOOK.codes if c.language == "result"], ids=lambda c: c.said)
def test_the_runbooks_results(code: runbook.Code) -> None:
    """Each example result of the runbook gets the verdict written above it; a CIE exactly where it says so."""
    shown = RESULT.findall(code.text)
    samples = tuple(Sample(labels={"method": m, "status": s}, at=NOW, value=float(n)) for m, s, n in shown)
    lines = tuple(trace(m, s, *minutes(59, 0, 59 / int(n))) for m, s, n in shown)
    judged = judge(Evidence(now=NOW, window=WINDOW, samples=samples, lines=lines, endpoint=UP))
    (expected,) = [line.split()[-1] for line in ROWS if line.split()[-1] == judged.verdict]
    assert expected == LANGUAGES[code.said]
    assert judged.cie is ("(CIE)" in code.said)


ROWS = re.findall(r"^```result (\w+)$", BOOK_TEXT, re.M)
LANGUAGES = dict(zip([c.said for c in BOOK.codes if c.language == "result"], ROWS, strict=True))


def test_there_are_three_results() -> None:
    """The runbook shows the seed's three results, with its figures."""
    figures = [[int(n) for _, _, n in RESULT.findall(c.text)] for c in BOOK.codes if c.language == "result"]
    assert figures == [[94], [34, 14, 14], [5, 311, 311]]


CASES: dict[str, tuple[Evidence, Verdict]] = {
    "jwt fails now and token carries": (
        world(
            ("jwt", "success", minutes(170, 40)),
            ("jwt", "failed", minutes(40, 0)),
            ("token", "success", minutes(40, 0)),
        ),
        Verdict.JWT_FAILING,
    ),
    "jwt failed until half an hour ago, and works": (
        world(("jwt", "success", LONG), ("jwt", "failed", minutes(58, 30)), ("token", "success", minutes(58, 30))),
        Verdict.JWT_OVER,
    ),
    "jwt failed, and nothing was tried with it since": (
        world(
            ("jwt", "success", minutes(170, 40)),
            ("jwt", "failed", minutes(39, 12)),
            ("token", "success", minutes(39, 12)),
        ),
        Verdict.JWT_FAILING,
    ),
    "both failed until 20 minutes ago, and jwt works": (
        world(
            ("jwt", "success", minutes(18, 0)), ("jwt", "failed", minutes(50, 20)), ("token", "failed", minutes(50, 20))
        ),
        Verdict.RECOVERED,
    ),
    "both fail; of success nothing is there": (
        world(("jwt", "failed", minutes(30, 0)), ("token", "failed", minutes(30, 0))),
        Verdict.BOTH_FAILING,
    ),
    "token fails while jwt works": (
        world(("jwt", "success", LONG), ("token", "failed", minutes(30, 0))),
        Verdict.TOKEN_FAILING,
    ),
    "token fails and of jwt nothing is known": (world(("token", "failed", minutes(30, 0))), Verdict.TOKEN_FAILING),
    "one stray failure of both now": (
        world(("jwt", "success", LONG), ("jwt", "failed", (1.0,)), ("token", "failed", (1.0,))),
        Verdict.HEALTHY,
    ),
    "one stray failure now": (world(("jwt", "success", LONG), ("jwt", "failed", (1.0,))), Verdict.HEALTHY),
    "one stray failure hours ago": (world(("jwt", "success", LONG), ("jwt", "failed", (150.0,))), Verdict.HEALTHY),
    "many failures over an hour ago": (
        world(("jwt", "success", LONG), ("jwt", "failed", minutes(150, 90))),
        Verdict.HEALTHY,
    ),
    "one failure and nothing else": (world(("jwt", "failed", (2.0,))), Verdict.JWT_FAILING),
    "the deployer started anew: counts begin again": (
        world(("jwt", "success", (*minutes(170, 30), *minutes(8, 0)))),
        Verdict.HEALTHY,
    ),
    "all quiet for forty minutes": (world(("jwt", "success", minutes(170, 40))), Verdict.STALE),
    "both failing, then silence": (
        world(("jwt", "failed", minutes(59, 40)), ("token", "failed", minutes(59, 40))),
        Verdict.STALE,
    ),
    "nothing within the hour, but before": (world(("jwt", "success", minutes(170, 70))), Verdict.STALE),
    "no sample at all": (world(), Verdict.METRIC_ABSENT),
    "no sample, and no course either": (world(lines=None), Verdict.METRIC_ABSENT),
    "only zeros": (
        world(samples=(Sample(labels={"method": "jwt", "status": "success"}, at=NOW, value=0.0),)),
        Verdict.METRIC_ABSENT,
    ),
    "Prometheus down": (world(problem="down", told="No answer."), Verdict.PROMETHEUS_DOWN),
    "query refused": (world(problem="failed", told="It did not understand."), Verdict.QUERY_FAILED),
    "region unknown": (world(problem="not_configured", told="No such region."), Verdict.NOT_CONFIGURED),
    "a value that is no number": (
        world(samples=(Sample(labels={"method": "jwt", "status": "success"}, at=NOW, value=None),)),
        Verdict.STALE,
    ),
    "an unknown method beside a healthy one": (
        world(("jwt", "success", LONG), ("oidc", "failed", minutes(20, 0))),
        Verdict.UNCLEAR,
    ),
    "an unknown outcome beside a healthy one": (
        world(("jwt", "success", LONG), ("jwt", "<!channel>", minutes(20, 0))),
        Verdict.UNCLEAR,
    ),
    "healthy, but only part of the data": (world(("jwt", "success", LONG), warnings=("partial",)), Verdict.UNCLEAR),
    "both fail in what part of the data shows": (
        world(("jwt", "failed", minutes(30, 0)), ("token", "failed", minutes(30, 0)), warnings=("partial",)),
        Verdict.BOTH_FAILING,
    ),
    "failures within the hour, their course unknown": (
        world(("jwt", "success", LONG), ("jwt", "failed", minutes(58, 30)), lines=None),
        Verdict.JWT_FAILING,
    ),
    "successes within the hour, their course unknown": (world(("jwt", "success", LONG), lines=None), Verdict.UNCLEAR),
    "endpoint down, logins well": (world(("jwt", "success", LONG), endpoint=DOWN), Verdict.ENDPOINT_DOWN),
    "endpoint and Prometheus down": (world(problem="down", told="No.", endpoint=DOWN), Verdict.ENDPOINT_DOWN),
    "endpoint up, both fail": (
        world(("jwt", "failed", minutes(30, 0)), ("token", "failed", minutes(30, 0)), endpoint=UP),
        Verdict.BOTH_FAILING,
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_case(name: str) -> None:
    """Each situation gets its verdict, with a reason, and a mood that fits."""
    evidence, expected = CASES[name]
    judged = judge(evidence)
    assert judged.verdict is expected, judged.reason
    assert judged.reason
    assert judged.cie is (expected in CIE)
    assert judged.over is (expected in OVER)


def test_no_data_is_told_in_four_ways() -> None:
    """The kinds of no data have verdicts and words of their own."""
    names = ("no sample at all", "all quiet for forty minutes", "Prometheus down", "query refused", "region unknown")
    judged = [judge(CASES[name][0]) for name in names]
    assert len({one.verdict for one in judged}) == len({one.reason for one in judged}) == len(names)
    assert all(one.verdict in MISSING for one in judged)


def test_since_and_until() -> None:
    """Since is the begin of the newest stretch, within a step; until is the last failure, not its echo."""
    failing = judge(
        world(
            ("jwt", "success", LONG),
            ("jwt", "failed", (*minutes(150, 140), *minutes(40, 0))),
            ("token", "success", LONG),
        )
    )
    assert failing.since is not None
    assert abs(failing.since - (NOW - 40 * 60)) <= STEP
    over = judge(CASES["jwt failed until half an hour ago, and works"][0])
    assert over.until is not None
    assert abs(over.until - (NOW - 30 * 60)) <= STEP
    both = judge(world(("jwt", "failed", minutes(50, 0)), ("token", "failed", minutes(20, 0))))
    assert both.since is not None
    assert abs(both.since - (NOW - 20 * 60)) <= STEP


def test_failures_from_before_what_was_read() -> None:
    """Failures that reach back to the begin of what was read began earlier, and the begin is not told as theirs."""
    begins = NOW - 3 * 3600
    lasting = judge(world(("jwt", "failed", minutes(179, 0)), begins=begins))
    assert (lasting.earlier, lasting.since) == (True, pytest.approx(begins, abs=2 * STEP))
    assert not judge(world(("jwt", "failed", minutes(150, 0)), begins=begins)).earlier
    both = judge(world(("jwt", "failed", minutes(179, 0)), ("token", "failed", minutes(20, 0)), begins=begins))
    assert not both.earlier, "both are failing since token does"


def test_the_runbook_says_which_are_a_cie() -> None:
    """The table in the runbook calls for a CIE where the code does."""
    rows = re.findall(r"^\| (\w+) \|.*\| (yes|no) \|$", BOOK_TEXT, re.M)
    assert {name for name, needed in rows if needed == "yes"} == {one.value for one in CIE}


def test_reasons_hold_the_numbers() -> None:
    """The rule and the figures behind it stand in the reason."""
    told = " ".join(judge(CASES["both fail; of success nothing is there"][0]).reason)
    assert "jwt: 16 failed and 0 succeeded" in told
    assert "token: 16 failed" in told
    assert "CIE" in told


METHODS = st.sampled_from(["jwt", "token", "oidc", ""])
STATUSES = st.sampled_from(["success", "failed", "error", ""])
VALUES = st.none() | st.floats(allow_nan=False, allow_infinity=False) | st.integers(0, 400).map(float)
LABELS = st.fixed_dictionaries({"method": METHODS, "status": STATUSES})
SAMPLES = st.lists(st.builds(Sample, labels=LABELS, at=st.just(NOW), value=VALUES), max_size=6).map(tuple)
POINTS = st.lists(st.tuples(st.integers(0, 180).map(lambda i: NOW - i * STEP), VALUES), max_size=20)
LINES = st.none() | st.lists(
    st.builds(Line, labels=LABELS, points=POINTS.map(lambda p: tuple(sorted(p, key=lambda one: one[0])))), max_size=5
).map(tuple)
EVIDENCE = st.builds(
    Evidence,
    now=st.just(NOW),
    window=st.just(WINDOW),
    samples=SAMPLES,
    lines=LINES,
    warnings=st.sampled_from([(), ("partial",)]),
    problem=st.sampled_from([None, None, None, "down", "failed", "not_configured"]),
    told=st.just("Something."),
    endpoint=st.sampled_from([None, UP, DOWN]),
)


@given(EVIDENCE)
def test_never_healthy_without_data(evidence: Evidence) -> None:
    """What is called over rests on a success within the hour and on a fresh sample, with nothing unread."""
    judged = judge(evidence)
    if judged.over:
        assert judged.verdict in OVER
        assert any(s.value and s.value > 0 and s.labels["status"] == "success" for s in evidence.samples)
        assert any(at >= NOW - evidence.stale and v for line in evidence.lines or () for at, v in line.points)
        assert evidence.problem is None
        assert evidence.warnings == ()


@given(EVIDENCE)
def test_a_cie_exactly_when_the_runbook_says(evidence: Evidence) -> None:
    """A CIE is called for if the endpoint is down, or if token fails now, which is tried only after jwt; never
    otherwise."""
    judged = judge(evidence)
    down = evidence.endpoint is not None and not evidence.endpoint.reachable
    token = any(one.failing for one in judged.courses if one.method == "token")
    assert judged.cie is (down or (token and judged.verdict is not Verdict.STALE))
    assert judged.cie is (judged.verdict in CIE)
    if judged.verdict in FAILING:
        assert not judged.over


@given(EVIDENCE)
def test_figures_are_finite(evidence: Evidence) -> None:
    """Nothing in a judgement is NaN, and every reason is one clean line."""
    judged = judge(evidence)
    assert all(math.isfinite(x) for x in (judged.since, judged.until) if x is not None)
    assert all(line and "nan" not in line.lower() and len(line) < 500 for line in judged.reason)
