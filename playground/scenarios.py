"""The buttons that change or break the demo's world. Each deed is a plain function that may block."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from playground import people
from playground.child import Child
from playground.kubernetes import OnWrite as OnClusterWrite
from playground.kubernetes_answers import Entry
from playground.managed_scenarios import managed_scenarios
from playground.managed_tokens import ManagedTokens
from playground.ocm_scenarios import session_scenarios, transfer_scenarios
from playground.offline import Offline
from playground.pull_scenarios import pull_scenarios
from playground.pull_secrets import PullSecrets
from playground.redhat import STORM, RedHat, posted
from playground.scenario import Scenario
from playground.slack import Workspace
from playground.vault import OnWrite
from playground.world import World

SLACK_DOWN = 20  # seconds
RETRY_AFTER = 5  # seconds
ALERTS, RED_HAT = "#roks-alerts", "Red Hat"
BACKUP = "-before-"  # part of the path where is kept what was there before a run
CHANGES = ("update", "patch")


class Stage:
    """What the deeds work on. `say(channel, user, text)` and `fault(body)` go through the workspace's own door."""

    def __init__(
        self,
        world: World,
        workspace: Workspace,
        bot: Child,
        *,
        redhat: RedHat,
        pulls: PullSecrets,
        offline: Offline,
        managed: ManagedTokens,
        say: Callable[[str, str, str], object],
        alert: Callable[[dict[str, Any]], object],
        storm: Callable[[], int],
        fault: Callable[[dict[str, Any]], object],
        afresh: Callable[[], None],
    ) -> None:
        self.world = world
        self.workspace = workspace
        self.bot = bot
        self.redhat = redhat
        self.pulls = pulls
        self.offline = offline
        self.managed = managed
        self._say = say
        self.alert = alert
        self._storm = storm
        self._fault = fault
        self._afresh = afresh

    def recycle(self) -> str:
        self.world.recycle()
        self._say(people.CI_CHANNEL, people.NEWCOMER, people.COMPLAINT)
        return "Production has new tokens. The copies that CI uses are dead until somebody hands the new ones over."

    def seal(self) -> str:
        self.world.vault.sealed = True
        return "Vault is sealed: every call answers 503."

    def unseal(self) -> str:
        self.world.vault.sealed = False
        return "Vault is open again."

    def deny(self) -> str:
        self.world.vault.deny("sd-uhc", "create", "update")
        return "The bot may read sd-uhc but not write there (403)."

    def allow(self) -> str:
        self.world.vault.faults.clear()
        return "The bot may write to sd-uhc again."

    def edit(self) -> str:
        self.world.edit_config()
        return "Somebody has changed the config in sd-uhc/sandbox. A plan that was shown before does not fit any more."

    def jwt_fails(self) -> str:
        self.redhat.jwt_fails()
        self.alert(posted(True))
        return f"In us-south jwt fails and token carries the load. The alert is in {ALERTS}."

    def both_fail(self) -> str:
        self.redhat.both_fail()
        self.alert(posted(True))
        return f"In us-south neither method logs in any more. The alert is in {ALERTS}."

    def recovers(self) -> str:
        self.redhat.recovers()
        self.alert(posted(False))
        return f"In us-south logins have worked again for nine minutes; {ALERTS} says resolved."

    def endpoint_down(self) -> str:
        self.redhat.endpoint_down()
        self.alert(posted(True))
        return f"The accounts endpoint answers 503, and quay.io admits an outage. The alert is in {ALERTS}."

    def prometheus_down(self) -> str:
        self.redhat.prometheus_down()
        self.alert(posted(True))
        return f"Prometheus of us-south answers 503, so nobody knows what fails. The alert is in {ALERTS}."

    def storm(self) -> str:
        self.redhat.storm()
        return f"{self._storm()} calls with {STORM} alerts of eu-de, each call twice, half of the alerts resolved."

    def slack_down(self) -> str:
        self._fault({"method": "*", "kind": "down", "seconds": SLACK_DOWN})
        return f"Slack is down for {SLACK_DOWN} seconds: nothing reaches the bot, and nothing it says arrives."

    def slack_limits(self) -> str:
        for method in ("chat.postMessage", "chat.update"):
            self._fault({"method": method, "kind": "ratelimited", "count": 2, "seconds": RETRY_AFTER})
        return f"Slack answers 429 to the next calls, and asks to wait {RETRY_AFTER} seconds."

    def restart(self) -> str:
        self.bot.restart()
        return "The bot was asked to end, and is started again."

    def kill(self) -> str:
        kill = OneKill(self.bot.kill)
        self._armed(kill.in_vault, kill.in_cluster, kill.now)
        return "Armed: the bot is killed at its next write to Vault, a cluster or a node. Approve a plan to see it."

    def _armed(
        self, in_vault: OnWrite | None, in_cluster: OnClusterWrite | None, on_node: Callable[[], object]
    ) -> None:
        self.world.vault.on_write = in_vault
        self.managed.on_write = on_node
        for cluster in self.pulls.clusters.values():
            cluster.on_write = in_cluster

    def start_over(self) -> str:
        self.bot.hold()
        self._armed(None, None, lambda: None)
        self._fault({"kind": "none"})
        self.world.start_over()
        self.redhat.start_over()
        self.pulls.start_over()
        self.managed.start_over()
        self._afresh()
        self.bot.start()
        return "Everything is as it was at first."


class OneKill:
    """Kills when the next secret has been stored and before the answer is sent: the bot cannot know how it went."""

    def __init__(self, kill: Callable[[], None]) -> None:
        self._kill, self._spent = kill, threading.Lock()

    def in_vault(self, path: str, when: str) -> None:
        if when == "after" and BACKUP not in path:
            self.now()

    def now(self) -> None:
        if self._spent.acquire(blocking=False):
            self._kill()

    def in_cluster(self, entry: Entry, when: str) -> None:
        if entry.verb in CHANGES:
            self.in_vault(entry.path, when)


def scenarios(stage: Stage) -> dict[str, Scenario]:
    """All of them by name, in the order of the page."""
    listed = [
        Scenario("recycle", "Production recycled the hive tokens", "New tokens appear in integrations-output; the "
                 "cluster takes no others. CI's copies are now stale.", "Production", stage.recycle),
        Scenario("edit-config", "Somebody edits the config meanwhile", "Press it while a plan waits: the plan no "
                 "longer fits, and a new one takes its place.", "Production", stage.edit),
        Scenario("seal", "Seal Vault", "Every call answers 503.", "Vault", stage.seal, danger=True),
        Scenario("unseal", "Unseal Vault", "All is well again; the bot goes on by itself.", "Vault", stage.unseal),
        Scenario("deny", "Deny writing to sd-uhc", "The bot's role loses create and update there.", "Vault",
                 stage.deny, danger=True),
        Scenario("allow", "Allow writing again", "The role has its rights back.", "Vault", stage.allow),
        Scenario("jwt-fails", "Red Hat SSO: jwt fails", "The deployer's first way to log in fails, the second one "
                 "works: no CIE.", RED_HAT, stage.jwt_fails),
        Scenario("both-fail", "Red Hat SSO: both fail", "No cluster is created or deleted: a CIE.", RED_HAT,
                 stage.both_fail, danger=True),
        Scenario("recovers", "Red Hat SSO: recovers", "Press Look again in the thread, or wait two minutes.", RED_HAT,
                 stage.recovers),
        Scenario("endpoint-down", "Endpoint down", "The accounts endpoint and quay.io are out of order.", RED_HAT,
                 stage.endpoint_down, danger=True),
        Scenario("prometheus-down", "Prometheus down", "What cannot be found out is not called well.", RED_HAT,
                 stage.prometheus_down, danger=True),
        Scenario("storm", "Alert storm", f"{STORM} alerts by webhook become one message.", RED_HAT, stage.storm),
        *pull_scenarios(stage.pulls, stage.alert),
        *session_scenarios(stage.offline, stage.world.vault, stage.alert),
        *transfer_scenarios(stage.pulls.transfers),
        *managed_scenarios(stage.managed),
        Scenario("slack-down", f"Slack is down for {SLACK_DOWN} s", "What the bot has to say waits and arrives later, "
                 "once.", "Slack", stage.slack_down, danger=True),
        Scenario("slack-429", "Slack answers 429", f"The next messages must wait {RETRY_AFTER} seconds.", "Slack",
                 stage.slack_limits),
        Scenario("restart", "Restart the bot", "A deploy: SIGTERM, then a new process.", "The bot", stage.restart),
        Scenario("kill", "Kill the bot in the middle of a step", "kill -9 when its next write has arrived, and "
                 "before it hears so. It finds out by itself.", "The bot", stage.kill, danger=True),
        Scenario("start-over", "Start over", "Empty channels, first-day secrets, a new store.", "Again",
                 stage.start_over, danger=True, confirm="All messages, runs and the audit log of this demo are gone."),
    ]  # fmt: skip
    return {scenario.name: scenario for scenario in listed}
