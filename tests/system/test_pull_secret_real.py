"""/pull-secret on a real API server with the roles of deploy/rbac, and OCM and a registry over HTTP."""

from __future__ import annotations

import base64
import json
import secrets
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from bot.cloud import Registry
from bot.clusters import Cluster
from bot.core.errors import Drifted, Refused
from bot.core.kubernetes import CLUSTER_VERSION, MACHINE_CONFIG_POOL
from bot.core.plan import Plan, RunRef, Vocabulary
from bot.core.ports import ReadTools, Tools
from bot.core.secret import Secret
from bot.identity import Ocm
from bot.settings import FromEnv
from bot.tools.absent import NoVault
from bot.tools.cluster import Clusters
from bot.tools.docker_configs import DockerConfigs
from bot.tools.documents import Base64Yaml
from bot.tools.fingerprints import KeyedFingerprints
from bot.tools.jobs import JobFiles
from bot.tools.kubernetes import open_clusters
from bot.tools.ocm import TransferApi
from bot.tools.ocm_remembered import RememberedOcm
from bot.tools.registries import AskedRegistries
from bot.tools.tokens import JwtClaims
from handlers import pull_secret
from handlers.pull_secret_clusters import Settings
from playground.ocm import OcmStandIn
from playground.registry import RegistryStandIn
from playground.server import run_in_thread
from tests.kube import Kube, rbac_path, until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]  # the first build of the API server takes minutes
HANDLER = pull_secret.HANDLER
MANIFEST = Path(pull_secret.__file__).parents[1] / "deploy" / "rbac" / "pull-secret.yaml"
OCM, QUAY = "cloud.openshift.com", "quay.example.com"
SECRETS = "/api/v1/namespaces/openshift-config/secrets"
POOLS = f"/apis/{MACHINE_CONFIG_POOL.group}/v1/machineconfigpools"
NOW = 1_900_000_000.0


def entry(password: str = "") -> dict[str, str]:
    return {"auth": base64.b64encode(f"someone:{password or secrets.token_hex(8)}".encode()).decode()}


@dataclass
class Real:
    """One cluster. `time`: seconds that have passed for the bot."""

    kube: Kube
    ocm: OcmStandIn
    tools: Tools
    id: str
    documents: list[dict[str, Any]]
    time: float = 0
    told: tuple[str, ...] = ()

    @property
    def looking(self) -> ReadTools:
        kubernetes: Any = self.tools.kubernetes
        names = [name for name in ReadTools.__dataclass_fields__ if name != "kubernetes"]
        return ReadTools(kubernetes=kubernetes.reader, **{name: getattr(self.tools, name) for name in names})

    def ask(self, action: str = "sync") -> Any:
        made = HANDLER.plan(
            HANDLER.ask.model_validate({"action": action}),
            Settings.model_validate({"clusters": {"c": {}}}),
            self.looking,
        )
        return (
            Vocabulary(HANDLER.steps, HANDLER.premises).read(json.loads(made.model_dump_json()))
            if isinstance(made, Plan)
            else made
        )

    def apply(self, plan: Plan, run: str) -> None:
        for _, _, step in plan.steps:
            if step.proves or not step.done(self.looking):
                step.do(self.tools, RunRef(run, pause=self.pause))
                assert step.done(self.looking)

    def pause(self, seconds: float) -> None:
        """Time passes, and the machine config operator of which there is none does a little of its work."""
        self.time += seconds
        mark = self.secret()["metadata"]["resourceVersion"]
        for pool in self.kube.must("GET", POOLS)["items"]:
            wanted = {"name": f"rendered-{mark}"}
            name, done = pool["metadata"]["name"], pool["spec"].get("configuration") == wanted
            self.kube.must("PATCH", f"{POOLS}/{name}", {"spec": {"configuration": wanted}})
            if not pool["spec"].get("paused"):
                self.pool(name, "True" if done else "False", 2 if done else 1, wanted if done else {"name": "old"})

    def pool(self, name: str, updated: str, count: int, current: dict[str, str]) -> None:
        status = {"machineCount": 2, "updatedMachineCount": count, "configuration": current,
                  "conditions": [{"type": "Updated", "status": updated}]}  # fmt: skip
        self.kube.must("PATCH", f"{POOLS}/{name}/status", {"status": status})

    def secret(self, name: str = "pull-secret") -> Any:
        return self.kube.must("GET", f"{SECRETS}/{name}")

    def auths(self) -> Any:
        return json.loads(base64.b64decode(self.secret()["data"][".dockerconfigjson"]))["auths"]

    def put(self, auths: dict[str, Any]) -> None:
        data = {".dockerconfigjson": base64.b64encode(json.dumps({"auths": auths}).encode()).decode()}
        body = {"metadata": {"name": "pull-secret"}, "type": "kubernetes.io/dockerconfigjson", "data": data}
        for name in ("pull-secret", "pull-secret-before-hivekeeper"):
            self.kube.ask("DELETE", f"{SECRETS}/{name}")
        self.kube.must("POST", SECRETS, body)


@pytest.fixture(scope="module")
def place(kube: Kube) -> Iterator[Real]:
    for kind in (CLUSTER_VERSION, MACHINE_CONFIG_POOL):
        kube.define(kind.group, kind.kind)
    for name in ("openshift-config", "openshift-insights", "hivekeeper"):
        kube.ask("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
    token = kube.account("hivekeeper", "hivekeeper")
    documents = kube.apply(MANIFEST, {})
    ocm, registry = OcmStandIn(now=lambda: NOW), RegistryStandIn(QUAY, lambda user, _: user, kind="quay")
    servers = [run_in_thread(one.app()) for one in (ocm, registry)]
    marks, id_ = KeyedFingerprints(Secret(secrets.token_hex(16))), str(uuid.uuid4())
    cluster = Cluster(address=kube.url, ca_file=kube.ca_file, token=FromEnv(env="T"), timeout=60)
    api = TransferApi(Ocm.model_validate({"address": servers[0].url}))
    tools = Tools(
        vault=NoVault(), fingerprints=marks, tokens=JwtClaims(), documents=Base64Yaml(), clusters=Clusters({}),
        jobs=JobFiles(()), now=lambda: NOW + made.time, docker_configs=DockerConfigs(marks),
        kubernetes=open_clusters({"c": cluster}, lambda _: Secret(token), marks), ocm=RememberedOcm(api, marks),
        registries=AskedRegistries({QUAY: Registry(address=servers[1].url)}), commands=frozenset({"pull-secret"}),
    )  # fmt: skip
    made = Real(kube, ocm, tools, id_, documents)
    api_group = {"apiVersion": f"{CLUSTER_VERSION.group}/v1", "kind": "ClusterVersion"}
    kube.must(
        "POST",
        f"/apis/{CLUSTER_VERSION.group}/v1/clusterversions",
        {**api_group, "metadata": {"name": "version"}, "spec": {"clusterID": id_}},
    )
    for name in ("master", "worker"):
        pool = {
            "apiVersion": f"{MACHINE_CONFIG_POOL.group}/v1",
            "kind": "MachineConfigPool",
            "metadata": {"name": name},
        }
        kube.must("POST", POOLS, {**pool, "spec": {"paused": False, "configuration": {"name": "old"}}})
        made.pool(name, "True", 2, {"name": "old"})
    until(
        lambda: tools.kubernetes.reader.allowed(
            "c", pull_secret.HANDLER.needs(Settings.model_validate({"clusters": {"c": {}}}))[0].access
        ),
        20,
    )  # type: ignore[attr-defined, union-attr]  # the real tool's reader; its needs are of clusters
    yield made
    for server in servers:
        server.stop()
    kube.ask("DELETE", f"/apis/{CLUSTER_VERSION.group}/v1/clusterversions/version")
    for name in ("master", "worker"):
        kube.ask("DELETE", f"{POOLS}/{name}")
    for document in documents:
        kube.ask("DELETE", f"{rbac_path(document)}/{document['metadata']['name']}")
    for name in ("openshift-config", "openshift-insights", "hivekeeper"):
        kube.ask("DELETE", f"/api/v1/namespaces/{name}")


@pytest.fixture
def real(place: Real) -> Iterator[Real]:
    """The cluster with a pull secret of its own, and an open window for another one."""
    old = {OCM: entry(), "mirror.example.com": {**entry(), "email": "ops@example.com"}}
    place.put(old)
    place.ocm.accept(place.id, old[OCM]["auth"])
    place.ocm.open_window(
        place.id, "joe", "jack", json.dumps({"auths": {OCM: entry(), QUAY: entry()}}), NOW + 86400 * 5
    )
    yield place
    place.ocm.close(place.id)


def test_the_whole_way_and_back(real: Real) -> None:
    """With the roles of deploy/rbac and nothing else: found, planned, written, accepted, watched, reported, put back."""
    before = real.auths()
    plan = real.ask()
    assert [premise.holds(real.looking) for premise in plan.premises] == [True, True]
    real.apply(plan, "run-1")
    now = real.auths()
    assert now["mirror.example.com"] == before["mirror.example.com"]
    assert set(now) == {OCM, QUAY, "mirror.example.com"}
    assert HANDLER.report is not None
    report = HANDLER.report(plan, Settings(), real.looking)
    assert report.table is not None
    assert report.table.rows == (("c", "updated (PullSecretUpdated)", "yes", "master all 2; worker all 2"),)
    assert real.ask().quiet
    back = real.ask("restore")
    real.apply(back, "run-2")
    assert real.auths() == before


def test_a_paused_pool(real: Real) -> None:
    """It is not waited for, and is told before and after."""
    real.kube.must("PATCH", f"{POOLS}/worker", {"spec": {"paused": True}})
    plan = real.ask()
    assert "worker is paused" in plan.warnings[0]
    real.apply(plan, "run-3")
    assert HANDLER.report is not None
    assert "paused" in HANDLER.report(plan, Settings(), real.looking).warnings[0]
    real.kube.must("PATCH", f"{POOLS}/worker", {"spec": {"paused": False}})
    real.pause(1), real.pause(1)


def test_another_writer(real: Real) -> None:
    """What was written between plan and approval stays; the real server's resourceVersion says so."""
    plan = real.ask()
    theirs = {**real.auths(), "theirs.example.com": entry()}
    real.put(theirs)
    with pytest.raises(Drifted):
        plan.steps[0][2].do(real.tools, RunRef("run-4"))
    assert real.auths() == theirs


def test_undo_and_retire(real: Real) -> None:
    """The real server takes the old one back, at the same name; the backup is gone after."""
    before, plan = real.secret(), real.ask()
    write = plan.steps[0][2]
    write.do(real.tools, RunRef("run-5"))
    write.undo(real.tools, RunRef("run-5"))
    after = real.secret()
    assert after["data"] == before["data"]
    assert after["metadata"].get("annotations", {}) == before["metadata"].get("annotations", {})
    write.retire(real.tools, RunRef("run-5"))
    assert real.kube.ask("GET", f"{SECRETS}/pull-secret-before-hivekeeper").status_code == 404


@pytest.mark.parametrize("verb", ["create", "update", "delete"])
def test_one_verb_less(real: Real, verb: str) -> None:
    """The plan is refused by that verb's name, and nothing was changed."""
    before = real.auths()
    role = next(
        one for one in real.documents if one["kind"] == "Role" and one["metadata"]["namespace"] == "openshift-config"
    )
    less = {**role, "rules": [rule for rule in role["rules"] if verb not in rule["verbs"]]}
    at = f"{rbac_path(role)}/{role['metadata']['name']}"
    real.kube.must("PUT", at, less)
    try:
        until(lambda: _refused(real) != "")
        assert f"may not {verb} secrets" in _refused(real)
        assert real.auths() == before
    finally:
        real.kube.must("PUT", at, role)
        until(lambda: not _refused(real))


def _refused(real: Real) -> str:
    try:
        real.ask()
    except Refused as refusal:
        return refusal.what
    return ""
