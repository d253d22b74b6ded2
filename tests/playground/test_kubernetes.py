"""The Kubernetes stand-in answers as an API server does. What the bot relies on is in contracts/."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from playground.kubernetes import KubernetesStandIn
from playground.kubernetes_answers import Answer, Asked
from playground.kubernetes_kinds import DEPLOYMENT, MACHINE_CONFIG_POOL, SECRET

SECRETS, DEPLOYMENTS = "/api/v1/namespaces/hive/secrets", "/apis/apps/v1/namespaces/hive/deployments"
PODS, POOLS = "/api/v1/namespaces/hive/pods", "/apis/machineconfiguration.openshift.io/v1/machineconfigpools"
MERGE, STRATEGIC = "application/merge-patch+json", "application/strategic-merge-patch+json"
EMPTY = base64.b64encode(b'{"auths":{}}').decode()


class Hand:
    """Asks in process, as the admin unless told otherwise."""

    def __init__(self, cluster: KubernetesStandIn) -> None:
        self.cluster = cluster

    def __call__(
        self, method: str, path: str, body: Any = None, *, token: str | None = None, kind: str = MERGE, **query: str
    ) -> Answer:
        content = json.dumps(body).encode() if body is not None else b""
        return self.cluster.answer(
            Asked(method, path, query, self.cluster.admin if token is None else token, kind, content)
        )

    def must(self, method: str, path: str, body: Any = None, **more: str) -> Any:
        answer = self(method, path, body, **more)
        assert answer.status < 300, answer.body
        return answer.body


@pytest.fixture
def ask() -> Hand:
    cluster = KubernetesStandIn()
    cluster.namespace("hive")
    return Hand(cluster)


def secret(name: str = "s", **more: Any) -> dict[str, Any]:
    return {"metadata": {"name": name}, "type": "kubernetes.io/dockerconfigjson", "data": {".dockerconfigjson": EMPTY},
            **more}  # fmt: skip


def deployment(name: str = "web", **spec: Any) -> dict[str, Any]:
    pod = {"containers": [{"name": "c", "image": "r.example.com/a:1"}]}
    template = {"metadata": {"labels": {"app": name}}, "spec": pod}
    return {
        "metadata": {"name": name},
        "spec": {"selector": {"matchLabels": {"app": name}}, "template": template, **spec},
    }


def test_a_write_of_something_older_is_a_conflict(ask: Hand) -> None:
    """PUT and PATCH with the version that was looked at are done once; the second one is 409 Conflict."""
    made = ask.must("POST", SECRETS, secret())
    changed = {**made, "metadata": {**made["metadata"], "labels": {"a": "b"}}}
    assert ask("PUT", f"{SECRETS}/s", changed).status == 200
    late = ask("PUT", f"{SECRETS}/s", made)
    assert (late.status, late.body["reason"], late.body["details"]) == (
        409,
        "Conflict",
        {"name": "s", "kind": "secrets"},
    )
    old = {"metadata": {"resourceVersion": made["metadata"]["resourceVersion"], "labels": {"c": "d"}}}
    assert ask("PATCH", f"{SECRETS}/s", old).body["reason"] == "Conflict"
    assert (ask.cluster.get(SECRET, "s", "hive") or {})["metadata"]["labels"] == {"a": "b"}


def test_a_version_moves_with_every_change_and_only_then(ask: Hand) -> None:
    """A write that changes nothing keeps the resourceVersion; another one raises it; uid and creation stay."""
    made = ask.must("POST", SECRETS, secret())["metadata"]
    same = ask.must("PATCH", f"{SECRETS}/s", {"metadata": {}})["metadata"]
    other = ask.must("PATCH", f"{SECRETS}/s", {"metadata": {"annotations": {"x": "y"}}})["metadata"]
    assert same == made
    assert int(other["resourceVersion"]) > int(made["resourceVersion"])
    assert (other["uid"], other["creationTimestamp"]) == (made["uid"], made["creationTimestamp"])


def test_a_secret_keeps_its_type(ask: Hand) -> None:
    """Another type is 422 and names the field; so are a pull secret without its key, and one that is no JSON."""
    ask.must("POST", SECRETS, secret())
    refused = ask("PUT", f"{SECRETS}/s", secret(type="Opaque"))
    assert (refused.status, refused.body["details"]["causes"][0]["field"]) == (422, "type")
    assert ask("POST", SECRETS, secret("t", data={})).body["details"]["causes"][0]["reason"] == "FieldValueRequired"
    garbage = base64.b64encode(b"{nope").decode()
    assert ask("POST", SECRETS, secret("t", data={".dockerconfigjson": garbage})).status == 422


def test_an_immutable_secret_keeps_its_data(ask: Hand) -> None:
    """Data of an immutable Secret cannot change, its labels can."""
    ask.must("POST", SECRETS, secret(immutable=True))
    other = base64.b64encode(b'{"auths":{"a":{}}}').decode()
    assert ask("PATCH", f"{SECRETS}/s", {"data": {".dockerconfigjson": other}}).status == 422
    assert ask("PATCH", f"{SECRETS}/s", {"metadata": {"labels": {"a": "b"}}}).status == 200


def test_what_cannot_be_read_is_a_bad_request(ask: Hand) -> None:
    """Broken JSON, another kind, another namespace or name, base64 that is none: 400. Too much: 413 and 422."""
    ask.must("POST", SECRETS, secret())
    big = base64.b64encode(b"x" * (1 << 20) + b"x").decode()
    told = [
        ask.cluster.answer(Asked("POST", SECRETS, {}, ask.cluster.admin, "", b"{")).status,
        ask("POST", SECRETS, {"kind": "Pod", "apiVersion": "v1", "metadata": {"name": "p"}}).status,
        ask("POST", SECRETS, {"metadata": {"name": "x", "namespace": "other"}}).status,
        ask("PUT", f"{SECRETS}/s", secret("t")).status,
        ask("POST", SECRETS, secret("t", data={"x": "%%%"})).status,
        ask("POST", SECRETS, secret("t", type="Opaque", data={"x": big})).status,
        ask("POST", SECRETS, secret("t", type="Opaque", data={"x": "x" * (3 << 20)})).status,
        ask("POST", SECRETS, secret("T_")).status,
    ]
    assert told == [400, 400, 400, 400, 400, 422, 413, 422]


def test_what_is_not_there(ask: Hand) -> None:
    """A missing object and a missing namespace are 404 with their name; a kind that nobody serves has no Status."""
    missing = ask("GET", f"{SECRETS}/s")
    assert (missing.status, missing.body["details"]) == (404, {"name": "s", "kind": "secrets"})
    nowhere = ask("POST", "/api/v1/namespaces/nope/secrets", secret())
    assert (nowhere.status, nowhere.body["message"]) == (404, 'namespaces "nope" not found')
    assert ask("GET", "/api/v1/namespaces/hive/zebras").body["reason"] == "NotFound"
    assert ask("GET", "/apis/zoo.example.com/v1/zebras").raw == b"404 page not found\n"
    assert ask("PUT", SECRETS, secret()).status == 405


def test_a_hosted_cluster_has_no_pools(ask: Hand) -> None:
    """MachineConfigPools are a 404 without a Status where the control plane is hosted, and a list elsewhere."""
    assert ask("GET", POOLS).body["items"] == []
    hosted = Hand(KubernetesStandIn(hosted=True))
    assert (hosted("GET", POOLS).status, hosted("GET", POOLS).body) == (404, None)


def test_a_delete_of_something_older_is_refused(ask: Hand) -> None:
    """Preconditions of a delete hold: another version or uid is 409 and nothing goes."""
    made = ask.must("POST", SECRETS, secret())["metadata"]
    for name in ("uid", "resourceVersion"):
        assert ask("DELETE", f"{SECRETS}/s", {"preconditions": {name: "1"}}).body["reason"] == "Conflict"
    good = {"preconditions": {"uid": made["uid"], "resourceVersion": made["resourceVersion"]}}
    assert ask("DELETE", f"{SECRETS}/s", good).body["status"] == "Success"
    assert ask("DELETE", f"{SECRETS}/s").status == 404


def test_names_are_taken_once(ask: Hand) -> None:
    """The second create is 409 AlreadyExists; generateName makes two names of one."""
    ask.must("POST", SECRETS, secret())
    assert ask("POST", SECRETS, secret()).body["reason"] == "AlreadyExists"
    many = [ask.must("POST", SECRETS, {"metadata": {"generateName": "s-"}})["metadata"]["name"] for _ in range(2)]
    assert len(set(many)) == 2


def test_string_data_is_written_and_not_read(ask: Hand) -> None:
    """`stringData` comes back as base64 in `data`."""
    made = ask.must("POST", SECRETS, {"metadata": {"name": "s"}, "stringData": {"a": "b"}})
    assert (made["data"], made["type"], made.get("stringData")) == ({"a": "Yg=="}, "Opaque", None)


def test_lists_come_in_pages(ask: Hand) -> None:
    """Pages of two give all seven, once, in order; after `expire_continues` the next page is 410."""
    for number in range(7):
        ask.must("POST", SECRETS, secret(f"s{number}"))
    names, query = [], {"limit": "2"}
    while True:
        page = ask.must("GET", SECRETS, **query)
        names += [item["metadata"]["name"] for item in page["items"]]
        if not page["metadata"].get("continue"):
            break
        query["continue"] = page["metadata"]["continue"]
    assert names == [f"s{number}" for number in range(7)]
    assert page["items"][0].get("kind") is None
    first = ask.must("GET", SECRETS, limit="2")["metadata"]
    assert first["remainingItemCount"] == 5
    ask.cluster.expire_continues()
    assert ask("GET", SECRETS, **{"limit": "2", "continue": first["continue"]}).body["reason"] == "Expired"
    assert ask("GET", SECRETS, **{"continue": "zz"}).status == 400


def test_strategic_patches_merge_containers(ask: Hand) -> None:
    """A strategic patch changes one container by its name; a merge patch replaces the list; custom kinds take none."""
    body = deployment()
    body["spec"]["template"]["spec"]["containers"].append({"name": "side", "image": "r.example.com/side:1"})
    ask.must("POST", DEPLOYMENTS, body)
    change = {"spec": {"template": {"spec": {"containers": [{"name": "c", "image": "r.example.com/a:2"}]}}}}
    patched = ask.must("PATCH", f"{DEPLOYMENTS}/web", change, kind=STRATEGIC)["spec"]["template"]["spec"]["containers"]
    assert [each["image"] for each in patched] == ["r.example.com/a:2", "r.example.com/side:1"]
    replaced = ask.must("PATCH", f"{DEPLOYMENTS}/web", change)["spec"]["template"]["spec"]["containers"]
    assert [each["image"] for each in replaced] == ["r.example.com/a:2"]
    ask.cluster.put(MACHINE_CONFIG_POOL, {"metadata": {"name": "worker"}, "spec": {}})
    assert ask("PATCH", f"{POOLS}/worker", {}, kind=STRATEGIC).status == 415
    assert ask("PATCH", f"{POOLS}/worker", {"spec": {"paused": True}}).body["metadata"]["generation"] == 2


def test_generations_count_changes_of_the_spec(ask: Hand) -> None:
    """Labels leave a Deployment's generation alone, its spec moves it; status is written apart from both."""
    ask.must("POST", DEPLOYMENTS, {**deployment(), "status": {"replicas": 7}})
    path = f"{DEPLOYMENTS}/web"
    assert (ask.cluster.get(DEPLOYMENT, "web", "hive") or {})["status"] == {}
    assert ask.must("PATCH", path, {"metadata": {"labels": {"a": "b"}}})["metadata"]["generation"] == 1
    assert ask.must("PATCH", path, {"spec": {"replicas": 3}, "status": {"replicas": 9}})["metadata"]["generation"] == 2
    both = ask.must("PATCH", f"{path}/status", {"status": {"replicas": 3}, "spec": {"replicas": 8}})
    assert (both["status"], both["spec"]["replicas"], both["metadata"]["generation"]) == ({"replicas": 3}, 3, 2)


def test_a_deployment_that_selects_others_is_refused(ask: Hand) -> None:
    """A selector that does not fit the template is 422, and so is another selector later."""
    body = deployment()
    body["spec"]["selector"] = {"matchLabels": {"app": "other"}}
    assert ask("POST", DEPLOYMENTS, body).status == 422
    ask.must("POST", DEPLOYMENTS, deployment())
    both = {"matchLabels": {"app": "web", "tier": "one"}}
    labels = {"template": {"metadata": {"labels": {"app": "web", "tier": "one"}}}}
    assert ask("PATCH", f"{DEPLOYMENTS}/web", {"spec": {"selector": both, **labels}}).status == 422


def test_a_new_pod_gets_the_pull_secrets_of_its_account(ask: Hand) -> None:
    """Only when it names none itself, and only when it is made; without its account it is forbidden."""
    path = "/api/v1/namespaces/hive/serviceaccounts/default"
    pod = {"containers": [{"name": "c", "image": "a"}]}
    before = ask.must("POST", PODS, {"metadata": {"name": "before"}, "spec": pod})
    ask.must("PATCH", path, {"imagePullSecrets": [{"name": "ecr"}]})
    after = ask.must("POST", PODS, {"metadata": {"name": "after"}, "spec": pod})
    own = {**pod, "imagePullSecrets": [{"name": "own"}]}
    named = ask.must("POST", PODS, {"metadata": {"name": "named"}, "spec": own})
    found = [each["spec"].get("imagePullSecrets") for each in (before, after, named)]
    assert found == [None, [{"name": "ecr"}], [{"name": "own"}]]
    lost = ask("POST", PODS, {"metadata": {"name": "lost"}, "spec": {**pod, "serviceAccountName": "nobody"}})
    assert (lost.status, "error looking up service account" in lost.body["message"]) == (403, True)
    assert ask("PATCH", f"{PODS}/after", {"spec": {"restartPolicy": "Never"}}).status == 422


def test_a_namespace_takes_all_with_it(ask: Hand) -> None:
    """What is in a removed namespace is gone; others keep theirs; a new one has its default account."""
    ask.cluster.namespace("other")
    ask.must("POST", SECRETS, secret())
    ask.must("POST", "/api/v1/namespaces/other/secrets", secret())
    ask.must("DELETE", "/api/v1/namespaces/hive")
    assert [each["metadata"]["namespace"] for each in ask.must("GET", "/api/v1/secrets")["items"]] == ["other"]
    ask.must("POST", "/api/v1/namespaces", {"metadata": {"name": "new"}})
    assert ask("GET", "/api/v1/namespaces/new/serviceaccounts/default").status == 200


def test_kinds_can_be_defined(ask: Hand) -> None:
    """A CustomResourceDefinition makes its kind served; one that is there already is 409."""
    path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    names = {"plural": "zebras", "kind": "Zebra"}
    spec = {"group": "zoo.example.com", "scope": "Cluster", "names": names, "versions": [{"name": "v1"}]}
    body = {"metadata": {"name": "zebras.zoo.example.com"}, "spec": spec}
    ask.must("POST", path, body)
    assert ask.must("GET", "/apis/zoo.example.com/v1/zebras")["kind"] == "ZebraList"
    assert ask("POST", path, body).status == 409
    pools = {"metadata": {"name": "machineconfigpools.machineconfiguration.openshift.io"}, "spec": spec}
    assert ask("POST", path, pools).status == 409


def test_discovery_names_what_is_served(ask: Hand) -> None:
    """Groups and resources of all kinds; SelfSubjectReview is unknown before 1.28."""
    assert "machineconfiguration.openshift.io" in str(ask.must("GET", "/apis"))
    assert "deployments/status" in str(ask.must("GET", "/apis/apps/v1"))
    assert ask.must("GET", "/api/v1")["kind"] == "APIResourceList"
    old = Hand(KubernetesStandIn(version="v1.20.2"))
    assert old("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", {}).status == 404
    assert old.must("GET", "/version")["gitVersion"] == "v1.20.2"
