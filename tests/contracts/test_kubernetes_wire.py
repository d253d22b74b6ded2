"""The stand-in for Kubernetes answers like the real one, request by request: the same Status, the same objects. Of the
stand-in, and of a real API server 1.20 where ../shared/tools/kube-apiserver can build one (slow).
"""

from __future__ import annotations

import base64
import secrets
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from playground.cluster_life import Life
from playground.kubernetes import serve
from tests.kube import BUILD, Kube, until

PLACES: list[Any] = ["stand-in"]
if BUILD.exists():  # its first build takes four minutes
    PLACES.append(pytest.param("kube-apiserver", marks=[pytest.mark.slow, pytest.mark.timeout(900)]))
EMPTY = base64.b64encode(b'{"auths":{}}').decode()
STALE = "the object has been modified; please apply your changes to the latest version and try again"


@pytest.fixture(scope="module", params=PLACES)
def place(request: pytest.FixtureRequest) -> Iterator[Kube]:
    if request.param == "kube-apiserver":
        yield request.getfixturevalue("kube")
        return
    with serve(version="v1.20.2") as (cluster, server), Life(cluster, nodes=False, every=0.01):
        yield Kube(server.url, cluster.admin)


@pytest.fixture(scope="module")
def space(place: Kube) -> str:
    return place.namespace()


def secret(name: str, **more: Any) -> dict[str, Any]:
    metadata = {"name": name, **more.pop("metadata", {})}
    return {"metadata": metadata, "type": "kubernetes.io/dockerconfigjson", "data": {".dockerconfigjson": EMPTY},
            **more}  # fmt: skip


def strategic(place: Kube, path: str, change: Any) -> httpx.Response:
    headers = {"Authorization": f"Bearer {place.admin}", "Content-Type": "application/strategic-merge-patch+json"}
    return place.client.request("PATCH", path, json=change, headers=headers)


def said(place: Kube, method: str, path: str, body: Any = None, token: str | None = None) -> tuple[int, str, str]:
    """Status, reason and message."""
    answer = place.ask(method, path, body, token)
    told = answer.json()
    return answer.status_code, told.get("reason", ""), told.get("message", "")


def test_refusals_of_secrets(place: Kube, space: str) -> None:
    """Word by word what is told of a Secret that is stale, taken, gone, of another type, invalid or immutable."""
    path = f"/api/v1/namespaces/{space}/secrets"
    old = place.must("POST", path, secret("s"))
    place.must("PATCH", f"{path}/s", {"metadata": {"labels": {"a": "b"}}})
    place.must("POST", path, secret("fixed", immutable=True))
    invalid, missing = 'Secret "{}" is invalid: ', "Required value"
    conflict = f'Operation cannot be fulfilled on secrets "s": {STALE}'
    fixed = "Forbidden: field is immutable when `immutable` is set"
    other = {".dockerconfigjson": base64.b64encode(b'{"auths":{"a":{}}}').decode()}
    expected: list[tuple[tuple[Any, ...], tuple[int, str, str]]] = [
        (("POST", path, secret("s")), (409, "AlreadyExists", 'secrets "s" already exists')),
        (("PUT", f"{path}/s", old), (409, "Conflict", conflict)),
        (("PATCH", f"{path}/s", {"metadata": {"resourceVersion": old["metadata"]["resourceVersion"], "labels": None}}),
         (409, "Conflict", conflict)),
        (("GET", f"{path}/t"), (404, "NotFound", 'secrets "t" not found')),
        (("PUT", f"{path}/t", secret("t")), (404, "NotFound", 'secrets "t" not found')),
        (("DELETE", f"{path}/t"), (404, "NotFound", 'secrets "t" not found')),
        (("POST", "/api/v1/namespaces/nope/secrets", secret("t")), (404, "NotFound", 'namespaces "nope" not found')),
        (("PATCH", f"{path}/s", {"type": "Opaque"}),
         (422, "Invalid", invalid.format("s") + 'type: Invalid value: "Opaque": field is immutable')),
        (("POST", path, secret("t", data={})),
         (422, "Invalid", invalid.format("t") + f"data[.dockerconfigjson]: {missing}")),
        (("PATCH", f"{path}/fixed", {"data": other}), (422, "Invalid", invalid.format("fixed") + f"data: {fixed}")),
        (("PUT", f"{path}/s", secret("t")),
         (400, "BadRequest", "the name of the object (t) does not match the name on the URL (s)")),
        (("POST", path, secret("t", metadata={"namespace": "nope"})),
         (400, "BadRequest", "the namespace of the provided object does not match the namespace sent on the request")),
        (("PATCH", f"{path}/s", {"metadata": {"name": "t"}}),
         (400, "BadRequest", "the name of the object (t) does not match the name on the URL (s)")),
        (("POST", path, secret("t", metadata={"resourceVersion": "1"})),
         (500, "", "resourceVersion should not be set on objects to be created")),
        (("PUT", path, secret("t")),
         (405, "MethodNotAllowed", "the server does not allow this method on the requested resource")),
    ]  # fmt: skip
    assert [(asked, said(place, *asked)) for asked, _ in expected] == expected


def test_refusals_by_rbac(place: Kube, space: str) -> None:
    """Word by word what somebody is told who may nothing, in a namespace, everywhere, of a group; and nobody."""
    token = place.account(space, "nothing")
    user = f"system:serviceaccount:{space}:nothing"
    where, everywhere = f'in the namespace "{space}"', "at the cluster scope"
    expected = {
        f"/api/v1/namespaces/{space}/secrets/s": ('secrets "s"', "get", "secrets", "", where),
        f"/api/v1/namespaces/{space}/secrets": ("secrets", "list", "secrets", "", where),
        f"/api/v1/namespaces/{space}": (f'namespaces "{space}"', "get", "namespaces", "", where),
        "/api/v1/nodes": ("nodes", "list", "nodes", "", everywhere),
        f"/apis/apps/v1/namespaces/{space}/deployments/d": (
            'deployments.apps "d"', "get", "deployments", "apps", where),
        "/apis/zoo.example.com/v1/zebras": ("zebras.zoo.example.com", "list", "zebras", "zoo.example.com", everywhere),
    }  # fmt: skip
    for path, (what, verb, resource, group, scope) in expected.items():
        message = (
            f'{what} is forbidden: User "{user}" cannot {verb} resource "{resource}" in API group "{group}" {scope}'
        )
        assert said(place, "GET", path, token=token) == (403, "Forbidden", message)
    assert said(place, "GET", "/version", token=secrets.token_hex()) == (401, "Unauthorized", "Unauthorized")


def test_a_delete_of_something_older(place: Kube, space: str) -> None:
    """A precondition that does not hold is a conflict that names both versions; with the right one it is done."""
    path = f"/api/v1/namespaces/{space}/secrets"
    old = place.must("POST", path, secret("d"))["metadata"]["resourceVersion"]
    new = place.must("PATCH", f"{path}/d", {"metadata": {"labels": {"a": "b"}}})["metadata"]["resourceVersion"]
    status, reason, message = said(place, "DELETE", f"{path}/d", {"preconditions": {"resourceVersion": old}})
    assert (status, reason) == (409, "Conflict")
    assert message.startswith(
        f'Operation cannot be fulfilled on Secret "d": the ResourceVersion in the precondition ({old}) does not match '
        f"the ResourceVersion in record ({new})"
    )
    done = place.must("DELETE", f"{path}/d", {"preconditions": {"resourceVersion": new}})
    assert (done["kind"], done["status"], done["details"]["kind"]) == ("Status", "Success", "secrets")


def test_what_a_list_holds(place: Kube, space: str) -> None:
    """Pages, what is left, selectors, and items without their kind."""
    path = f"/api/v1/namespaces/{space}/configmaps"
    for number in range(3):
        metadata = {"name": f"c{number}", "labels": {"turn": str(number), "of": "three"}}
        place.must("POST", path, {"metadata": metadata})
    assert place.must("GET", f"{path}?limit=1")["metadata"]["remainingItemCount"] >= 2
    first = place.must("GET", f"{path}?labelSelector=of%3Dthree&limit=2")
    assert "remainingItemCount" not in first["metadata"]
    assert (first["kind"], len(first["items"])) == ("ConfigMapList", 2)
    assert "kind" not in first["items"][0]
    rest = place.must("GET", f"{path}?labelSelector=of%3Dthree&limit=2&continue={first['metadata']['continue']}")
    assert [item["metadata"]["name"] for item in rest["items"]] == ["c2"]
    assert "continue" not in rest["metadata"]
    for query, names in {
        "labelSelector=turn+in+(0,2)": ["c0", "c2"], "labelSelector=of%3Dthree,turn!%3D1": ["c0", "c2"],
        "fieldSelector=metadata.name%3Dc1": ["c1"], "labelSelector=of%3Dthree,!turn": [],
    }.items():  # fmt: skip
        assert [item["metadata"]["name"] for item in place.must("GET", f"{path}?{query}")["items"]] == names
    known = '"nope" is not a known field selector: only "metadata.name", "metadata.namespace"'
    assert said(place, "GET", f"{path}?fieldSelector=nope%3Dx") == (400, "BadRequest", known)
    pods = f"/api/v1/namespaces/{space}/pods?fieldSelector=nope%3Dx"
    assert said(place, "GET", pods) == (400, "BadRequest", "field label not supported: nope")
    assert said(place, "GET", f"{path}?continue=zz")[:2] == (400, "BadRequest")


def test_a_kind_of_their_own(place: Kube) -> None:
    """Of a custom kind: its list's items have their kind, no strategic patch, no update without a version, and a
    change of the spec is a new generation."""
    place.define("config.openshift.io", "ClusterVersion")
    path, name = "/apis/config.openshift.io/v1/clusterversions", f"v-{secrets.token_hex(4)}"
    body = {"apiVersion": "config.openshift.io/v1", "kind": "ClusterVersion", "metadata": {"name": name}}
    made = place.must("POST", path, {**body, "spec": {"clusterID": "a"}, "status": {"x": "y"}})
    assert (made["metadata"]["generation"], "status" in made) == (1, False)
    items = place.must("GET", path)["items"]
    assert {item["kind"] for item in items} == {"ClusterVersion"}
    status, reason, message = said(place, "PUT", f"{path}/{name}", body)
    assert (status, reason) == (422, "Invalid")
    assert "must be specified for an update" in message
    assert place.must("PATCH", f"{path}/{name}", {"spec": {"clusterID": "b"}})["metadata"]["generation"] == 2
    assert strategic(place, f"{path}/{name}", {"spec": {}}).status_code == 415
    told = place.must("PATCH", f"{path}/{name}/status", {"status": {"x": "y"}, "spec": {"clusterID": "c"}})
    assert (told["status"], told["spec"], told["metadata"]["generation"]) == ({"x": "y"}, {"clusterID": "b"}, 2)
    place.must("DELETE", f"{path}/{name}")


def test_a_kind_that_nobody_serves(place: Kube, space: str) -> None:
    """An unknown group is answered without a Status, an unknown resource of a known group with one."""
    unknown = place.ask("GET", "/apis/zoo.example.com/v1/zebras")
    assert (unknown.status_code, unknown.text) == (404, "404 page not found\n")
    message = "the server could not find the requested resource"
    for path in (f"namespaces/{space}/zebras", f"namespaces/{space}/nodes", "pods/p"):
        assert said(place, "GET", f"/api/v1/{path}") == (404, "NotFound", message)


def test_pods_and_their_accounts(place: Kube, space: str) -> None:
    """A new pod gets its account's pull secrets if it names none; what is fixed stays; removing it shows it once more."""
    pods, account = f"/api/v1/namespaces/{space}/pods", f"/api/v1/namespaces/{space}/serviceaccounts/puller"
    place.must("POST", account.rpartition("/")[0], {"metadata": {"name": "puller"}})
    place.must("PATCH", account, {"imagePullSecrets": [{"name": "ecr"}]})
    if place.ca_file:  # the real one wants the account's legacy token before it takes its pods
        until(lambda: "secrets" in place.must("GET", account))
    spec = {"containers": [{"name": "c", "image": "a"}], "serviceAccountName": "puller", "restartPolicy": "Never"}
    made = place.must("POST", pods, {"metadata": {"name": "one"}, "spec": spec, "status": {"phase": "Running"}})
    assert (made["spec"]["imagePullSecrets"], made["status"]["phase"]) == ([{"name": "ecr"}], "Pending")
    assert made["spec"]["containers"][0]["imagePullPolicy"] == "Always"
    own = {**spec, "imagePullSecrets": [{"name": "own"}]}
    two = place.must("POST", pods, {"metadata": {"name": "two"}, "spec": own})
    assert two["spec"]["imagePullSecrets"] == [{"name": "own"}]
    refused = said(
        place, "POST", pods, {"metadata": {"name": "lost"}, "spec": {**spec, "serviceAccountName": "nobody"}}
    )
    why = f'error looking up service account {space}/nobody: serviceaccount "nobody" not found'
    assert refused == (403, "Forbidden", f'pods "lost" is forbidden: {why}')
    status, reason, message = said(place, "PATCH", f"{pods}/one", {"spec": {"restartPolicy": "Always"}})
    assert (status, reason, "spec: Forbidden: pod updates may not change fields" in message) == (422, "Invalid", True)
    gone = place.must("DELETE", f"{pods}/one", {"gracePeriodSeconds": 0})
    assert (gone["kind"], gone["metadata"]["name"]) == ("Pod", "one")
    until(lambda: said(place, "GET", f"{pods}/one") == (404, "NotFound", 'pods "one" not found'))


def test_strategic_patches(place: Kube, space: str) -> None:
    """Containers are merged by name, pull secrets by theirs."""
    path = f"/apis/apps/v1/namespaces/{space}/deployments"
    pod = {"containers": [{"name": "a", "image": "a:1"}, {"name": "b", "image": "b:1"}],
           "imagePullSecrets": [{"name": "x"}]}  # fmt: skip
    template = {"metadata": {"labels": {"app": "two"}}, "spec": pod}
    spec = {"replicas": 0, "selector": {"matchLabels": {"app": "two"}}, "template": template}
    place.must("POST", path, {"metadata": {"name": "two"}, "spec": spec})
    change = {"containers": [{"name": "b", "image": "b:2"}], "imagePullSecrets": [{"name": "y"}]}
    answer = strategic(place, f"{path}/two", {"spec": {"template": {"spec": change}}}).json()["spec"]["template"][
        "spec"
    ]
    assert {each["name"]: each["image"] for each in answer["containers"]} == {"a": "a:1", "b": "b:2"}
    assert {each["name"] for each in answer["imagePullSecrets"]} == {"x", "y"}


def test_a_namespace_that_goes(place: Kube) -> None:
    """It is shown once more, as ending, and then it and what is in it is not there."""
    name = place.namespace()
    path = f"/api/v1/namespaces/{name}"
    place.must("POST", f"{path}/configmaps", {"metadata": {"name": "c"}})
    gone = place.must("DELETE", path)
    assert (gone["kind"], gone["status"]["phase"]) == ("Namespace", "Terminating")
    until(lambda: said(place, "GET", path) == (404, "NotFound", f'namespaces "{name}" not found'))
    assert said(place, "GET", f"{path}/configmaps/c") == (404, "NotFound", 'configmaps "c" not found')


def test_questions_about_rights(place: Kube, space: str) -> None:
    """A review says what a Role allows, by verb, name, subresource and namespace."""
    rules = [{"apiGroups": [""], "resources": ["secrets"], "resourceNames": ["s"], "verbs": ["get"]},
             {"apiGroups": ["apps"], "resources": ["deployments/status"], "verbs": ["*"]}]  # fmt: skip
    token = place.account(space, "asker", rules)
    path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
    questions = [
        ({"verb": "get", "resource": "secrets", "name": "s"}, True),
        ({"verb": "get", "resource": "secrets"}, False),
        ({"verb": "list", "resource": "secrets", "name": "s"}, False),
        ({"verb": "patch", "group": "apps", "resource": "deployments", "subresource": "status"}, True),
        ({"verb": "patch", "group": "apps", "resource": "deployments"}, False),
        ({"verb": "get", "resource": "secrets", "name": "s", "namespace": "default"}, False),
    ]
    for attributes, allowed in questions:
        body = {"spec": {"resourceAttributes": {"namespace": space, **attributes}}}
        answer = place.ask("POST", path, body, token)
        assert (answer.status_code, answer.json()["status"]["allowed"]) == (201, allowed)
