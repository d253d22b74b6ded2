"""Red Hat and the systems that watch over logins to it: Prometheus in two regions, the accounts endpoint, status pages,
PagerDuty and GitHub. And the alerts that monitoring sends about them.
"""

from __future__ import annotations

import json
import secrets
import threading
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from playground import people
from playground.accounts import AccountsStandIn
from playground.github import GitHubStandIn
from playground.pagerduty import PagerDutyStandIn
from playground.prometheus import PrometheusStandIn, Raw
from playground.status_page import StatusPageStandIn

REGION, OTHER = "us-south", "eu-de"
ALERT = "armada-deploy/armada_kubx_deployer_redhat_auth"
SUMMARY = "armada-kubx-deployer keeps failing to authenticate with Red Hat."
EVERY = 15.0  # seconds between two logins of a kind
JWT_OK, JWT_FAILED, TOKEN_OK, TOKEN_FAILED = (
    {"method": method, "status": status} for method in ("jwt", "token") for status in ("success", "failed")
)
CALM = (JWT_OK,)
STORM, NOTICES = 1000, 20  # alerts, and the calls they come in
BEGAN = 900.0  # seconds that a failure has lasted when its alert fires


class RedHat:
    """`start` makes logins go on by themselves until `close`."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self.prometheus = {region: PrometheusStandIn(clock) for region in (REGION, OTHER)}
        self.accounts = AccountsStandIn()
        self.pages = {"quay.io": StatusPageStandIn("quay.io"), "Red Hat": StatusPageStandIn("Red Hat")}
        self.alert_key, self._routing_key, self._token = (secrets.token_hex(16) for _ in range(3))
        self.pager = PagerDutyStandIn(self._routing_key)
        self.tracker = GitHubStandIn("beekeepers/cie", self._token)
        self._now: dict[str, tuple[dict[str, str], ...]] = {}
        self._ended = threading.Event()
        self.start_over()

    def start(self) -> None:
        threading.Thread(target=self._go_on, name="logins", daemon=True).start()

    def close(self) -> None:
        self._ended.set()

    def _go_on(self) -> None:
        while not self._ended.wait(EVERY):
            for region, kinds in self._now.items():
                for kind in kinds:
                    self.prometheus[region].sample(kind, self._clock())

    def start_over(self) -> None:
        """All is well, and has been for hours."""
        self.accounts.state = "up"
        for page in self.pages.values():
            page.heal()
        for region in self.prometheus:
            self.go(region, CALM)

    def go(
        self, region: str, kinds: tuple[dict[str, str], ...], *, was: tuple[dict[str, str], ...] = CALM,
        since: float = BEGAN,
    ) -> None:  # fmt: skip
        """Logins of these kinds since so many seconds, and of the former ones before that."""
        server = self.prometheus[region]
        server.heal()
        server.forget()
        for kind in was:
            server.scrape(kind, count=int((10800 - since) / EVERY), since=10800, until=since)
        for kind in kinds:
            server.scrape(kind, count=int(since / EVERY), since=since)
        self._now[region] = kinds

    def jwt_fails(self) -> None:
        self.go(REGION, (JWT_FAILED, TOKEN_OK))

    def both_fail(self) -> None:
        self.go(REGION, (JWT_FAILED, TOKEN_FAILED))

    def recovers(self) -> None:
        """What failed (both methods, if nothing did) failed until nine minutes ago; since then jwt works."""
        self.accounts.state = "up"
        failed = [kind for kind in self._now[REGION] if kind not in CALM] or [JWT_FAILED, TOKEN_FAILED]
        self.go(REGION, CALM, since=2400)
        for kind in failed:
            self.prometheus[REGION].scrape(kind, count=60, since=BEGAN + 900, until=540)

    def endpoint_down(self) -> None:
        self.accounts.state = 503
        self.pages["quay.io"].trouble("Registry", "major_outage")
        self.pages["quay.io"].incident("Pulls and logins fail", impact="major")

    def prometheus_down(self) -> None:
        self.prometheus[REGION].fault = Raw(503, b"<h1>503 Service Unavailable</h1>")

    def storm(self) -> None:
        self.go(OTHER, (JWT_FAILED, TOKEN_FAILED))

    def settings(self, serve: Callable[[Any], Any], keep: Callable[[str, str], Path]) -> dict[str, Any]:
        """The bot's settings for all this. `serve` runs an application, `keep` puts a secret into a file."""
        approve = {"approve": ["app-sre", "platform-owners"]}
        return {
            "prometheus": {name: {"address": serve(each.app()).url} for name, each in self.prometheus.items()},
            "endpoints": {"accounts": {"address": serve(self.accounts.app()).url + self.accounts.PATH}},
            "status_pages": {name: {"address": serve(page.app()).url} for name, page in self.pages.items()},
            "pagerduty": {
                "address": serve(self.pager.app()).url,
                "routing_key": {"file": str(keep("routing-key", self._routing_key))},
            },
            "github": {
                "address": serve(self.tracker.app()).url,
                "repository": "beekeepers/cie",
                "token": {"file": str(keep("github-token", self._token))},
            },
            "webhooks": {"alertmanager": [{"file": str(keep("alert-key", self.alert_key))}]},
            "alerts": {"channels": [people.ALERTS_CHANNEL]},
            "commands": {"open-cie": approve, "contact-redhat": approve, "escalate-redhat-auth": approve},
        }


def posted(firing: bool, region: str = REGION) -> dict[str, Any]:
    """What Grafana's Slack integration posts about the alert."""
    word = "FIRING:1" if firing else "RESOLVED"
    labels = "\n".join(f" - {name} = {value}" for name, value in labels_of(region).items())
    head = "**Firing**" if firing else "**Resolved**"
    body = f"{head}\n\nValue: A=10\nLabels:\n{labels}\nAnnotations:\n - summary = {SUMMARY}\n"
    title = f"[{word}] {ALERT} {region} (armada-kubx-deployer critical)"
    attachment = {"title": title, "fallback": title, "text": body, "color": "#D63232" if firing else "#36a64f"}
    return {"username": "Grafana", "text": "", "attachments": [attachment]}


def labels_of(region: str) -> dict[str, str]:
    return {
        "alertname": ALERT,
        "alert_situation": ALERT,
        "region": region,
        "service": "armada-kubx-deployer",
        "severity": "critical",
    }


def send_storm(url: str, key: str, now: float) -> int:
    """Post a thousand alerts to the bot's webhook as Alertmanager does, half of them resolved, each call twice.
    Returns how many calls were taken."""
    taken = 0
    for turn in range(NOTICES):
        document = notification(range(turn, STORM, NOTICES), now, turn)
        for _ in range(2):
            taken += _call(url, key, document)
    return taken


def notification(numbers: range, now: float, turn: int) -> dict[str, Any]:
    """Alertmanager's webhook, version 4."""
    alerts = [_alert(number, now) for number in numbers]
    return {
        "version": "4",
        "groupKey": f'{{}}:{{alertname="{ALERT}", shard="{turn}"}}',
        "truncatedAlerts": 0,
        "status": "firing",
        "receiver": "hivekeeper",
        "groupLabels": {"alertname": ALERT},
        "commonLabels": labels_of(OTHER),
        "commonAnnotations": {"summary": SUMMARY},
        "externalURL": "https://alertmanager.example.com",
        "alerts": alerts,
    }


def _alert(number: int, now: float) -> dict[str, Any]:
    resolved = number % 2 == 1
    return {
        "status": "resolved" if resolved else "firing",
        "labels": {**labels_of(OTHER), "instance": f"deployer-{number}"},
        "annotations": {"summary": SUMMARY},
        "startsAt": _spelled(now - 900 - number % 60),
        "endsAt": _spelled(now - 30) if resolved else "0001-01-01T00:00:00Z",
        "generatorURL": "https://prometheus.example.com/graph",
        "fingerprint": f"{number:016x}",
    }


def _spelled(at: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at))


def _call(url: str, key: str, document: dict[str, Any]) -> bool:
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {key}"}
    request = urllib.request.Request(url, json.dumps(document).encode(), headers)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # a proxy has no business on loopback
    with opener.open(request, timeout=30) as answer:
        return bool(answer.status == 202)
