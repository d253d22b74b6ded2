"""Issues in one repository of GitHub or GitHub Enterprise, known by a marker in their body (upstream.md).

Found by listing, not by searching: the search index is minutes behind, and two issues for one incident are worse than
a few more requests. Labels are no help, because GitHub drops them where the token may not set them.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from bot.calling import GitHub
from bot.core.errors import Refused, Told, Transient
from bot.core.secret import Secret
from bot.sources import SecretSource
from bot.tools.address import is_http
from bot.tools.calls import Service
from bot.tools.http_answer import Answer

Resolve = Callable[[SecretSource], Secret]
LISTED = (0.2, 0.8, 2.0)  # seconds between looks for an issue that was opened just now: the list may be behind
PAGES, PER_PAGE = 5, 100  # newest first: what was opened longer ago is not looked for
LONGEST_ADDRESS = 300
REFUSALS = {
    401: ("it does not accept the token", "Replace the token that github.token names."),
    403: ("the token may not do that", "Give it the right to read and write issues of github.repository."),
    404: ("there is no such repository, or the token may not see it", "Check github.repository and github.token."),
    410: ("issues are switched off there", "Switch them on, or name another repository in github.repository."),
    422: ("it found a fault in the issue", "Open it by hand, and report this as a fault of the bot."),
}


class IssueReader:
    """`bot.core.outside.TrackerReader`: cannot open anything."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository

    def configured(self) -> bool:
        return True

    def find(self, marker: str) -> str | None:
        """The address of the newest open issue with the marker. Refused or Transient when the list cannot be read."""
        for page in range(1, PAGES + 1):
            issues = self._repository.page(page)
            for issue in issues:
                if shown(marker) in str(issue.get("body") or "") and "pull_request" not in issue:
                    return _address(issue)
            if len(issues) < PER_PAGE:
                return None
        return None


class Issues:
    """`bot.core.outside.Tracker`."""

    def __init__(self, settings: GitHub, resolve: Resolve) -> None:
        self._repository = Repository(settings, resolve)
        self.reader = IssueReader(Repository(settings, resolve))

    def configured(self) -> bool:
        return True

    def find(self, marker: str) -> str | None:
        return self.reader.find(marker)

    def open(self, title: str, body: str, *, labels: tuple[str, ...], marker: str) -> None:
        """Transient when it cannot be said whether it was opened: `find` tells."""
        if self.find(marker) is not None:
            return
        issue = {"title": title, "body": f"{body}\n\n{shown(marker)}", "labels": list(labels)}
        answer = self._repository.send("POST", once=True, json=issue)
        if answer.status != 201:
            raise self._repository.refusal(answer, "open the issue", once=True)
        self._await_listing(marker)

    def _await_listing(self, marker: str) -> None:
        with suppress(Told):  # it is open, and that counts
            for pause in LISTED:
                if self.find(marker) is not None:
                    return
                time.sleep(pause)


def check(settings: GitHub, resolve: Resolve) -> str:
    """Can issues be listed and opened there? Opens none. Refused when not, Transient when GitHub does not say."""
    repository = Repository(settings, resolve)
    answer = repository.send("GET", "")
    known = answer.object
    if answer.status != 200 or known is None:
        raise repository.refusal(answer, "show the repository")
    if known.get("archived") is True:
        raise Refused("The repository of issues is archived, so none can be opened.", "Name another repository.")
    if known.get("has_issues") is False:
        raise Refused("Issues are switched off in the repository.", REFUSALS[410][1])
    rights = known.get("permissions")
    if isinstance(rights, dict) and rights.get("pull") is False:
        raise Refused("GitHub's token may not read the repository.", REFUSALS[403][1])
    repository.page(1)
    pushes = isinstance(rights, dict) and any(rights.get(name) is True for name in ("push", "maintain", "admin"))
    return "issues can be listed" + (", and the token may write." if pushes else "; labels need the right to push.")


class Repository:
    """The issues of the one repository, over HTTP."""

    def __init__(self, settings: GitHub, resolve: Resolve) -> None:
        self._settings, self._resolve = settings, resolve
        self._service = Service("GitHub", "github", settings.timeout, settings.ca_file)

    def page(self, page: int) -> list[dict[str, Any]]:
        params = {"state": "open", "sort": "created", "direction": "desc", "per_page": PER_PAGE, "page": page}
        answer = self.send("GET", params=params)
        if answer.status != 200 or not isinstance(answer.document, list):
            raise self.refusal(answer, "list its issues")
        return [issue for issue in answer.document if isinstance(issue, dict)]

    def send(self, method: str, below: str = "/issues", **content: Any) -> Answer:
        url = f"{self._settings.address.rstrip('/')}/repos/{self._settings.repository}{below}"
        headers = {
            "Authorization": f"Bearer {self._resolve(self._settings.token).reveal()}",
            "Accept": "application/vnd.github+json",
            "X-GitHub-Api-Version": "2022-11-28",
        }
        return self._service.send(method, url, headers=headers, **content)

    def refusal(self, answer: Answer, doing: str, *, once: bool = False) -> Told:
        if answer.status == 403 and "rate limit" in str((answer.object or {}).get("message", "")).lower():
            return Transient("GitHub is asked too often (403).", "It is tried again.", after=answer.after or 60.0)
        return self._service.refusal(answer, doing, REFUSALS, once=once)


def shown(marker: str) -> str:
    """How a marker stands in a body, where nobody sees it."""
    return f"<!-- {marker} -->"


def _address(issue: dict[str, Any]) -> str:
    """Where people see the issue; only an address is passed on, whatever is in the answer."""
    told = issue.get("html_url")
    if (
        isinstance(told, str)
        and len(told) <= LONGEST_ADDRESS
        and told.isascii()
        and told.isprintable()
        and is_http(told)
    ):
        return told
    return "an issue in the repository"
