"""A world for the handlers about Red Hat logins: every outside system as a stand-in over HTTP, and the real tools."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import pytest

import handlers
from bot.calling import CieWebhook, GitHub, PagerDuty, RedhatSupport
from bot.core.alert import Alert
from bot.core.diagnosis import Diagnosis, Subject
from bot.core.handler import Handler
from bot.core.plan import Answer, Plan, RunRef, Vocabulary
from bot.core.ports import ReadTools, Tools
from bot.core.secret import Secret
from bot.looking import Endpoint, Prometheus, StatusPage
from bot.tools.absent import NoVault
from bot.tools.cie_webhook import Webhook
from bot.tools.cluster import Clusters
from bot.tools.documents import Base64Yaml
from bot.tools.endpoint import CheckedEndpoints
from bot.tools.fingerprints import KeyedFingerprints
from bot.tools.github import Issues
from bot.tools.jobs import JobFiles
from bot.tools.pagerduty import Pages
from bot.tools.prometheus import PrometheusServers
from bot.tools.redhat_cases import SupportCases
from bot.tools.runbook_files import RunbookFiles
from bot.tools.status_pages import ReadPages
from bot.tools.tokens import JwtClaims
from handlers import HANDLERS
from handlers.redhat_auth import Settings
from handlers.redhat_auth_diagnosis import diagnose
from playground.accounts import AccountsStandIn
from playground.cases import CasesStandIn
from playground.github import GitHubStandIn
from playground.pagerduty import PagerDutyStandIn
from playground.prometheus import PrometheusStandIn
from playground.server import run_in_thread
from playground.status_page import StatusPageStandIn
from playground.webhook import WebhookStandIn

NOW = 1_900_000_000.0
REGIONS = ("us-south", "eu-de")
OURS = Path(handlers.__file__).parent


class Stage:
    """An ASGI application that is, for each test, another one; so the servers start once."""

    app: Any = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "lifespan":
            await self.app(scope, receive, send)


@dataclass
class World:
    """Everything outside, and the tools that reach it."""

    prometheus: dict[str, PrometheusStandIn]
    accounts: AccountsStandIn
    page: StatusPageStandIn
    pagerduty: PagerDutyStandIn
    github: GitHubStandIn
    cases: CasesStandIn
    webhook: WebhookStandIn
    urls: dict[str, str]
    keys: dict[str, str]
    settings: Settings = field(default_factory=Settings)

    def happened(
        self, method: str, status: str, count: int, *, since: float, until: float = 0, region: str = "us-south"
    ) -> None:
        """So many samples, evenly from so many minutes ago to so many minutes ago."""
        labels = {"method": method, "status": status}
        self.prometheus[region].scrape(labels, count=count, since=since * 60, until=until * 60 + 1)

    def well(self, region: str = "us-south") -> None:
        self.happened("jwt", "success", 170, since=170, region=region)

    def both_fail(self, region: str = "us-south") -> None:
        self.happened("jwt", "failed", 40, since=40, region=region)
        self.happened("token", "failed", 40, since=40, region=region)

    def tools(
        self, *, without: tuple[str, ...] = (), regions: tuple[str, ...] = REGIONS,
        runbooks: tuple[Path, ...] = (), hooked: bool = False,
    ) -> Tools:  # fmt: skip
        """The real tools; `without` are left out as if the settings did not name them, and so is the webhook unless
        `hooked`."""

        def resolve(source: Any) -> Secret:
            return Secret(self.keys[source.env])

        url = self.urls
        github = {"repository": "example/incidents", "token": {"env": "token"}, "address": url["github"]}
        support = {"offline_token": {"env": "offline"}, "account": "6525254", "address": url["cases"]}
        callers: dict[str, Any] = {
            "pager": lambda: Pages(
                PagerDuty.model_validate({"routing_key": {"env": "key"}, "address": url["pagerduty"]}), resolve
            ),
            "tracker": lambda: Issues(GitHub.model_validate(github), resolve),
            "hook": lambda: Webhook(
                CieWebhook.model_validate({"address": url["webhook"] + "/cie", "token": {"env": "hook"}}), resolve
            ),
            "cases": lambda: SupportCases(
                RedhatSupport.model_validate(support | {"login": url["cases"] + CasesStandIn.LOGIN}), resolve
            ),
        }
        looked = {
            "endpoints": CheckedEndpoints(
                {"accounts": Endpoint(address=url["accounts"] + AccountsStandIn.PATH, timeout=60)}
            )
        }
        return Tools(
            vault=NoVault(), fingerprints=KeyedFingerprints(Secret(secrets.token_hex(16))), tokens=JwtClaims(),
            documents=Base64Yaml(), clusters=Clusters({}), jobs=JobFiles(()), now=lambda: NOW,
            prometheus=PrometheusServers({r: Prometheus(address=url[r], timeout=60) for r in regions}, resolve),
            status_pages=ReadPages({"quay.io": StatusPage(address=url["page"], timeout=60)}),
            runbooks=RunbookFiles((OURS, *runbooks), {}),
            commands=frozenset(handler.name for handler in HANDLERS),
            **{name: made for name, made in looked.items() if name not in without},
            **{name: made() for name, made in callers.items() if name not in without and (hooked or name != "hook")},
        )  # fmt: skip

    def diagnose(
        self, *, key: str = "us-south", alerts: tuple[Alert, ...] = (), incident: str = "i-abc",
        tools: Tools | None = None, **made: Any,
    ) -> Diagnosis:  # fmt: skip
        """What is told, having gone through the store's JSON and back."""
        subject = Subject(incident=incident, key=key, alerts=alerts, began=NOW - 600)
        found = diagnose(subject, self.settings, reading(tools or self.tools(**made)))
        again = Diagnosis.model_validate_json(found.model_dump_json())
        assert again == found
        return again

    def ask(self, handler: Handler, tools: Tools | None = None, **ask: Any) -> Plan | Answer:
        made = handler.plan(handler.ask(**ask), self.settings, reading(tools or self.tools()))
        if isinstance(made, Answer):
            return made
        again = Vocabulary(handler.steps, handler.premises).read(json.loads(made.model_dump_json()))
        assert again == made
        return again

    def apply(self, plan: Plan, tools: Tools | None = None) -> None:
        """Each step asked before and proved afterwards, as the engine does."""
        tools = tools or self.tools()
        for _, _, step in plan.steps:
            if not step.done(reading(tools)):
                step.do(tools, RunRef(id="run-1"))
                assert step.done(reading(tools))


def reading(tools: Tools) -> ReadTools:
    """The same without what can call anybody."""
    whole = {f.name: getattr(tools, f.name) for f in fields(ReadTools)}
    callers = {name: whole[name] for name in ("pager", "tracker", "hook", "cases")}
    return ReadTools(**{**whole, **{name: one.reader for name, one in callers.items() if one.configured()}})


@pytest.fixture(scope="session")
def stages() -> Iterator[dict[str, tuple[Stage, str]]]:
    names = (*REGIONS, "accounts", "page", "pagerduty", "github", "cases", "webhook")
    made = {name: Stage() for name in names}
    servers = {name: run_in_thread(stage) for name, stage in made.items()}
    yield {name: (made[name], servers[name].url) for name in names}
    for server in servers.values():
        server.stop()


@pytest.fixture
def world(stages: dict[str, tuple[Stage, str]], canary: Any) -> World:
    keys = {
        "key": canary.add("routing key", secrets.token_hex(16)),
        "token": canary("token"),
        "offline": canary("offline"),
        "hook": canary("hook"),
    }
    made = World(
        prometheus={region: PrometheusStandIn(clock=lambda: NOW) for region in REGIONS},
        accounts=AccountsStandIn(),
        page=StatusPageStandIn("quay.io"),
        pagerduty=PagerDutyStandIn(keys["key"]),
        github=GitHubStandIn("example/incidents", keys["token"]),
        cases=CasesStandIn(keys["offline"]),
        webhook=WebhookStandIn(keys["hook"]),
        urls={name: url for name, (_, url) in stages.items()},
        keys=keys,
    )
    apps: dict[str, Any] = {**made.prometheus, "accounts": made.accounts, "page": made.page}
    apps |= {"pagerduty": made.pagerduty, "github": made.github, "cases": made.cases, "webhook": made.webhook}
    for name, (stage, _) in stages.items():
        stage.app = apps[name].app()
    return made


@pytest.fixture
def alert() -> Callable[..., Alert]:
    def made(**labels: str) -> Alert:
        return Alert(identity="a", status="firing", labels=labels, starts_at=NOW - 600)

    return made
