"""Cases with Red Hat support, by its public case API. Fields as its own clients send them (upstream.md, seed 002).

What the API answers to a new case and to a search is not published: the number is taken from wherever it may stand,
and a case is known by the marker in its summary, which every listing shows.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable
from typing import Any

from bot.calling import RedhatSupport
from bot.core.errors import Refused
from bot.core.secret import Secret
from bot.sources import SecretSource
from bot.tools.calls import Service
from bot.tools.http_answer import Answer

Resolve = Callable[[SecretSource], Secret]
UNTOLD = "of a number not told"
EARLY = 30.0  # seconds before its end that an access token is no longer used
LONGEST_SUMMARY = 255
NUMBER = re.compile(r"\b0?\d{6,9}\b")
LOGIN = {400: ("it refuses the offline token", "Issue a new one and put it where redhat_support.offline_token says.")}
REFUSALS = {
    400: ("it found a fault in the case", "Check product, version and account under redhat_support."),
    403: ("the account may not open cases", "Check whom redhat_support.offline_token belongs to."),
    404: ("there is no such address", "Check redhat_support.address."),
}


class CaseReader:
    """`bot.core.outside.CasesReader`: cannot open anything. `known`: markers of cases that this process opened."""

    def __init__(self, portal: Portal, known: dict[str, str]) -> None:
        self._portal, self._known = portal, known

    def configured(self) -> bool:
        return True

    def find(self, marker: str) -> str | None:
        if self._known.get(marker, UNTOLD) != UNTOLD:
            return self._known[marker]
        answer = self._portal.send("/support/v1/cases/filter", {"keyword": marker, "maxResults": 50, "offset": 0})
        if answer.status not in (200, 201) or _listed(answer) is None:
            raise self._portal.service.refusal(answer, "list its cases", REFUSALS)
        mine = (
            one for one in _listed(answer) or () if shown(marker) in str(one.get("summary") or one.get("caseSummary"))
        )
        return next(
            (_number(str(one.get("caseNumber") or one.get("id") or "")) for one in mine), self._known.get(marker)
        )


class SupportCases:
    """`bot.core.outside.Cases`."""

    def __init__(self, settings: RedhatSupport, resolve: Resolve) -> None:
        self._settings = settings
        self._known: dict[str, str] = {}
        self._portal = Portal(settings, resolve)
        self.reader = CaseReader(self._portal, self._known)

    def configured(self) -> bool:
        return True

    def find(self, marker: str) -> str | None:
        return self.reader.find(marker)

    def open(self, summary: str, description: str, *, severity: str, marker: str) -> None:
        """Transient when it cannot be said whether it was opened: `find` tells."""
        if self.find(marker) is not None:
            return
        case = {
            "summary": f"{summary[: LONGEST_SUMMARY - len(shown(marker)) - 1]} {shown(marker)}",
            "description": description,
            "severity": severity,
            "product": self._settings.product,
            "version": self._settings.version,
            "accountNumberRef": self._settings.account,
            "caseLanguage": "en",
        }
        answer = self._portal.send("/support/v1/cases", case, once=True)
        if answer.status not in (200, 201, 202):
            raise self._portal.service.refusal(answer, "open the case", REFUSALS, once=True)
        self._known[marker] = _opened(answer)


class Portal:
    """The case API with an access token of its own; thread-safe."""

    def __init__(self, settings: RedhatSupport, resolve: Resolve) -> None:
        self._settings, self._resolve = settings, resolve
        self.service = Service("Red Hat support", "redhat_support", settings.timeout, settings.ca_file)
        self._login = Service("Red Hat SSO", "redhat_support", settings.timeout, settings.ca_file)
        self._lock = threading.Lock()
        self._token, self._ends = Secret(""), 0.0

    def send(self, path: str, document: dict[str, Any], *, once: bool = False) -> Answer:
        answer = self._sent(path, document, once)
        if answer.status == 401:  # the token may have been revoked before its end
            self._ends = 0.0
            answer = self._sent(path, document, once)
        return answer

    def _sent(self, path: str, document: dict[str, Any], once: bool) -> Answer:
        headers = {"Authorization": f"Bearer {self._access().reveal()}", "Accept": "application/json"}
        url = self._settings.address.rstrip("/") + path
        return self.service.send("POST", url, headers=headers, once=once, json=document)

    def _access(self) -> Secret:
        with self._lock:
            if time.monotonic() >= self._ends:
                self._token, lives = self._fresh()
                self._ends = time.monotonic() + lives - EARLY
            return self._token

    def _fresh(self) -> tuple[Secret, float]:
        form = {
            "grant_type": "refresh_token",
            "client_id": self._settings.client_id,
            "refresh_token": self._resolve(self._settings.offline_token).reveal(),
        }
        answer = self._login.send("POST", self._settings.login, headers={"Accept": "application/json"}, data=form)
        token, lives = (answer.object or {}).get("access_token"), (answer.object or {}).get("expires_in", 300)
        if answer.status != 200 or not isinstance(token, str) or not token:
            raise self._login.refusal(answer, "give an access token", LOGIN)
        if not token.isascii() or not token.isprintable():
            raise Refused("Red Hat SSO gave something that is no access token.", "Check redhat_support.login.")
        return Secret(token), float(lives) if isinstance(lives, int | float) and lives > 0 else 300.0


def shown(marker: str) -> str:
    """How a marker stands in a summary."""
    return f"[{marker}]"


def _listed(answer: Answer) -> list[dict[str, Any]] | None:
    """The cases of a listing: a list, or a list under a name of its own."""
    document = answer.document
    found = (
        document
        if isinstance(document, list)
        else (answer.object or {}).get("cases", (answer.object or {}).get("case"))
    )
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else None


def _opened(answer: Answer) -> str:
    document = answer.object or {}
    places = (document.get("caseNumber"), document.get("id"), document.get("location"), document.get("uri"))
    numbers = (_number(str(place)) for place in places if place)
    return next((number for number in numbers if number != UNTOLD), UNTOLD)


def _number(text: str) -> str:
    found = NUMBER.search(text[:200])
    return found.group() if found else UNTOLD
