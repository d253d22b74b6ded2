"""What people are told about image pulls: the worst verdict, what fails where, and what to do, with buttons."""

from __future__ import annotations

from collections.abc import Iterable

from bot.core.diagnosis import Diagnosis, Mood, Offer, RunbookStep
from bot.core.plan import Note, Table
from bot.core.ports import ReadTools
from handlers.ecr import COMMAND as REFRESH
from handlers.ecr import Target
from handlers.ecr_told import counted, listed
from handlers.image_pull_look import Seen
from handlers.image_pull_policy import drafts
from handlers.image_pull_told import reason, short, unnamed
from handlers.image_pull_verdict import Finding, Verdict
from handlers.shelf import step

RUNBOOK = "diagnose-image-pull"
STEPS = (
    "look-at-pod",
    "refresh",
    "reference",
    "restart",
    "grant",
    "correct-image",
    "architecture",
    "network",
    "wait",
    "watch",
)
MENDED_BY_REFRESH = (
    Verdict.SECRET_MISSING,
    Verdict.WRONG_TYPE,
    Verdict.UNREADABLE,
    Verdict.WRONG_HOST,
    Verdict.EXPIRED,
    Verdict.LOGIN_REFUSED,
)
CALLED: dict[Verdict, tuple[str, ...]] = {
    **dict.fromkeys(MENDED_BY_REFRESH, ("refresh", "watch")),
    Verdict.POD_TOO_OLD: ("restart", "watch"),
    Verdict.NOT_REFERENCED: ("reference", "watch"),
    Verdict.DENIED: ("grant", "watch"),
    Verdict.NO_REPOSITORY: ("correct-image", "watch"),
    Verdict.NO_TAG: ("correct-image", "watch"),
    Verdict.INVALID_NAME: ("correct-image", "watch"),
    Verdict.NEVER_PULL: ("correct-image", "watch"),
    Verdict.WRONG_ARCHITECTURE: ("architecture", "watch"),
    Verdict.SIGNATURE: ("look-at-pod", "watch"),
    Verdict.RATE_LIMITED: ("wait", "watch"),
    Verdict.DNS: ("network", "watch"),
    Verdict.TLS: ("network", "watch"),
    Verdict.TIMEOUT: ("network", "watch"),
    Verdict.UNREACHABLE: ("network", "watch"),
    Verdict.UNCLEAR: ("look-at-pod",),
    Verdict.UNKNOWN: ("look-at-pod",),
    Verdict.TRIES_AGAIN: ("watch",),
    Verdict.WELL: (),
}
ORDER = list(Verdict)
REASONS, ROWS, OFFERS = 4, 20, 4


def tell(seen: tuple[Seen, ...], tools: ReadTools, *, elsewhere: tuple[Note, ...] = ()) -> Diagnosis:
    """A diagnosis of what was seen. `elsewhere`: what could not be looked at besides."""
    findings = ordered(finding for one in seen for finding in one.findings)
    unchecked = (*elsewhere, *_unchecked(seen))
    missed = bool(elsewhere) or any(one.trouble for one in seen)
    if not findings:
        return _none(seen, unchecked, tools, missed=missed)
    worst = findings[0]
    return Diagnosis(
        verdict=worst.verdict.value,
        mood=_mood(worst.verdict),
        title=_title(findings),
        reason=tuple(dict.fromkeys(map(reason, findings)))[:REASONS],
        since=min((at for one in findings if (at := one.facts.waiting.since) is not None), default=None),
        evidence=tuple(dict.fromkeys(note for one in findings for note in evidence(one)))[:8],
        table=table(findings),
        unchecked=unchecked,
        steps=_steps(findings, tools),
        offers=_restarts(findings, tools),
        runbook=RUNBOOK,
    )


def ordered(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """The worst first."""
    return tuple(sorted(findings, key=lambda one: ORDER.index(one.verdict)))


def _none(seen: tuple[Seen, ...], unchecked: tuple[Note, ...], tools: ReadTools, *, missed: bool) -> Diagnosis:
    """Nothing waits, or nobody knows."""
    where = _where(tuple(str(one.place) for one in seen))
    if missed or not seen:
        title = f"Whether pods{where} get their images is not known"
        verdict, mood, why = Verdict.UNKNOWN, Mood.UNKNOWN, unchecked[0].text if unchecked else ""
    else:
        title = f"No pod{where} waits for an image"
        pods = sum(one.pods for one in seen)
        verdict, mood = Verdict.WELL, Mood.GOOD
        why = f"{counted('pod', pods)} looked at; none waits for an image." if pods else "There are no pods."
    return Diagnosis(
        verdict=verdict.value,
        mood=mood,
        title=title[:150],
        reason=(why,) if why else (),
        unchecked=unchecked,
        steps=tuple(RunbookStep(name=name, text=step(tools, RUNBOOK, name).text) for name in CALLED[verdict]),
        runbook=RUNBOOK,
        over=verdict is Verdict.WELL,
    )


def _mood(verdict: Verdict) -> Mood:
    if verdict in (Verdict.UNCLEAR, Verdict.UNKNOWN):
        return Mood.UNKNOWN
    return Mood.WATCH if verdict is Verdict.TRIES_AGAIN else Mood.BAD


def _title(findings: tuple[Finding, ...]) -> str:
    worst = findings[0]
    same = [one for one in findings if one.verdict is worst.verdict]
    where = dict.fromkeys(one.facts.namespace for one in same if one.facts.namespace)
    said = f"{worst.facts.waiting.who[:50]}{_where(tuple(where))}: {short(worst)}"
    more = len({one.facts.waiting.who for one in findings}) - 1
    rest = f", and {more} more" if more else ""
    return f"{said[: 148 - len(rest)]}{rest}"


def _where(names: tuple[str, ...]) -> str:
    return f" in {listed(tuple(name[:63] for name in names), 2)}" if names else ""


def _unchecked(seen: tuple[Seen, ...]) -> tuple[Note, ...]:
    troubles = [Note(label=str(one.place)[:100], text=one.trouble) for one in seen if one.trouble]
    more = [
        Note(label=str(one.place)[:100], text=f"{one.left_out} more kinds of waiting containers were not looked into.")
        for one in seen
        if one.left_out
    ]
    return tuple(dict.fromkeys([*troubles, *(note for one in seen for note in one.unchecked), *more]))


def evidence(finding: Finding) -> tuple[Note, ...]:
    """The drafts for who administers the registry; else what the registry says, unless the reason says it already."""
    if finding.verdict is Verdict.DENIED and (notes := drafts(finding)):
        return notes
    answer = finding.facts.answer
    told = answer is not None and answer.told not in reason(finding)
    return (Note(label="The registry, asked with the pods' login", text=answer.told),) if answer and told else ()


def table(findings: tuple[Finding, ...]) -> Table:
    rows = [(one.facts.namespace, one.facts.waiting.who, _container(one), _image(one), short(one)) for one in findings]
    several = len({one.facts.namespace for one in findings}) > 1
    head = ("namespace", "what", "container", "image", "what is wrong")
    cut = 0 if several else 1
    return Table(head=head[cut:], rows=tuple(row[cut:] for row in rows[:ROWS]))


def _container(one: Finding) -> str:
    waits = one.facts.waiting
    return f"{waits.container[:63]} (init)" if waits.init else waits.container[:63]


def _image(one: Finding) -> str:
    return one.facts.waiting.image[:200] or "?"


def _steps(findings: tuple[Finding, ...], tools: ReadTools) -> tuple[RunbookStep, ...]:
    """The runbook's steps for all that was found; the refresh once for each pull secret that it mends."""
    names = dict.fromkeys(name for one in findings for name in CALLED[one.verdict])
    names |= {"reference": None} if any(map(unnamed, findings)) else {}
    refreshes = _refreshes(findings, tools)
    made = []
    for name in sorted(names, key=STEPS.index):
        text = step(tools, RUNBOOK, name).text
        if name == "refresh" and refreshes:
            made += [RunbookStep(name=_numbered(name, n), text=text, offer=one) for n, one in enumerate(refreshes)]
        else:
            made.append(RunbookStep(name=name, text=text))
    return tuple(made)


def _numbered(name: str, n: int) -> str:
    return f"{name}-{n + 1}" if n else name


def _refreshes(findings: tuple[Finding, ...], tools: ReadTools) -> tuple[Offer, ...]:
    """For exactly the secrets that are affected. What is written is forced: that its login does not work may not show
    in its dates. Pods that wait need no restart."""
    if REFRESH not in tools.commands:
        return ()
    mended = [one for one in findings if one.verdict in MENDED_BY_REFRESH]
    targets = dict.fromkeys(target for one in mended if (target := ours(one)) is not None)
    return tuple(_offer("Refresh", one, {"restart": False, "force": True}) for one in list(targets)[:OFFERS])


def _restarts(findings: tuple[Finding, ...], tools: ReadTools) -> tuple[Offer, ...]:
    """The restart alone, where only new pods get the secret."""
    if REFRESH not in tools.commands:
        return ()
    targets = dict.fromkeys(target for one in findings if (target := ours(one)) is not None and _new_pods(one, target))
    return tuple(_offer("Restart in", one, {"restart": True}) for one in list(targets)[:OFFERS])


def _new_pods(finding: Finding, target: Target) -> bool:
    """Would new pods be given the secret? By their service account, which has it or is to get it."""
    to_get = finding.verdict is Verdict.NOT_REFERENCED and finding.facts.waiting.account in target.service_accounts
    return finding.verdict is Verdict.POD_TOO_OLD or to_get


def ours(finding: Finding) -> Target | None:
    """The pull secret of the settings that the verdict is about; None if it is another one."""
    target = finding.facts.target
    return target if target is not None and finding.secret in ("", target.secret) else None


def _offer(verb: str, target: Target, more: dict[str, bool]) -> Offer:
    ask = {"env": [target.env], "namespace": [target.namespace], **more}
    return Offer(label=f"{verb} {target.name}"[:75], command=REFRESH, ask=ask)
