"""The buttons that keep pods from pulling out of ECR, or the bot from mending that."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from playground.pull_secrets import DEV, PROD, REGISTRY, PullSecrets
from playground.scenario import Scenario

GROUP = "ECR"
ALERT = "KubePodImagePullBackOff"
SUMMARY = "Pods in {namespace} cannot pull their images."
NOTICED = 5.0  # seconds that monitoring waits for pods that cannot pull
LOOK = "/diagnose-image-pull cf-dev"


class PullDeeds:
    """`alert(document)` posts into monitoring's channel."""

    def __init__(self, pulls: PullSecrets, alert: Callable[[dict[str, Any]], object]) -> None:
        self._pulls, self._alert = pulls, alert
        self._fired = False

    def expire(self) -> str:
        self._pulls.expire()
        return f"Twelve hours have passed for the login in cf-dev. Its pods moved, and cannot pull. Type {LOOK}"

    def wrong_type(self) -> str:
        self._pulls.wrong_type()
        return f"The secret of cf-dev is Opaque now, and no pull reads it. Type {LOOK}"

    def unnamed(self) -> str:
        self._pulls.unname()
        return f"A new version of both Deployments in cf-dev names no pull secret any more. Type {LOOK}"

    def no_tag(self) -> str:
        self._pulls.lose_tag()
        self._fire()
        return "The tag latest of naming-server is gone. The alert is in #roks-alerts."

    def deny(self) -> str:
        self._pulls.deny()
        self._fire()
        return f"The policies of {REGISTRY} let somebody else pull. The alert is in #roks-alerts."

    def amazon(self) -> str:
        self._pulls.aws.fault, self._pulls.aws.faulty = "denied", frozenset({"GetAuthorizationToken"})
        return "Amazon answers AccessDenied: the bot may not ask for logins any more. Type /refresh-ecr"

    def away(self) -> str:
        self._pulls.clusters[PROD].down()
        return f"The API server of {PROD} answers 503. Type /refresh-ecr: {DEV} is refreshed all the same."

    def pause(self) -> str:
        self._pulls.pause()
        return "naming-server-new in cf-dev is paused, so it cannot be restarted. Type /refresh-ecr dev"

    def mend(self) -> str:
        self._pulls.mend()
        if self._fired:
            self._alert(posted(firing=False))
        self._fired = False
        return "Amazon, policies, tags, API servers and Deployments are well again. Secrets are as they were."

    def _fire(self) -> None:
        """Monitoring sees pods wait before it says so."""
        end = time.monotonic() + NOTICED
        while not self._pulls.waiting("cf-dev") and time.monotonic() < end:
            time.sleep(0.05)
        self._alert(posted(firing=True))
        self._fired = True


def pull_scenarios(pulls: PullSecrets, alert: Callable[[dict[str, Any]], object]) -> list[Scenario]:
    deeds = PullDeeds(pulls, alert)
    return [
        Scenario("ecr-expires", "The ECR token expires", "Pods of cf-dev that have to pull wait. "
                 "/refresh-ecr dev mends it.", GROUP, deeds.expire),
        Scenario("ecr-wrong-type", "The secret has the wrong type", "The plan says that it deletes and creates it.",
                 GROUP, deeds.wrong_type),
        Scenario("ecr-unnamed", "No pod names the secret", "A fresh login alone mends nothing here.", GROUP,
                 deeds.unnamed),
        Scenario("ecr-no-tag", "The image's tag is gone", "No login mends this, and the diagnosis says so.", GROUP,
                 deeds.no_tag),
        Scenario("ecr-denied", "Pulls denied across accounts", "The diagnosis drafts the policy; a refresh proposes "
                 "nothing that would not work.", GROUP, deeds.deny, danger=True),
        Scenario("aws-denies", "AWS denies", "No login can be asked for.", GROUP, deeds.amazon, danger=True),
        Scenario("prod-away", f"Cluster {PROD} is away", "It keeps none of the others.", GROUP, deeds.away,
                 danger=True),
        Scenario("paused", "A Deployment is paused", "It is named, and not restarted.", GROUP, deeds.pause),
        Scenario("ecr-mended", "All is well again", "But for the secrets: these a refresh mends.", GROUP, deeds.mend),
    ]  # fmt: skip


def posted(*, firing: bool, namespace: str = "cf-dev", cluster: str = DEV) -> dict[str, Any]:
    """What Grafana's Slack integration posts about the alert."""
    word, head = ("FIRING:1", "**Firing**") if firing else ("RESOLVED", "**Resolved**")
    given = {"alertname": ALERT, "cluster": cluster, "namespace": namespace, "severity": "warning"}
    labels = "\n".join(f" - {name} = {value}" for name, value in given.items())
    summary = SUMMARY.format(namespace=namespace)
    text = f"{head}\n\nValue: A=1\nLabels:\n{labels}\nAnnotations:\n - summary = {summary}\n"
    title = f"[{word}] {ALERT} {cluster} ({namespace} warning)"
    attachment = {"title": title, "fallback": title, "text": text, "color": "#D63232" if firing else "#36a64f"}
    return {"username": "Grafana", "text": "", "attachments": [attachment]}
