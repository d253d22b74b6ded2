"""Who pulls with a secret, and how far a rollout is."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.ecr_users import rollout, selector, users
from handlers.ecr_waiting import waiting

ECR = "111122223333.dkr.ecr.us-east-1.amazonaws.com"


def deployment(name: str = "web", **spec: Any) -> dict[str, Any]:
    template = {"containers": [{"name": "c", "image": f"{ECR}/team/web:1"}], **spec}
    return {"metadata": {"name": name}, "spec": {"template": {"spec": template}}}


def account(name: str, *secrets: str) -> dict[str, Any]:
    return {"metadata": {"name": name}, "imagePullSecrets": [{"name": one} for one in secrets]}


def found(one: dict[str, Any], *accounts: dict[str, Any]) -> list[tuple[str, str, bool]]:
    return [(user.name, user.account, user.needs) for user in users([one], accounts, "ecr", ECR)]


def test_named_in_the_deployment() -> None:
    """A Deployment that names the secret uses it, whatever its images: they may come through a mirror."""
    one = deployment(imagePullSecrets=[{"name": "ecr"}], containers=[{"image": "mirror.example.com/web"}])
    assert found(one) == [("web", "", True)]


def test_by_the_service_account() -> None:
    """One that names none gets it from its service account; from `default`, if it names no account."""
    assert found(deployment(), account("default", "ecr")) == [("web", "default", True)]
    assert found(deployment(serviceAccountName="app"), account("default", "ecr"), account("app")) == []
    assert found(deployment(serviceAccountName="app"), account("app", "x", "ecr")) == [("web", "app", True)]


def test_another_secret_of_its_own() -> None:
    """One that names another secret gets nothing from its service account."""
    assert found(deployment(imagePullSecrets=[{"name": "quay"}]), account("default", "ecr")) == []


def test_pulls_from_elsewhere() -> None:
    """One that merely has the service account and pulls elsewhere uses it, and need not be restarted; an init
    container counts."""
    other = [{"image": "docker.io/library/nginx"}]
    assert found(deployment(containers=other), account("default", "ecr")) == [("web", "default", False)]
    mixed = deployment(containers=other, initContainers=[{"image": f"{ECR}/init"}])
    assert found(mixed, account("default", "ecr")) == [("web", "default", True)]


def rolling(generation: int = 2, observed: int = 2, replicas: int = 3, **status: Any) -> dict[str, Any]:
    return {
        "metadata": {"generation": generation},
        "spec": {"replicas": replicas},
        "status": {"observedGeneration": observed, **status},
    }


@pytest.mark.parametrize(
    ("one", "said"),
    [
        (rolling(observed=1, updatedReplicas=3, replicas=3, availableReplicas=3), "not seen"),
        (rolling(updatedReplicas=1), "1 of 3 pods are new"),
        (rolling(updatedReplicas=3, availableReplicas=1), "1 of 3 new pods are available"),
    ],
)
def test_not_finished(one: dict[str, Any], said: str) -> None:
    """A rollout that goes on says how far it is."""
    seen = rollout(one)
    assert not seen.finished
    assert said in seen.said


def test_old_pods() -> None:
    """Old pods that still end keep it from being finished."""
    status = {"observedGeneration": 2, "replicas": 4, "updatedReplicas": 3, "availableReplicas": 4}
    seen = rollout({"metadata": {"generation": 2}, "spec": {"replicas": 3}, "status": status})
    assert not seen.finished
    assert seen.said == "1 old pod is still ending"
    more = {"metadata": {"generation": 2}, "spec": {"replicas": 3}, "status": {**status, "replicas": 5}}
    assert rollout(more).said == "2 old pods are still ending"


def test_finished() -> None:
    """All new and available, or none wanted, is finished."""
    status = {"observedGeneration": 2, "replicas": 3, "updatedReplicas": 3, "availableReplicas": 3}
    assert rollout({"metadata": {"generation": 2}, "spec": {"replicas": 3}, "status": status}).finished
    assert rollout(
        {"metadata": {"generation": 2}, "spec": {"replicas": 0}, "status": {"observedGeneration": 2}}
    ).finished


def test_stuck() -> None:
    """A controller that has given up is told apart, but not while it has not seen the new template."""
    gave_up = [{"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}]
    assert rollout(rolling(updatedReplicas=1, conditions=gave_up)).stuck
    assert not rollout(rolling(observed=1, conditions=gave_up)).stuck


def pod(name: str, reason: str = "", init: bool = False, **status: Any) -> dict[str, Any]:
    key = "initContainerStatuses" if init else "containerStatuses"
    state = {"waiting": {"reason": reason, "message": "secret=hunter2"}} if reason else {"running": {}}
    return {"metadata": {"name": name}, "status": {key: [{"name": "c", "state": state}], **status}}


def test_what_a_rollout_waits_for() -> None:
    """Pods that wait are named with container and reason, those that just start are not, and no message is repeated."""
    pods = [pod("a", "ImagePullBackOff"), pod("b", "ErrImagePull", init=True), pod("c"), pod("d", "ContainerCreating")]
    said = waiting(pods)
    assert said == "It waits for a (container c: ImagePullBackOff), b (container c: ErrImagePull)."
    assert waiting([pod("c")]) == ""
    lost = pod("e", conditions=[{"type": "PodScheduled", "status": "False"}])
    assert waiting([lost]) == "It waits for e (no node takes it)."
    assert waiting([pod(str(i), "CrashLoopBackOff") for i in range(9)]).endswith("and 7 more.")


def test_its_pods() -> None:
    """The selector is that of the Deployment, spelled for the API."""
    assert selector({"spec": {"selector": {"matchLabels": {"b": "2", "a": "1"}}}}) == "a=1,b=2"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(
            ["metadata", "spec", "status", "template", "imagePullSecrets", "name", "containers", "image", "conditions",
             "replicas", "containerStatuses", "state", "waiting", "reason", "generation", "selector", "matchLabels"]
        ),
        inner,
        max_size=4,
    ),
    max_leaves=12,
)  # fmt: skip
OBJECT = st.dictionaries(st.sampled_from(["metadata", "spec", "status"]), JSON, max_size=3)


@given(OBJECT, st.lists(OBJECT, max_size=2))
def test_any_object(one: dict[str, Any], accounts: list[dict[str, Any]]) -> None:
    """No object, however misshapen, makes the judgement fail."""
    users([one], accounts, "ecr", ECR)
    assert rollout(one).said
    assert isinstance(waiting([one]), str)
    assert isinstance(selector(one), str)
