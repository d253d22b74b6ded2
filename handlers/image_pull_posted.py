"""A posted log line about an image, judged by its words alone: no namespace is known to look at."""

from __future__ import annotations

from bot.core.diagnosis import Diagnosis, Mood, RunbookStep
from bot.core.ports import ReadTools
from handlers.image_pull_diagnosis import CALLED, RUNBOOK
from handlers.image_pull_pods import Waiting
from handlers.image_pull_policy import denied, drafts
from handlers.image_pull_told import short
from handlers.image_pull_verdict import Facts, Finding, Verdict, by_words
from handlers.image_pull_words import image_in, said
from handlers.shelf import step

ASK = "Only the words were judged. Type /diagnose-image-pull with the namespace to look at its pods and secrets."


def posted(text: str, tools: ReadTools) -> Diagnosis:
    finding = of_text(text)
    unclear = finding.verdict is Verdict.UNCLEAR
    who = (denied(finding).told,) if finding.verdict is Verdict.DENIED else ()
    return Diagnosis(
        verdict=finding.verdict.value,
        mood=Mood.UNKNOWN if unclear else Mood.BAD,
        title=f"A pull fails: {short(finding)}"[:150],
        reason=(*who, ASK),
        evidence=drafts(finding) if finding.verdict is Verdict.DENIED else (),
        steps=tuple(RunbookStep(name=name, text=step(tools, RUNBOOK, name).text) for name in CALLED[finding.verdict]),
        runbook=RUNBOOK,
    )


def of_text(text: str) -> Finding:
    """The verdict on a text, with what it names."""
    words, image = said(text), image_in(text)
    waiting = Waiting(
        pods=("a pod",), workload="", container="", init=False, image=str(image) if image else "",
        said=words, since=None, account="", secrets=(),
    )  # fmt: skip
    facts = Facts(cluster="", namespace="", waiting=waiting, now=0)
    return Finding(verdict=by_words(words.cause), facts=facts)
