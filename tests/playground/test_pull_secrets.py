"""The demo's pull secrets without a bot: what its buttons do to the pods."""

from __future__ import annotations

from typing import Any

import pytest

from playground.kubernetes_kinds import DEPLOYMENT, SECRET
from playground.pull_scenarios import PullDeeds
from playground.pull_secrets import CLUSTERS, DEV, EXPIRES, WRITTEN, PullSecrets


class Clock:
    at = 1.9e9

    def __call__(self) -> float:
        return self.at


@pytest.fixture
def pulls() -> PullSecrets:
    return PullSecrets(Clock())


def settle(pulls: PullSecrets) -> None:
    for _ in range(8):
        pulls.aws._now.at += 2  # type: ignore[attr-defined]  # the clock above
        for life in pulls.lives.values():
            life.step()


def running(pulls: PullSecrets, name: str = "frontend") -> int:
    return int(deployment(pulls, name)["status"].get("availableReplicas", 0))


def waiting(pulls: PullSecrets) -> bool:
    return pulls.waiting("cf-dev")


def deployment(pulls: PullSecrets, name: str = "naming-server-new") -> dict[str, Any]:
    found = pulls.clusters[DEV].get(DEPLOYMENT, name, "cf-dev")
    assert found is not None
    return found


def test_at_first_everything_runs(pulls: PullSecrets) -> None:
    """Each namespace has a secret that its pods pull with, and the bot's rights there."""
    settle(pulls)
    assert running(pulls) == 2
    for name, namespaces in CLUSTERS.items():
        for namespace in namespaces:
            assert pulls.clusters[name].get(SECRET, "ecr-secret", namespace)


TROUBLES = ("expire", "wrong_type", "unname", "lose_tag", "deny")


@pytest.mark.parametrize("trouble", TROUBLES)
def test_each_trouble_keeps_pods_from_pulling(pulls: PullSecrets, trouble: str) -> None:
    """Each button's trouble stops new pods, and what mends it lets them pull; a secret stays for a refresh to mend."""
    settle(pulls)
    getattr(pulls, trouble)()
    settle(pulls)
    assert waiting(pulls), "a rolling update leaves the old pods that run"
    pulls.mend()
    pulls.troubles[DEV].evict("cf-dev")
    settle(pulls)
    assert waiting(pulls) == (trouble in ("expire", "wrong_type"))
    pulls.start_over()
    settle(pulls)
    assert not waiting(pulls)
    assert running(pulls) == 2


def test_a_login_of_the_bot_ends_by_its_dates(pulls: PullSecrets) -> None:
    """Where the bot wrote down when a login ends, that is over too: the bot can know without asking anybody."""
    secret = pulls.clusters[DEV].get(SECRET, "ecr-secret", "cf-dev")
    assert secret is not None
    dates = {WRITTEN: "2026-01-01T00:00:00Z", EXPIRES: "2036-01-01T12:00:00Z"}
    pulls.clusters[DEV].put(SECRET, {**secret, "metadata": {**secret["metadata"], "annotations": dates}})
    pulls.expire()
    secret = pulls.clusters[DEV].get(SECRET, "ecr-secret", "cf-dev")
    assert secret is not None
    assert secret["metadata"]["annotations"][EXPIRES] == "2030-03-17T17:45:40Z"


def test_what_the_page_shows(pulls: PullSecrets) -> None:
    """Pods, and of each login whether the registry takes it; also of one that no pull reads. Never a password."""
    settle(pulls)
    shown = pulls.facts(lambda value: f"mark of {len(value)}")
    assert [one["cluster"] for one in shown] == list(CLUSTERS)
    assert all(login["ok"] for one in shown for secret in one["pull_secrets"] for login in secret["logins"])
    pulls.wrong_type()
    pulls.expire(namespace="cf-test")
    first = pulls.facts(lambda value: str(len(value) and hash(value)))[0]["pull_secrets"]
    ours = (one for one in first if one["namespace"].startswith("cf-"))
    assert [(one["namespace"], one["type"], one["logins"][0]["ok"]) for one in ours] == [
        ("cf-dev", "Opaque", True),
        ("cf-test", "kubernetes.io/dockerconfigjson", False),
    ]
    assert not [word for word in pulls.aws._passwords if word in repr(shown)]


def test_paused(pulls: PullSecrets) -> None:
    """A button pauses one Deployment, another one lets it go on."""
    pulls.pause()
    assert deployment(pulls)["spec"]["paused"] is True
    pulls.mend()
    assert deployment(pulls)["spec"]["paused"] is False


def test_mended(pulls: PullSecrets) -> None:
    """What is mended lets pods pull again, but for a secret that nobody refreshed."""
    pulls.deny()
    assert pulls.registry.good("AWS", pulls.aws.password(pulls.keys, seconds=60), "consultingfirm/frontend").startswith(
        "denied"
    )
    pulls.mend()
    assert pulls.registry.good("AWS", pulls.aws.password(pulls.keys, seconds=60), "consultingfirm/frontend") == "ok"


def test_alerts_come_when_pods_wait() -> None:
    """Monitoring posts about pods that wait already, and says so once when all is well again."""
    pulls, heard = PullSecrets(), list[tuple[bool, bool]]()
    deeds = PullDeeds(pulls, lambda alert: heard.append(("FIRING" in str(alert), waiting(pulls))))
    for life in pulls.lives.values():
        life.start()
    deeds.no_tag()
    deeds.mend()
    deeds.mend()
    pulls.close()
    assert [firing for firing, _ in heard] == [True, False]
    assert heard[0] == (True, True)
