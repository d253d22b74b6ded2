"""The played cluster lives: rollouts, pulls that fail and get well, pools, and what the buttons do to all of it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from playground import cluster_seed as seed
from playground.cluster_life import Life
from playground.cluster_troubles import Troubles
from playground.kubernetes import KubernetesStandIn
from playground.kubernetes_kinds import (
    DEPLOYMENT,
    EVENT,
    MACHINE_CONFIG_POOL,
    POD,
    REPLICA_SET,
    SECRET,
    SERVICE_ACCOUNT,
)
from playground.registry import RegistryStandIn

HOST = "123456789012.dkr.ecr.us-east-1.amazonaws.com"
IMAGE = f"{HOST}/team/app:v1"
EXPIRED = "Your authorization token has expired. Reauthenticate and try again."
NODES_SECRET = ("openshift-config", "pull-secret")


class World:
    """A cluster whose time only moves when it is told to, and a registry that knows some passwords."""

    def __init__(self, runtime: str = "cri-o", **settings: Any) -> None:
        self.now = 1_800_000_000.0
        self.passwords = {"fresh": "somebody"}
        self.registry = RegistryStandIn(HOST, lambda _, password: self.passwords.get(password))
        self.registry.add("team/app", "v1")
        self.cluster = KubernetesStandIn(now=lambda: self.now, **settings)
        self.life = Life(self.cluster, {HOST: self.registry.good}, runtime)
        self.troubles = Troubles(self.life, lambda password: self.passwords.update({password: "expired"}))

    def live(self, seconds: float) -> None:
        for _ in range(round(seconds * 10)):
            self.now += 0.1
            self.life.step()

    def until(self, done: Callable[[], bool], seconds: float = 60) -> float:
        """How long it took."""
        began = self.now
        while not done():
            assert self.now < began + seconds, "it did not happen in time"
            self.live(0.1)
        return self.now - began

    def start(self, *, pull_secrets: tuple[str, ...] = ("ecr",), image: str = IMAGE, **more: Any) -> None:
        seed.pull_secret(self.cluster, "team", "ecr", {HOST: ("AWS", "fresh")})
        seed.workload(self.cluster, "team", "app", image, pull_secrets=pull_secrets, **more)
        self.live(3)

    def change(self, **spec: Any) -> None:
        """A change of the Deployment, and a restart with it."""
        deployment = self.cluster.get(DEPLOYMENT, "app", "team") or {}
        deployment["spec"] |= spec
        deployment["spec"]["template"]["metadata"]["annotations"] = {"kubectl.kubernetes.io/restartedAt": "now"}
        self.cluster.put(DEPLOYMENT, deployment)

    def rolled(self) -> bool:
        status, metadata = self.status(), (self.cluster.get(DEPLOYMENT, "app", "team") or {})["metadata"]
        done = progress(status) == "NewReplicaSetAvailable"
        return done and bool(status["observedGeneration"] == metadata["generation"])

    def status(self) -> dict[str, Any]:
        return dict((self.cluster.get(DEPLOYMENT, "app", "team") or {})["status"])

    def pods(self) -> list[dict[str, Any]]:
        return self.cluster.store.all(POD, "team")

    def waiting(self) -> set[str]:
        states = [each["state"] for pod in self.pods() for each in pod.get("status", {}).get("containerStatuses", ())]
        return {state["waiting"]["reason"] for state in states if "waiting" in state}

    def message(self) -> str:
        states = [each["state"] for pod in self.pods() for each in pod["status"]["containerStatuses"]]
        return "\n".join(state["waiting"].get("message", "") for state in states if "waiting" in state)

    def told(self, reason: str) -> list[str]:
        return [event["message"] for event in self.cluster.store.all(EVENT, "team") if event["reason"] == reason]

    def pool(self, name: str) -> dict[str, Any]:
        return self.cluster.get(MACHINE_CONFIG_POOL, name) or {}


@pytest.fixture
def world() -> World:
    return World()


def progress(status: dict[str, Any]) -> str:
    return str(next(each["reason"] for each in status["conditions"] if each["type"] == "Progressing"))


def condition(pool: dict[str, Any], kind: str) -> tuple[str, str]:
    found = next(each for each in pool["status"]["conditions"] if each["type"] == kind)
    return found["status"], found["message"]


def test_a_deployment_comes_up(world: World) -> None:
    """Its pods get a node, pull with their secret, and run; the Deployment says so."""
    world.start(replicas=3)
    assert world.status()["availableReplicas"] == 3
    assert progress(world.status()) == "NewReplicaSetAvailable"
    assert {pod["status"]["phase"] for pod in world.pods()} == {"Running"}
    assert world.told("Pulled")


def test_a_restart_rolls_out_in_seconds_and_never_below_what_is_wanted(world: World) -> None:
    """A changed template replaces all pods within four seconds, one more at a time, with as many serving as before."""
    world.start(replicas=3)
    before = {pod["metadata"]["uid"] for pod in world.pods()}
    world.change()
    seen: list[dict[str, Any]] = []

    def rolled() -> bool:
        seen.append(world.status())
        return world.rolled()

    assert world.until(rolled) < 4
    assert not before & {pod["metadata"]["uid"] for pod in world.pods()}
    assert {each["availableReplicas"] for each in seen} == {3}
    assert max(each["replicas"] for each in seen) == 4
    assert "ReplicaSetUpdated" in {progress(each) for each in seen}


def test_a_paused_deployment_is_left_alone(world: World) -> None:
    """Its template changes and nothing rolls until it goes on."""
    world.start()
    world.change(paused=True)
    world.live(3)
    assert progress(world.status()) == "DeploymentPaused"
    assert len(world.cluster.store.all(REPLICA_SET, "team")) == 1
    world.change(paused=False)
    world.until(world.rolled)
    assert len(world.cluster.store.all(REPLICA_SET, "team")) == 2


def test_recreate_ends_the_old_pods_first(world: World) -> None:
    """With that strategy there are never more pods than wanted."""
    world.start()
    world.change(strategy={"type": "Recreate"})
    counts = []

    def rolled() -> bool:
        counts.append(len(world.pods()))
        return world.rolled()

    world.until(rolled)
    assert max(counts) == 2
    assert min(counts) == 0


def test_a_rollout_that_cannot_pull_is_late(world: World) -> None:
    """With an expired login a restart stalls: old pods serve on, and the deadline passes."""
    world.start(replicas=3)
    world.passwords["fresh"] = "expired"
    world.change(progressDeadlineSeconds=10)
    world.until(lambda: progress(world.status()) == "ProgressDeadlineExceeded", 15)
    assert world.status()["availableReplicas"] == 3
    assert EXPIRED in world.message()


def test_the_next_rollout_has_its_own_time(world: World) -> None:
    """What a rollout that stalled and was taken back has lost is not held against the next one, however alike they
    begin."""
    world.start(replicas=2)
    good = dict((world.cluster.get(DEPLOYMENT, "app", "team") or {})["spec"]["template"]["metadata"])
    world.passwords["fresh"] = "expired"
    world.change(progressDeadlineSeconds=10)
    world.until(lambda: progress(world.status()) == "ProgressDeadlineExceeded", 15)
    world.passwords["fresh"] = "somebody"
    deployment = world.cluster.get(DEPLOYMENT, "app", "team") or {}
    deployment["spec"]["template"]["metadata"] = good
    world.cluster.put(DEPLOYMENT, deployment)
    world.until(world.rolled)
    generation = world.status()["observedGeneration"]
    deployment = world.cluster.get(DEPLOYMENT, "app", "team") or {}
    deployment["spec"]["template"]["metadata"]["annotations"] = {"kubectl.kubernetes.io/restartedAt": "later"}
    world.cluster.put(DEPLOYMENT, deployment)
    seen: set[str] = set()

    def rolled() -> bool:
        if world.status()["observedGeneration"] > generation:
            seen.add(progress(world.status()))
        return world.rolled()

    world.until(rolled)
    assert "ProgressDeadlineExceeded" not in seen


def test_expired_and_refreshed(world: World) -> None:
    """ErrImagePull, then ImagePullBackOff with the registry's words; the same pods run soon after a good secret is
    written, without a restart."""
    world.start()
    world.troubles.expire_pull_secret("team")
    world.until(lambda: world.waiting() == {"ErrImagePull"})
    world.until(lambda: world.waiting() == {"ImagePullBackOff"})
    assert EXPIRED in world.message()
    assert any(EXPIRED in told for told in world.told("Failed"))
    pods = {pod["metadata"]["uid"] for pod in world.pods()}
    world.passwords["new"] = "somebody"
    seed.pull_secret(world.cluster, "team", "ecr", {HOST: ("AWS", "new")})
    assert world.until(lambda: world.status().get("availableReplicas") == 2) < 10
    assert {pod["metadata"]["uid"] for pod in world.pods()} == pods


@pytest.mark.parametrize(
    ("trouble", "word"),
    [
        (lambda t: t.delete_secret("team", "ecr"), "authentication required"),
        (lambda t: t.wrong_type("team", "ecr"), "authentication required"),
        (lambda t: t.wrong_host("team", "ecr"), "authentication required"),
        (lambda t: t.unreference("team", "ecr"), "authentication required"),
        (lambda t: t.expire_pull_secret("team", "ecr"), EXPIRED),
    ],
    ids=["deleted", "wrong type", "wrong host", "unreferenced", "expired"],
)
def test_each_trouble_with_a_pull_secret(world: World, trouble: Callable[[Troubles], None], word: str) -> None:
    """Whatever was done to the secret, new pods cannot pull, and say why."""
    world.start()
    trouble(world.troubles)
    world.until(lambda: world.waiting() == {"ImagePullBackOff"})
    assert word in world.message()


def test_what_is_left_after_a_trouble(world: World) -> None:
    """A wrong type has the same data; a wrong host the same login; a missing secret is told by the kubelet."""
    world.start()
    before = world.cluster.get(SECRET, "ecr", "team") or {}
    world.troubles.wrong_type("team", "ecr")
    after = world.cluster.get(SECRET, "ecr", "team") or {}
    assert (after["type"], after["data"]) == ("Opaque", before["data"])
    world.troubles.delete_secret("team", "ecr")
    world.live(1)
    assert "(ecr)" in world.told("FailedToRetrieveImagePullSecret")[0]


def test_a_service_account_lends_its_secret(world: World) -> None:
    """Pods that name no secret pull with their account's; only those made after it got one."""
    world.start(pull_secrets=())
    assert world.waiting() == {"ImagePullBackOff"}
    account = {"metadata": {"name": "default", "namespace": "team"}, "imagePullSecrets": [{"name": "ecr"}]}
    world.cluster.put(SERVICE_ACCOUNT, account)
    world.live(20)
    assert world.waiting() == {"ImagePullBackOff"}
    world.troubles.evict("team")
    world.until(lambda: world.status().get("availableReplicas") == 2)


def test_the_nodes_own_pull_secret_counts(world: World) -> None:
    """What openshift-config/pull-secret holds is good for every pod."""
    seed.pull_secret(world.cluster, *NODES_SECRET, {HOST: ("AWS", "fresh")})
    world.start(pull_secrets=())
    assert world.status()["availableReplicas"] == 2


def test_images_that_are_not_there(world: World) -> None:
    """A tag or a repository that does not exist, and a name that is none, each in their own words."""
    world.start(image=f"{HOST}/team/app:v2")
    assert "manifest unknown" in world.message()
    world.start(image=f"{HOST}/team/other:v1")
    world.until(lambda: "name unknown" in world.message())
    world = World()
    world.start(image="Not An Image")
    assert world.waiting() == {"InvalidImageName"}


def test_init_containers_come_first(world: World) -> None:
    """The others wait for an init container that cannot pull, and run after it could."""
    spec = {"initContainers": [{"name": "first", "image": IMAGE}], "imagePullSecrets": [{"name": "ecr"}],
            "containers": [{"name": "main", "image": "elsewhere.example.com/x:1"}]}  # fmt: skip
    world.start()
    world.passwords["fresh"] = "expired"
    world.cluster.put(POD, {"metadata": {"name": "p", "namespace": "team"}, "spec": spec})
    world.live(2)
    status = (world.cluster.get(POD, "p", "team") or {})["status"]
    assert status["initContainerStatuses"][0]["state"]["waiting"]["reason"] == "ImagePullBackOff"
    assert status["containerStatuses"][0]["state"]["waiting"]["reason"] == "PodInitializing"
    world.passwords["fresh"] = "somebody"
    world.until(lambda: (world.cluster.get(POD, "p", "team") or {})["status"]["phase"] == "Running")


def test_a_pod_that_is_not_restarted_ends(world: World) -> None:
    """restartPolicy Never: it pulls, runs for a moment and has succeeded."""
    spec = {"restartPolicy": "Never", "containers": [{"name": "c", "image": "elsewhere.example.com/x:1"}]}
    world.cluster.put(POD, {"metadata": {"name": "p", "namespace": "default"}, "spec": spec})
    world.live(3)
    status = (world.cluster.get(POD, "p", "default") or {})["status"]
    assert status["phase"] == "Succeeded"
    assert status["containerStatuses"][0]["state"]["terminated"]["exitCode"] == 0


def test_what_has_no_owner_goes(world: World) -> None:
    """A removed Deployment takes its ReplicaSets and pods with it; other pods stay."""
    world.start()
    world.cluster.put(POD, {"metadata": {"name": "own", "namespace": "team"}, "spec": {"containers": []}})
    world.cluster.store.remove(DEPLOYMENT, "app", "team")
    world.live(1)
    assert [pod["metadata"]["name"] for pod in world.pods()] == ["own"]
    assert world.cluster.store.all(REPLICA_SET, "team") == []


def test_events_are_counted_and_forgotten(world: World) -> None:
    """The same pull again is one event with a count; after an hour without it the event is gone."""
    world.start()
    world.troubles.delete_secret("team", "ecr")
    world.live(30)
    counts = [e["count"] for e in world.cluster.store.all(EVENT, "team") if e["message"] == "Error: ErrImagePull"]
    assert counts
    assert min(counts) > 2
    world.now += 3700
    world.life.step()
    assert world.told("Scheduled") == []


def test_pools_follow_the_pull_secret(world: World) -> None:
    """A changed pull secret makes a pool update machine by machine; a paused one says that it will not."""
    seed.pull_secret(world.cluster, *NODES_SECRET, {"quay.io": ("a", "b")})
    seed.openshift(world.cluster, cluster_id="c")
    world.live(1)
    assert condition(world.pool("worker"), "Updated")[0] == "True"
    world.troubles.pause_pool("master")
    seed.pull_secret(world.cluster, *NODES_SECRET, {"quay.io": ("a", "c")})
    world.live(1.5)
    worker, master = world.pool("worker"), world.pool("master")
    assert condition(worker, "Updating")[0] == "True"
    assert worker["status"]["updatedMachineCount"] == 1
    assert condition(master, "Updating") == (
        "False", f"Pool is paused; will not update to {master['spec']['configuration']['name']}")  # fmt: skip
    world.until(lambda: condition(world.pool("worker"), "Updated")[0] == "True", 5)
    world.live(5)
    master = world.pool("master")
    assert master["spec"]["configuration"] != master["status"]["configuration"]
    world.troubles.mend()
    world.until(lambda: condition(world.pool("master"), "Updated")[0] == "True", 5)


def test_a_degraded_pool_is_stuck(world: World) -> None:
    """One node cannot: the pool is degraded and names it, and goes on when it is mended."""
    seed.pull_secret(world.cluster, *NODES_SECRET, {"quay.io": ("a", "b")})
    seed.openshift(world.cluster, cluster_id="c", machines={"worker": 2})
    world.live(1)
    world.troubles.degrade_pool("worker", "worker-1")
    seed.pull_secret(world.cluster, *NODES_SECRET, {"quay.io": ("a", "c")})
    world.live(5)
    assert condition(world.pool("worker"), "Degraded")[0] == "True"
    assert "worker-1" in condition(world.pool("worker"), "NodeDegraded")[1]
    assert condition(world.pool("worker"), "Updated")[0] == "False"
    world.troubles.mend()
    world.until(lambda: condition(world.pool("worker"), "Updated")[0] == "True", 5)
    assert condition(world.pool("worker"), "Degraded")[0] == "False"


def test_a_hosted_cluster_has_none() -> None:
    """Where the control plane is hosted there are nodes and a ClusterVersion, and no pools."""
    world = World(hosted=True)
    seed.openshift(world.cluster, cluster_id="c")
    world.live(1)
    assert world.cluster.store.all(MACHINE_CONFIG_POOL) == []


def test_nothing_moves_when_nothing_is_to_be_done(world: World) -> None:
    """A cluster at rest writes nothing, however often it is stepped."""
    seed.openshift(world.cluster, cluster_id="c")
    world.start()
    world.live(3)
    before = world.cluster.store.version
    world.live(5)
    assert world.cluster.store.version == before


def test_a_thread_drives_it() -> None:
    """As a context manager it lives by itself, and is over when the block ends."""
    cluster = KubernetesStandIn()
    with Life(cluster, every=0.01):
        seed.workload(cluster, "team", "app", "elsewhere.example.com/x:1", replicas=1)
        deadline = time.monotonic() + 10
        while not (cluster.get(DEPLOYMENT, "app", "team") or {})["status"].get("availableReplicas"):
            assert time.monotonic() < deadline
            time.sleep(0.02)
    cluster.store.remove(DEPLOYMENT, "app", "team")
    version = cluster.store.version
    assert cluster.store.all(POD, "team")
    assert cluster.store.version == version
