"""The offline token of the demo's CI: the realm that it is of, production's copy, the console's page, and the Jenkins
whose jobs use it (seed 000)."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Mount, Route

from playground import sso_device
from playground.ci_jobs import NINE
from playground.jenkins import JenkinsStandIn
from playground.sso import PATH, SsoStandIn
from playground.sso_sessions import User
from playground.vault import VaultStandIn

PLACE, REALM = "ocm-ci", "redhat"
USER, STRANGER = "ocm-ci", "somebody-else"
CONFIG, KEYS, PRODUCTION = "sd-uhc/sandbox", ["self", "token"], "app-sre/ocm/production"
CONSOLE = "/openshift/token"
LATEST = "2099-12-31"
MARKER = "HIVEKEEPER_RUN"


class Offline:
    """`first_day` is called when Vault is filled anew."""

    def __init__(self) -> None:
        self.realm = SsoStandIn()
        self.realm.devices.interval = 2.0  # seconds; a person who looks on is impatient
        for name in (USER, STRANGER):
            self.realm.sessions.users[name] = User(name, sub=f"f:beekeepers:{name}")  # people tell these apart
        self._jenkins_token = secrets.token_hex(17)
        self.jenkins = JenkinsStandIn("hivekeeper", self._jenkins_token)
        self.issued: list[str] = []
        for number, name in enumerate(NINE):
            self.jenkins.add(name, parameters=(MARKER,) if number % 2 else ())

    def first_day(self, vault: VaultStandIn) -> str:
        """The token that production and CI share."""
        self.mend()
        self.realm.end_session(USER)
        vault.put(PRODUCTION, {"token": self.issue()})
        return self.issued[-1]

    def issue(self, user: str = USER) -> str:
        self.issued.append(self.realm.offline_token(user))
        return self.issued[-1]

    def told(self, value: str) -> tuple[str, bool] | None:
        """Whether a token of the realm is good, in words; None for anything else."""
        claims = self.realm.mint.read(value) if value.count(".") == 2 else None
        if claims is None:
            return None
        good = any(
            one.sid == claims["sid"] and one.state == "live" for one in self.realm.sessions.of(self._name(claims))
        )
        return ("good at Red Hat SSO", True) if good else ("its offline session is gone", False)

    def _name(self, claims: dict[str, Any]) -> str:
        return next((user.name for user in self.realm.sessions.users.values() if user.sub == claims["sub"]), "")

    # --- what happens to it ----------------------------------------------------------------------------------

    def recycle(self, vault: VaultStandIn) -> None:
        """The session ends, and production has a new token already."""
        self.realm.end_session(USER)
        vault.put(PRODUCTION, {"token": self.issue()})

    def end(self) -> None:
        """The session ends, and nobody has another one."""
        self.realm.end_session(USER)

    def down(self) -> None:
        self.realm.state = 503

    def mend(self) -> None:
        self.realm.state, self.realm.refusal = "up", None

    # --- the console's page, where a person gets a token -----------------------------------------------------

    def app(self) -> Starlette:
        """The realm, and the page of the console."""
        page = Route(CONSOLE, self._console, methods=["GET", "POST"])
        return Starlette(routes=[page, Mount("/", self.realm.app())])

    async def _console(self, request: Request) -> Response:
        if request.method == "GET":
            return HTMLResponse(sso_device.console(self.realm.sessions.users))
        user = str((await request.form()).get("user", ""))
        if user not in self.realm.sessions.users:
            return HTMLResponse(sso_device.console(self.realm.sessions.users), 400)
        return HTMLResponse(sso_device.console(self.realm.sessions.users, self.issue(user)))

    # --- the bot ---------------------------------------------------------------------------------------------

    def settings(self, serve: Callable[[Any], Any], keep: Callable[[str, str], Path]) -> dict[str, Any]:
        """The bot's settings for all this. Here a token may be tried before there is a plan: this realm spends none."""
        address = serve(self.app()).url
        known = {
            "settings": {
                "places": {PLACE: {"path": CONFIG, "inside": KEYS, "realm": REALM, "probe": "planning",
                                   "production": {"path": PRODUCTION, "field": "token"}}},
                "token_page": f"{address}{CONSOLE}",
            }
        }  # fmt: skip
        approve = {"approve": ["app-sre", "platform-owners"]}
        token = keep("jenkins-token", self._jenkins_token)
        return {
            "sso": {REALM: {"issuer": self.realm.issuer, "address": f"{address}{PATH}", "device_flow": True,
                            "least_seconds_between_probes": 0}},
            "jenkins": {"address": serve(self.jenkins.app()).url, "user": "hivekeeper",
                        "token": {"file": str(token)}, "marker": MARKER},
            "alerts": {"handlers": {"offline-session": {"settings": {"token_page": f"{address}{CONSOLE}"}}}},
            "commands": {
                "fix-offline-session": {**approve, **known},
                "keep-offline-alive": {**approve, **known},
                "run-ci-jobs": approve,
            },
        }  # fmt: skip
