"""What providers say of themselves: Statuspage v2, `/api/v2/summary.json` (upstream.md, "Health endpoints").

Names of components and incidents are the provider's words, quoted as evidence: in one line, cut, and only so many.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from bot.core.outside import StatusPage
from bot.looking import StatusPage as Page
from bot.tools.foreign_text import plain, some
from bot.tools.http_answer import LOADING, Answer, twice

SUMMARY = "/api/v2/summary.json"
INDICATORS = ("none", "minor", "major", "critical")
WELL = "operational"
OVER = ("resolved", "postmortem", "completed")
LONGEST_BODY = 4_000_000  # bytes
LONGEST_NAME = 120
MOST = 8
AT_ONCE = 8


class ReadPages:
    """`bot.core.outside.StatusPages`. All pages are read at once, so the slowest says how long it takes."""

    def __init__(self, pages: Mapping[str, Page]) -> None:
        self._pages = dict(pages)

    def read(self) -> tuple[StatusPage, ...]:
        if not self._pages:
            return ()
        with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="status-page") as pool:
            return tuple(pool.map(_read, self._pages, self._pages.values()))


def _read(name: str, page: Page) -> StatusPage:
    with LOADING:
        from bot.tools import http_session

    url = page.address.rstrip("/") + SUMMARY

    def look(seconds: float) -> Answer:
        session = http_session.Session(seconds=seconds, ca_file=page.ca_file, limit=LONGEST_BODY)
        return http_session.look(session, lambda it: it.get(url, headers={"Accept": "application/json"}))

    answer = twice(page.timeout, look)
    trouble = _trouble(answer, f"The status page of {name}", page.timeout)
    if trouble:
        return StatusPage(name=name, address=page.address, trouble=trouble)
    summary = answer.object or {}
    return StatusPage(
        name=name,
        address=page.address,
        indicator=_indicator(summary),
        components=some(_components(summary), MOST),
        incidents=some(_incidents(summary), MOST),
    )


def _trouble(answer: Answer, where: str, seconds: float) -> str:
    """Why the page says nothing; empty if it does."""
    if answer.how != "answered":
        return answer.silence(where, seconds)
    if answer.moved:
        return f"{where} has moved ({answer.status}); correct its address under status_pages."
    if answer.status != 200:
        return f"{where} answered with an error ({answer.status})."
    if not isinstance((answer.object or {}).get("status"), dict):
        return f"{where} does not speak Statuspage v2."
    return ""


def _indicator(summary: dict[str, Any]) -> str:
    told = summary["status"].get("indicator")
    return told if told in INDICATORS else "unknown"


def _components(summary: dict[str, Any]) -> Iterator[str]:
    """ "Name: partial outage" of each that is not well; a group only repeats what its parts say."""
    for component in _listed(summary, "components"):
        status = component.get("status")
        if isinstance(status, str) and status != WELL and component.get("group") is not True:
            yield _line(component, plain(status.replace("_", " "), 40))


def _incidents(summary: dict[str, Any]) -> Iterator[str]:
    for incident in _listed(summary, "incidents"):
        status = incident.get("status")
        if status not in OVER:
            impact = incident.get("impact")
            said = [plain(word, 40) for word in (impact, status) if isinstance(word, str) and word and word != "none"]
            yield _line(incident, ", ".join(said))


def _listed(summary: dict[str, Any], key: str) -> Iterator[dict[str, Any]]:
    listed = summary.get(key)
    yield from (entry for entry in (listed if isinstance(listed, list) else []) if isinstance(entry, dict))


def _line(entry: dict[str, Any], said: str) -> str:
    name = entry.get("name")
    shown = plain(name, LONGEST_NAME) if isinstance(name, str) else ""
    return f"{shown or 'without a name'}: {said}" if said else shown
