"""PagerDuty: pages by Events v2, found again by the REST API where a key for it is configured (upstream.md)."""

from __future__ import annotations

from collections.abc import Callable

from bot.calling import PagerDuty
from bot.core.errors import Refused
from bot.core.secret import Secret
from bot.sources import SecretSource
from bot.tools.calls import Service

Resolve = Callable[[SecretSource], Secret]
LONGEST_SUMMARY = 1024  # characters
REFUSALS = {
    400: ("it found a fault in the event", "Check that pagerduty.routing_key names a key of 32 characters."),
    404: ("there is no such address", "Check pagerduty.address."),
}


class PageReader:
    """`bot.core.outside.PagerReader`: cannot page. `accepted`: keys of pages that were taken, shared with who pages;
    Events v2 itself has nothing to look up."""

    def __init__(self, settings: PagerDuty, resolve: Resolve, accepted: set[str]) -> None:
        self._settings, self._resolve, self._accepted = settings, resolve, accepted

    def configured(self) -> bool:
        return True

    def raised(self, key: str) -> bool:
        """Known from this process, or from the REST API where a key for it is configured. Raises when that fails."""
        token = self._settings.api_token
        return key in self._accepted or (token is not None and self._found(token, key))

    def _found(self, token: SecretSource, key: str) -> bool:
        service = _service(self._settings, "PagerDuty's REST API")
        answer = service.send(
            "GET",
            self._settings.api_address.rstrip("/") + "/incidents",
            headers={
                "Authorization": f"Token token={self._resolve(token).reveal()}",
                "Accept": "application/vnd.pagerduty+json;version=2",
            },
            params={"incident_key": key, "date_range": "all", "limit": "1"},
        )
        incidents = (answer.object or {}).get("incidents")
        if answer.status != 200 or not isinstance(incidents, list):
            raise service.refusal(answer, "look for the page")
        return any(isinstance(one, dict) and one.get("incident_key") == key for one in incidents)


class Pages:
    """`bot.core.outside.Pager`. Thread-safe. The same key again is the same incident, so paging twice is safe."""

    def __init__(self, settings: PagerDuty, resolve: Resolve) -> None:
        self._settings, self._resolve = settings, resolve
        self._accepted: set[str] = set()
        self.reader = PageReader(settings, resolve, self._accepted)

    def configured(self) -> bool:
        return True

    def raised(self, key: str) -> bool:
        return self.reader.raised(key)

    def page(self, key: str, summary: str, *, severity: str, details: dict[str, str]) -> None:
        """Refused for a wrong key of ours; Transient when it cannot be said whether the page was taken."""
        service = _service(self._settings)
        event = {
            "routing_key": self._resolve(self._settings.routing_key).reveal(),
            "event_action": "trigger",
            "dedup_key": key,
            "client": "hivekeeper",
            "payload": {
                "summary": summary[:LONGEST_SUMMARY],
                "source": self._settings.source,
                "severity": severity,
                "custom_details": details,
            },
        }
        url = self._settings.address.rstrip("/") + "/v2/enqueue"
        answer = service.send("POST", url, headers={"Accept": "application/json"}, json=event)
        if answer.status != 202 or (answer.object or {}).get("status") != "success":  # paging again is safe
            raise service.refusal(answer, "take the page", REFUSALS)
        self._accepted.add(key)


def check(settings: PagerDuty, resolve: Resolve) -> str | None:
    """What can be seen without raising a page: whether the REST key is good. None without one, for the routing key
    shows only when it is used. Refused or Transient when it is not."""
    key = resolve(settings.routing_key).reveal().strip()
    if len(key) != 32:
        raise Refused("PagerDuty's routing key does not have 32 characters.", REFUSALS[400][1])
    if settings.api_token is None:
        return None
    service = _service(settings, "PagerDuty's REST API")
    headers = {"Authorization": f"Token token={resolve(settings.api_token).reveal()}"}
    answer = service.send("GET", settings.api_address.rstrip("/") + "/abilities", headers=headers)
    if answer.status != 200 or not isinstance((answer.object or {}).get("abilities"), list):
        raise service.refusal(answer, "say what the account can")
    return "the REST key is good; the routing key shows only when a page is raised."


def _service(settings: PagerDuty, name: str = "PagerDuty") -> Service:
    return Service(name, "pagerduty", settings.timeout, settings.ca_file)
