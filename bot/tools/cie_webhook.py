"""A webhook of the organisation's own that opens a CIE: one POST in JSON, told apart by its idempotency key."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from bot.calling import CieWebhook
from bot.core.secret import Secret
from bot.sources import SecretSource
from bot.tools.calls import Service

Resolve = Callable[[SecretSource], Secret]
REFUSALS = {
    400: ("it found a fault in what was sent", "Compare what it expects with docs/settings.example.yaml."),
    404: ("there is no such address", "Check cie_webhook.address and what cie_webhook.path names."),
    410: ("it is switched off there", "Switch it on, or take cie_webhook out of the settings."),
    422: ("it found a fault in what was sent", "Compare what it expects with docs/settings.example.yaml."),
}


class HookReader:
    """`bot.core.outside.HookReader`: cannot call. `accepted`: markers that were taken, shared with who calls; there is
    nothing to look up elsewhere."""

    def __init__(self, accepted: set[str]) -> None:
        self._accepted = accepted

    def configured(self) -> bool:
        return True

    def raised(self, marker: str) -> bool:
        """Known from this process alone."""
        return marker in self._accepted


class Webhook:
    """`bot.core.outside.Hook`. Thread-safe. The marker goes with each call as its idempotency key, so that whoever
    takes it can tell a second call after a crash from a second CIE."""

    def __init__(self, settings: CieWebhook, resolve: Resolve) -> None:
        self._settings, self._resolve = settings, resolve
        self._accepted: set[str] = set()
        self.reader = HookReader(self._accepted)

    def configured(self) -> bool:
        return True

    def raised(self, marker: str) -> bool:
        return self.reader.raised(marker)

    def call(self, title: str, body: str, *, marker: str, region: str, links: Mapping[str, str]) -> None:
        """Refused for a wrong address or token; Transient when it cannot be said whether the call was taken."""
        service = Service("The CIE webhook", "cie_webhook", self._settings.timeout, self._settings.ca_file)
        document = {"title": title, "body": body, "marker": marker, "region": region, "links": dict(links)}
        answer = service.send("POST", self._url(), headers=self._headers(marker), json=document)
        if not 200 <= answer.status < 300:
            raise service.refusal(answer, "take the CIE", REFUSALS)
        self._accepted.add(marker)

    def _url(self) -> str:
        """The address, with its secret part where it has one."""
        path = self._settings.path
        return self._settings.address + (self._resolve(path).reveal() if path else "")

    def _headers(self, marker: str) -> dict[str, str]:
        known = self._settings
        secret = {name: self._resolve(source).reveal() for name, source in known.secret_headers.items()}
        login = {"Authorization": f"Bearer {self._resolve(known.token).reveal()}"} if known.token else {}
        return {"Accept": "application/json", **known.headers, **secret, **login, "Idempotency-Key": marker}
