"""`hivekeeper check` about the ways alerts come in, and about those through whom people are called."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from bot import doctor
from bot.app import Parts
from bot.settings import parse
from playground.cases import CasesStandIn
from playground.github import GitHubStandIn
from playground.pagerduty import PagerDutyStandIn
from playground.server import run_in_thread
from playground.slack import Workspace, create


class Outside:
    """The systems of one test and the settings that name them."""

    def __init__(self, folder: Path, canary: Any, stack: ExitStack) -> None:
        self.folder, self.canary = folder, canary
        self.kept = {name: canary(name) for name in ("api", "token", "offline", "hook", "alertmanager")}
        self.kept |= {"routing": canary.add("routing", secrets.token_hex(16)), "bot": "xoxb-" + canary("bot")}
        self.pager = PagerDutyStandIn(self.kept["routing"], self.kept["api"])
        self.github = GitHubStandIn("example/incidents", self.kept["token"])
        self.cases = CasesStandIn(self.kept["offline"])
        space = Workspace.of(
            users=[{"id": "U0ASK", "name": "ask", "real_name": "Ask"}],
            channels=[{"id": "C0IN", "name": "in"}, {"id": "C0OUT", "name": "out", "members": ["U0ASK"]}],
        )
        slack = create(space, bot_token=self.kept["bot"], app_token="xapp-" + canary("app"))
        self.urls = []
        for app in (self.pager.app(), self.github.app(), self.cases.app(), slack):
            server = run_in_thread(app)
            stack.callback(server.stop)
            self.urls.append(server.url)

    def secret(self, name: str) -> dict[str, str]:
        path = self.folder / name
        path.touch(mode=0o600)
        path.write_text(self.kept[name])
        self.canary.may_hold(path)
        return {"file": str(path)}

    def parts(self, **changed: Any) -> Parts:
        pager, github, cases, slack = self.urls
        made = {
            "slack": {"api_url": f"{slack}/api/", "bot_token": self.secret("bot"), "channel": "C0IN"},
            "pagerduty": {"routing_key": self.secret("routing"), "api_token": self.secret("api"), "api_address": pager},
            "github": {"repository": "example/incidents", "token": self.secret("token"), "address": github},
            "redhat_support": {"offline_token": self.secret("offline"), "account": "6525254", "address": cases,
                               "login": cases + CasesStandIn.LOGIN},
            "cie_webhook": {"address": "https://cie.example.com", "token": self.secret("hook")},
            "webhooks": {"alertmanager": [self.secret("alertmanager")]},
        }  # fmt: skip
        return Parts(parse(made | changed, "settings of the test"))


@pytest.fixture
def outside(tmp_path: Path, canary: Any) -> Iterator[Outside]:
    with ExitStack() as stack:
        yield Outside(tmp_path, canary, stack)


def findings(parts: Parts) -> dict[str, doctor.Finding]:
    return {found.subject: found for found in (*doctor.alerts(parts), *doctor.callers(parts))}


def test_all_is_well(outside: Outside) -> None:
    """Each is reached and well; nobody is paged, no issue and no case is opened."""
    found = findings(outside.parts())
    assert {subject: finding.good for subject, finding in found.items()} == {
        "webhook alertmanager": True, "pagerduty": True, "github": True, "redhat_support": True, "cie_webhook": True,
    }  # fmt: skip
    assert outside.pager.events == outside.github.issues == outside.cases.cases == []


def test_incidents_that_nobody_would_see_are_told(outside: Outside) -> None:
    """By webhook there is no thread to answer in: without a channel for them, an alert would be taken in silence."""
    slack = {"bot_token": outside.secret("bot")}
    found = findings(outside.parts(slack=slack))["alerts"]
    assert (found.good, "redhat-auth" in found.told, "slack.channel" in found.now) == (False, True, True)
    routed = findings(outside.parts(slack=slack, alerts={"handlers": {"redhat-auth": {"channel": "C0IN"}}}))["alerts"]
    assert "redhat-auth" not in routed.told
    assert "alerts" not in findings(outside.parts(slack=slack, webhooks={}, alerts={"channels": ["C0IN"]}))


def test_what_cannot_be_seen_is_not_called_good(outside: Outside) -> None:
    """A page is the only proof of a routing key; without the REST key that is what is told."""
    found = findings(outside.parts(pagerduty={"routing_key": outside.secret("routing")}))["pagerduty"]
    assert (found.good, "without raising a page" in found.told) == (None, True)
    outside.kept["routing"] = secrets.token_hex(4)
    assert findings(outside.parts(pagerduty={"routing_key": outside.secret("routing")}))["pagerduty"].good is False


def test_wrong_secrets_are_told(outside: Outside) -> None:
    """Each by the name of its setting, and none of them shown."""
    for name in ("api", "token", "offline"):
        outside.kept[name] = "wrong"
    outside.kept["alertmanager"] = "short"
    found = findings(outside.parts())
    bad = {subject for subject, finding in found.items() if finding.good is False}
    assert bad == {"webhook alertmanager", "pagerduty", "github", "redhat_support"}
    assert all(finding.now for finding in found.values() if not finding.good)


@pytest.mark.parametrize(
    ("change", "words"),
    [({"archived": True}, "archived"), ({"state": "no issues"}, "switched off"), ({"state": 503}, "503"),
     ({"pushes": False}, "labels need the right to push")],
)  # fmt: skip
def test_a_repository_that_takes_no_issues_is_told(outside: Outside, change: dict[str, Any], words: str) -> None:
    """Archived, without issues, away; a token that cannot push still opens issues."""
    for name, value in change.items():
        setattr(outside.github, name, value)
    found = findings(outside.parts())["github"]
    assert words in found.told
    assert found.good is ("pushes" in change)


def test_the_bot_must_be_in_the_channels(outside: Outside) -> None:
    """A channel that it cannot read is told, with how to let it in."""
    found = findings(outside.parts(alerts={"channels": ["C0IN", "C0OUT", "C0NOWHERE"]}))
    assert [found[f"alert channel {name}"].good for name in ("C0IN", "C0OUT", "C0NOWHERE")] == [True, False, False]
    assert "/invite" in found["alert channel C0OUT"].now


def test_nothing_is_set(outside: Outside) -> None:
    """Settings without any of it: no alert comes in, which is told, and is no fault."""
    found = findings(Parts(parse({}, "settings.yaml")))
    assert {subject: finding.good for subject, finding in found.items()} == {"alerts": None}
