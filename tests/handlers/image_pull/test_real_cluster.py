"""Diagnosis and test pull at a real API server, with exactly the rights of deploy/rbac."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bot.cloud import Registry
from bot.clusters import Cluster
from bot.core.errors import Unverified
from bot.core.kubernetes import POD
from bot.core.plan import RunRef
from bot.core.ports import Tools
from bot.core.secret import Secret
from bot.sources import FromEnv
from bot.tools.absent import NoVault
from bot.tools.cluster import Clusters
from bot.tools.docker_configs import DockerConfigs
from bot.tools.documents import Base64Yaml
from bot.tools.fingerprints import KeyedFingerprints
from bot.tools.jobs import JobFiles
from bot.tools.kubernetes import open_clusters
from bot.tools.registries import AskedRegistries
from bot.tools.tokens import JwtClaims
from handlers import diagnose_image_pull, test_pull
from handlers.ecr import Settings
from playground.broken import unused_port
from playground.cluster_seed import document
from tests.kube import Kube

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
ECR = "111122223333.dkr.ecr.us-east-1.amazonaws.com"
RBAC = Path(__file__).parents[3] / "deploy" / "rbac" / "ecr.yaml"


@pytest.fixture
def made(kube: Kube, canary: Any) -> tuple[str, Settings, Tools]:
    """A namespace, settings and tools for it. Nobody answers at the registry's address."""
    space, home = kube.namespace(), kube.namespace()
    token = canary.add("token", kube.account(home, "hivekeeper"))
    words = {"namespace: hivekeeper": f"namespace: {home}", "name: hivekeeper-": f"name: {home}-", "cf-dev": space}
    kube.apply(RBAC, words)
    environment = {"cluster": "one", "namespaces": [space], "registry": ECR, "image": "a/b:c"}
    settings = Settings.model_validate({"environments": {"dev": environment}})
    marks = KeyedFingerprints(Secret("a key for these tests only"))
    cluster = Cluster(address=kube.url, ca_file=kube.ca_file, token=FromEnv(env="T"), timeout=60)
    silent = Registry(address=f"http://127.0.0.1:{unused_port()}", timeout=5)
    tools = Tools(
        vault=NoVault(), fingerprints=marks, tokens=JwtClaims(), documents=Base64Yaml(), clusters=Clusters({}),
        jobs=JobFiles(()), now=lambda: 1.0, registries=AskedRegistries({ECR: silent}),
        docker_configs=DockerConfigs(marks), kubernetes=open_clusters({"one": cluster}, lambda _: Secret(token), marks),
    )  # fmt: skip
    return space, settings, tools


def event(kube: Kube, space: str, pod: dict[str, Any], reason: str, message: str) -> None:
    """What a kubelet tells."""
    involved = {"kind": "Pod", "namespace": space, "name": pod["metadata"]["name"], "uid": pod["metadata"]["uid"]}
    body = {"metadata": {"generateName": "e-"}, "involvedObject": involved, "type": "Warning", "reason": reason,
            "message": message, "lastTimestamp": "2026-01-01T00:00:00Z"}  # fmt: skip
    kube.must("POST", f"/api/v1/namespaces/{space}/events", body)


def diagnosed(settings: Settings, tools: Tools) -> Any:
    handler = diagnose_image_pull.HANDLER
    return handler.plan(handler.ask(where="dev"), settings, tools)


def test_from_missing_to_refused(kube: Kube, made: tuple[str, Settings, Tools]) -> None:
    """Pods of a real Deployment, real events and Secrets: missing, found missing by the node, then not taken."""
    space, settings, tools = made
    assert diagnosed(settings, tools).text[0] == "Verdict: well."
    kube.deployment(space, "web", image=f"{ECR}/a/b:c", pull_secrets=("ecr-secret", "theirs"))
    kube.failing(space, "web", reason="ImagePullBackOff", message=f'Back-off pulling image "{ECR}/a/b:c"')
    (pod,) = kube.pods(space, "web")
    found = diagnosed(settings, tools)
    assert (found.text[0], found.table.rows[0][0]) == ("Verdict: secret_missing.", pod["metadata"]["name"])
    assert any("theirs" in warning for warning in found.warnings), "it may not be read, and so may be there"
    lost = "Unable to retrieve some image pull secrets (theirs); attempting to pull the image may not succeed."
    event(kube, space, pod, "FailedToRetrieveImagePullSecret", lost)
    login = {".dockerconfigjson": document({ECR: ("AWS", "wrong")})}
    kube.secret(space, "ecr-secret", {"type": "kubernetes.io/dockerconfigjson", "data": login})
    event(kube, space, pod, "Failed", f'Failed to pull image "{ECR}/a/b:c": rpc error: code = Unknown desc = '
                                      "reading manifest c: unauthorized: authentication required")  # fmt: skip
    found = diagnosed(settings, tools)
    assert found.text[0] == "Verdict: login_refused."
    assert "the login in ecr-secret" in found.title
    assert found.warnings == ()
    assert "wrong" not in json.dumps(found.model_dump(mode="json")).replace("what is wrong", "")


def test_a_test_pull(kube: Kube, made: tuple[str, Settings, Tools]) -> None:
    """The API server takes the pod as it is; what becomes of it is told; it is removed at once."""
    space, settings, tools = made
    handler, told = test_pull.HANDLER, []
    plan: Any = handler.plan(handler.ask(where="dev"), settings, tools)
    create, watch, remove = (stage.steps[0] for stage in plan.stages)
    run = RunRef(id="run-1", tell=told.append, pause=lambda _: kube.running(space))
    create.do(tools, run)
    (pod,) = tools.kubernetes.all("one", POD, space, labels="hivekeeper/test-pull=run-1")
    assert pod["spec"]["activeDeadlineSeconds"] == test_pull.LIFE
    assert not any("token" in volume.get("name", "") for volume in pod["spec"].get("volumes") or ())
    watch.do(tools, run)
    remove.do(tools, run)
    assert remove.done(tools)
    create.do(tools, run)
    kube.failing(space, reason="ErrImagePull", message="manifest unknown: Requested image not found")
    with pytest.raises(Unverified, match="there is no a/b:c"):
        watch.do(tools, run)
    create.undo(tools, run)
    assert kube.pods(space) == []
