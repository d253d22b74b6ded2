"""Alerts and posted logs about pulls: whose they are, where they point, and when it is over."""

from __future__ import annotations

from typing import Any

import pytest

from bot.core.alert import Alert
from bot.core.diagnosis import Mood, Subject
from bot.engine.matching import by_labels, by_text, key
from handlers import ALERT_HANDLERS
from handlers.diagnose_image_pull import ALERT_HANDLER

ECR = "111122223333.dkr.ecr.us-east-1.amazonaws.com"


def alert(**labels: str) -> Alert:
    return Alert(identity="a", status="firing", labels=labels, starts_at=1)


@pytest.mark.parametrize(
    "labels",
    [
        {"alertname": "KubePodImagePullBackOff"},
        {"alertname": "KubePodImagePullFailed", "severity": "warning"},
        {"alertname": "ImagePullBackOff"},
        {"alertname": "PodErrImagePull"},
        {"alertname": "KubeContainerWaiting", "reason": "ImagePullBackOff"},
        {"alertname": "KubeContainerWaiting"},
    ],
)
def test_whose_alert(labels: dict[str, str]) -> None:
    """By the alert's name; a container that merely waits, only if nothing says that it waits for something else."""
    assert by_labels(ALERT_HANDLERS, labels) is ALERT_HANDLER


@pytest.mark.parametrize(
    "labels",
    [
        {"alertname": "KubeContainerWaiting", "reason": "CreateContainerConfigError"},
        {"alertname": "KubePodCrashLooping"},
    ],
)
def test_not_ours(labels: dict[str, str]) -> None:
    """Other troubles of pods are not this handler's."""
    assert by_labels(ALERT_HANDLERS, labels) is None


def test_posted_logs() -> None:
    """What somebody posts is recognised, and only by this handler."""
    text = f'Failed to pull image "{ECR}/a/b:c": denied: Your authorization token has expired.'
    assert by_text(ALERT_HANDLERS, text) is ALERT_HANDLER


def test_one_incident_for_a_namespace() -> None:
    """The key is cluster and namespace, whichever pod it is; an alert without namespace tells none."""
    one = alert(namespace="cf-dev", cluster="one", pod="a")
    assert key(ALERT_HANDLER, one) == key(ALERT_HANDLER, alert(namespace="cf-dev", cluster="one", pod="b"))
    assert key(ALERT_HANDLER, one) == "one/cf-dev"
    assert key(ALERT_HANDLER, alert(cluster="one")) == ""


def test_from_bad_to_over(world: Any) -> None:
    """The whole namespace is looked at: bad while a pod waits, watched when it would succeed, over when none waits."""
    world.secret(world.user("expired"))
    world.deploy()
    found = world.look()
    assert (found.verdict, found.mood, found.over) == ("expired", Mood.BAD, False)
    assert found.steps[0].offer.command == "refresh-ecr"
    assert found.since is not None
    world.secret(world.user())
    found = world.look()
    assert (found.verdict, found.mood, found.over) == ("tries_again", Mood.WATCH, False)
    world.settle(40)
    found = world.look()
    assert (found.verdict, found.mood, found.over) == ("well", Mood.GOOD, True)


def test_nothing_left_of_the_namespace(world: Any) -> None:
    """Without pods nothing waits."""
    found = world.look()
    assert (found.verdict, found.over) == ("well", True)


@pytest.mark.parametrize("named", ["", "one"])
def test_the_cluster_of_an_alert(world: Any, named: str) -> None:
    """Named as in the settings, or not named: then the settings say where the namespace is."""
    world.deploy()
    subject = Subject(incident="i", key=f"{named}/cf-dev", alerts=(alert(namespace="cf-dev", cluster=named),), began=1)
    assert world.look(subject).verdict == "secret_missing"


def test_a_cluster_of_another_name(world: Any) -> None:
    """What the settings have is looked at, but that nothing waits there does not say that all is well."""
    subject = Subject(incident="i", key="elsewhere/cf-dev", began=1)
    found = world.look(subject)
    assert (found.verdict, found.mood, found.over) == ("unknown", Mood.UNKNOWN, False)
    assert "knows no cluster elsewhere" in found.unchecked[0].text
    world.deploy()
    assert world.look(subject).verdict == "secret_missing"


@pytest.mark.parametrize("name", ["../kube-system", "cf-dev?x=y", "CF", "a" * 70])
def test_no_name_of_a_namespace(world: Any, name: str) -> None:
    """A label goes into no path unless it is the name of a namespace."""
    found = world.look(Subject(incident="i", key=f"one/{name}", began=1))
    assert (found.verdict, found.over) == ("unknown", False)


def test_a_text_that_names_a_namespace(world: Any) -> None:
    """It is looked at, like an alert's; so is the namespace that pulls from the image's registry."""
    world.deploy()
    text = 'Back-off pulling image "x" in pod naming-server-new of cf-dev'
    assert world.look(Subject(incident="i", key="", text=text, began=1)).verdict == "secret_missing"
    text = f'Failed to pull image "{ECR}/a/b:c": manifest unknown'
    assert world.look(Subject(incident="i", key="", text=text, began=1)).verdict == "secret_missing"


def test_a_text_alone(world: Any) -> None:
    """Words that lead nowhere are judged as words; the seed's denial gets its drafts; the steps are the runbook's."""
    text = """Failed to pull image: denied: User: arn:aws:iam::606639739464:user/svktek_admin
    is not authorized to perform: ecr:BatchGetImage on resource:
    arn:aws:ecr:us-east-1:818140567777:repository/consultingfirm/frontend"""
    found = world.look(Subject(incident="i", key="", text=text, began=1))
    assert (found.verdict, found.mood) == ("denied", Mood.BAD)
    assert "arn:aws:iam::606639739464:user/svktek_admin may not ecr:BatchGetImage" in found.reason[0]
    assert len(found.evidence) == 2
    assert [step.name for step in found.steps] == ["grant", "watch"]
    found = world.look(Subject(incident="i", key="", text="ImagePullBackOff <!channel>", began=1))
    assert (found.verdict, found.mood) == ("unclear", Mood.UNKNOWN)
    assert "channel" not in found.model_dump_json()
