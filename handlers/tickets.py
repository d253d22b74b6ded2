"""Steps that call somebody: a page, an issue, a webhook, a support case. Each carries a marker, and is asked for by it
first, so that calling twice is calling once. None can be taken back."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from bot.core.plan import RunRef, Step
from bot.core.ports import ReadTools, Tools


class PageOut(Step):
    """Raise an incident in PagerDuty. The same key again is the same incident there."""

    kind: Literal["pager.page"] = "pager.page"
    key: str = Field(min_length=1, max_length=255)
    summary: str = Field(min_length=1, max_length=1024)
    severity: Literal["critical", "error", "warning", "info"] = "critical"
    details: dict[str, str] = Field(default_factory=dict)

    def says(self) -> str:
        return f"Page through PagerDuty ({self.severity}): {self.summary}"

    def done(self, tools: ReadTools) -> bool:
        return tools.pager.raised(self.key)

    def do(self, tools: Tools, run: RunRef) -> None:
        tools.pager.page(self.key, self.summary, severity=self.severity, details={**self.details, "run": run.id})


class OpenIssue(Step):
    """Open an issue, unless one with this marker is open."""

    kind: Literal["tracker.open-issue"] = "tracker.open-issue"
    title: str = Field(min_length=1, max_length=256)
    body: str = Field(max_length=20_000)
    labels: tuple[str, ...] = ()
    marker: str = Field(min_length=1, max_length=255)

    def says(self) -> str:
        return f"Open an issue: {self.title}"

    def done(self, tools: ReadTools) -> bool:
        return tools.tracker.find(self.marker) is not None

    def do(self, tools: Tools, run: RunRef) -> None:  # noqa: ARG002  the verb of every step
        tools.tracker.open(self.title, self.body, labels=self.labels, marker=self.marker)


class CallHook(Step):
    """Tell the organisation's own system to open a CIE. What tells a second call from a second CIE is the marker."""

    kind: Literal["webhook.call"] = "webhook.call"
    title: str = Field(min_length=1, max_length=256)
    body: str = Field(max_length=20_000)
    region: str = Field(default="", max_length=100)
    links: dict[str, str] = Field(default_factory=dict)
    marker: str = Field(min_length=1, max_length=255)

    def says(self) -> str:
        return f"Call the CIE webhook: {self.title}"

    def done(self, tools: ReadTools) -> bool:
        return tools.hook.raised(self.marker)

    def do(self, tools: Tools, run: RunRef) -> None:  # noqa: ARG002  the verb of every step
        tools.hook.call(self.title, self.body, marker=self.marker, region=self.region, links=self.links)


class OpenCase(Step):
    """Open a case with Red Hat support, unless one with this marker is open."""

    kind: Literal["support.open-case"] = "support.open-case"
    summary: str = Field(min_length=1, max_length=255)
    description: str = Field(max_length=20_000)
    severity: Literal["1 (Urgent)", "2 (High)", "3 (Normal)", "4 (Low)"] = "2 (High)"
    marker: str = Field(min_length=1, max_length=255)

    def says(self) -> str:
        return f"Open a case with Red Hat support, severity {self.severity}: {self.summary}"

    def done(self, tools: ReadTools) -> bool:
        return tools.cases.find(self.marker) is not None

    def do(self, tools: Tools, run: RunRef) -> None:  # noqa: ARG002  the verb of every step
        tools.cases.open(self.summary, self.description, severity=self.severity, marker=self.marker)


def quoted(lines: tuple[str, ...]) -> str:
    """Lines as a block that no tracker reads as markup: nothing in it mentions anybody or closes the block."""
    return "```text\n" + "\n".join(line.replace("`", "'").replace("\n", " ") for line in lines) + "\n```"
