"""The doctor: what is missing is named, with what to do, and nothing secret is shown."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bot import doctor
from bot.settings import Settings, parse
from handlers import HANDLERS
from playground.cluster import ClusterStandIn
from playground.server import Server, run_in_thread
from playground.slack import Workspace, create
from playground.vault import VaultStandIn
from tests.conftest import Canary

OUTPUT = "app-sre/integrations-output/openshift-serviceaccount-tokens/hive-integration/uhc-integration/*"
ENOUGH = {
    OUTPUT: ("read",),
    "sd-uhc/data/sandbox-tokens": ("create", "read", "update"),
    "sd-uhc/data/sandbox": ("read", "update"),
    "sys/capabilities-self": ("update",),
}


CHANGING = tuple(handler.name for handler in HANDLERS if handler.steps)


class Outside:
    """The systems of one test and the settings that name them."""

    def __init__(self, folder: Path, canary: Canary) -> None:
        self.folder, self.canary = folder, canary
        self.vault_token, self.bot_token = canary("vault token"), "xoxb-" + canary("bot token")
        self.app_token = "xapp-" + canary("app token")
        self.vault = VaultStandIn.of({"sd-uhc": 2, "app-sre": 1}, tokens={self.vault_token: ("bot",)},
                                     policies={"bot": ENOUGH})  # fmt: skip
        users = [{"id": f"U0{n}", "name": n.lower(), "real_name": n} for n in ("ASK", "YES")]
        space = Workspace.of(users=users, channels=[{"id": "C0ONE", "name": "one"}], usergroups={"S0SRE": ["U0YES"]})
        self.servers: list[Server] = [
            run_in_thread(self.vault.app()),
            run_in_thread(create(space, bot_token=self.bot_token, app_token=self.app_token)),
            run_in_thread(ClusterStandIn().app()),
        ]

    def secret(self, name: str, value: str) -> dict[str, str]:
        path = self.folder / name
        path.touch(mode=0o600)
        path.write_text(value)
        self.canary.may_hold(path)
        return {"file": str(path)}

    def settings(self, **changed: Any) -> Settings:
        vault, slack, cluster = (server.url for server in self.servers)
        made = {
            "data_dir": str(self.folder / "data"),
            "vault": {"address": vault, "auth": {"method": "token", "token": self.secret("vt", self.vault_token)}},
            "slack": {
                "api_url": f"{slack}/api/",
                "bot_token": self.secret("bt", self.bot_token),
                "app_token": self.secret("at", self.app_token),
            },
            "clusters": {"hive-integration": {"address": cluster}},
            "groups": {"sre": {"slack_groups": ["S0SRE"]}},
            "commands": {name: {"approve": ["sre"]} for name in CHANGING},
        }
        return parse(made | changed, "settings of the test")


@pytest.fixture
def outside(tmp_path: Path, canary: Canary) -> Iterator[Outside]:
    made = Outside(tmp_path, canary)
    yield made
    for server in made.servers:
        server.stop()


def told(settings: Settings) -> dict[str, doctor.Finding]:
    """The findings that are not right, by subject."""
    return {f.subject: f for f in doctor.examine(settings) if f.good is False}


def test_all_is_well(outside: Outside) -> None:
    """With everything in place nothing is to be put right."""
    assert told(outside.settings()) == {}


def test_a_missing_right_in_vault_is_named(outside: Outside) -> None:
    """The path, the right and the cure."""
    outside.vault.tokens.policies["bot"] = {**ENOUGH, "sd-uhc/data/sandbox": ("read",)}
    found = told(outside.settings())["vault for /rotate-hive-tokens"]
    assert "sd-uhc/sandbox lacks update" in found.told
    assert "policy" in found.now


def test_a_vault_token_that_is_none_is_told(outside: Outside) -> None:
    """A wrong token does not end the check of the other systems."""
    outside.vault.tokens.tokens.clear()
    found = told(outside.settings())
    assert list(found) == ["vault"]


def test_systems_that_are_not_there_are_each_told(outside: Outside) -> None:
    """Vault, Slack, its socket and the cluster are told apart, each with what to do."""
    settings = outside.settings()
    for server in outside.servers:
        server.stop()
    found = told(settings)
    assert {"vault", "slack", "slack socket", "cluster hive-integration"} <= set(found)
    assert all(finding.now for finding in found.values())


def test_a_swapped_token_of_slack_is_told(outside: Outside) -> None:
    """An app-level token in the bot token's place is noticed before Slack is asked."""
    slack = outside.settings().slack.model_dump(mode="json") | {"bot_token": outside.secret("x", outside.app_token)}
    assert "xoxb-" in told(outside.settings(slack=slack))["slack"].told


def test_a_channel_that_the_bot_is_not_in_is_told(outside: Outside) -> None:
    """Where it posts by itself: for the command line, for alarms, for a schedule, for an alert. Each channel once."""
    slack = outside.settings().slack.model_dump(mode="json", exclude_none=True) | {"channel": "C0ONE"}
    night = {"command": "secret-consumers", "every_minutes": 60, "ask": {"path": "a/b"}, "channel": "C0GONE"}
    alerts = {"handlers": {"redhat-auth": {"channel": "C0AWAY"}}}
    more = {"inventory": {"channel": "C0GONE"}, "schedules": {"night": night}, "alerts": alerts}
    found = {finding.subject: finding for finding in doctor.examine(outside.settings(slack=slack, **more))}
    assert (found["slack channel C0ONE"].good, found["slack channel C0GONE"].good) == (True, False)
    assert found["slack channel C0GONE"].now
    assert found["slack channel C0AWAY"].good is False


def test_http_mode_needs_the_signing_secret(outside: Outside) -> None:
    """Without it the bot does not start."""
    slack = outside.settings().slack.model_dump(mode="json", exclude_none=True) | {"mode": "http"}
    assert "signing secret" in told(outside.settings(slack=slack))["slack http"].told
    slack["signing_secret"] = outside.secret("s", outside.canary("signing"))
    assert told(outside.settings(slack=slack)) == {}


def test_a_group_that_nobody_else_is_in_is_told(outside: Outside) -> None:
    """With four eyes, one approver is not enough for the plans that this approver asks for."""
    found = told(outside.settings(groups={"sre": {"users": ["U0YES"]}}))
    assert "2 are needed" in found["/rotate-hive-tokens"].told


def test_only_what_changes_something_needs_approvers(outside: Outside) -> None:
    """A command that the settings leave out can be approved by nobody, which is only worth knowing; that one which they
    name has no approvers is to be put right. One that only looks is not named at all."""
    everything = [*doctor.examine(outside.settings(commands={}))]
    found = {finding.subject: finding for finding in everything if finding.subject.startswith("/")}
    assert set(found) == {f"/{name}" for name in CHANGING}
    assert all(finding.good is None for finding in found.values())
    assert "commands.rotate-hive-tokens.approve" in found["/rotate-hive-tokens"].now
    assert list(told(outside.settings(commands={"rotate-hive-tokens": {}}))) == ["/rotate-hive-tokens"]


def test_a_mistake_in_a_command_s_settings_does_not_hide_the_rest(outside: Outside) -> None:
    """It is told, and the systems are looked at all the same."""
    commands = {"rotate-hive-tokens": {"approve": ["sre"], "settings": {"nonsense": 1}}}
    everything = {finding.subject: finding for finding in doctor.examine(outside.settings(commands=commands))}
    assert "commands.rotate-hive-tokens.settings" in everything["settings"].told
    assert everything["vault"].good
    assert everything["slack"].good


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"commands": {"rotate-hive-token": {}}}, "rotate-hive-token in the settings is no handler"),
        ({"alerts": {"handlers": {"redhat-auth": {"settings": {"hours": "x"}}}}}, "redhat-auth.settings is not right"),
    ],
)
def test_what_keeps_the_bot_from_starting_is_told_and_ends_nothing(
    outside: Outside, changed: dict[str, Any], words: str
) -> None:
    """A name that no handler has, and settings of an alert's handler: told, and every other system is looked at."""
    everything = {finding.subject: finding for finding in doctor.examine(outside.settings(**changed))}
    assert not everything["settings"].good
    assert words in everything["settings"].told
    assert everything["slack socket"].good
    assert "alerts" in everything


def test_a_folder_that_is_not_there_is_told(outside: Outside) -> None:
    """The CI jobs' folder is named."""
    missing = str(outside.folder / "nowhere")
    assert f"ci_jobs {missing}" in told(outside.settings(ci_jobs={"directories": [missing]}))


def test_on_kv_1_the_place_of_the_backups_is_checked_too(outside: Outside) -> None:
    """There the previous value goes to a sibling path, which needs rights of its own."""
    fresh = VaultStandIn.of({"sd-uhc": 1, "app-sre": 1}, tokens={outside.vault_token: ("bot",)}, policies={
        "bot": {OUTPUT: ("read",), "sd-uhc/sandbox-tokens": ("create", "read", "update"),
                "sd-uhc/sandbox": ("read", "update"), "sys/capabilities-self": ("update",)},
    })  # fmt: skip
    server = run_in_thread(fresh.app())
    try:
        vault = outside.settings().vault
        assert vault is not None
        found = told(outside.settings(vault=vault.model_dump(mode="json") | {"address": server.url}))
    finally:
        server.stop()
    assert "sd-uhc/sandbox-before-* lacks create, delete, read" in found["vault for /rotate-hive-tokens"].told
