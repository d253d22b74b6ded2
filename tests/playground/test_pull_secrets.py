"""The demo's pull secrets without a bot: what its buttons do to the pods."""

from __future__ import annotations

import pytest

from playground.kubernetes_kinds import DEPLOYMENT, SECRET
from playground.pull_secrets import CLUSTERS, PullSecrets


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
    found = pulls.clusters["dev"].get(DEPLOYMENT, name, "cf-dev")
    assert found is not None
    return int(found["status"].get("availableReplicas", 0))


def test_at_first_everything_runs(pulls: PullSecrets) -> None:
    """Each namespace has a secret that its pods pull with, and the bot's rights there."""
    settle(pulls)
    assert running(pulls) == 2
    for name, namespaces in CLUSTERS.items():
        for namespace in namespaces:
            assert pulls.clusters[name].get(SECRET, "ecr-secret", namespace)


def test_each_trouble_keeps_pods_from_pulling(pulls: PullSecrets) -> None:
    """Ended logins, a wrong type and a policy each stop new pods; starting over makes all run again."""
    for trouble in (pulls.expire, pulls.wrong_type, pulls.deny):
        pulls.start_over()
        settle(pulls)
        assert running(pulls) == 2
        trouble()
        pulls.troubles["dev"].evict("cf-dev")
        settle(pulls)
        assert running(pulls) == 0, trouble.__name__


def test_mended(pulls: PullSecrets) -> None:
    """What is mended lets pods pull again, but for a secret that nobody refreshed."""
    pulls.deny()
    assert pulls.registry.good("AWS", pulls.aws.password(pulls.keys, seconds=60), "consultingfirm/frontend").startswith(
        "denied"
    )
    pulls.mend()
    assert pulls.registry.good("AWS", pulls.aws.password(pulls.keys, seconds=60), "consultingfirm/frontend") == "ok"
