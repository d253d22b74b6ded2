"""Who somebody is for the Kubernetes stand-in, and what they may."""

from __future__ import annotations

import json
from typing import Any

import pytest

from playground.kubernetes import KubernetesStandIn
from playground.kubernetes_answers import Answer, Asked

BOT = "system:serviceaccount:hive:bot"
SECRETS = "/api/v1/namespaces/hive/secrets"
ACCESS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
MERGE = "application/merge-patch+json"


class Hand:
    """Asks in process, as the admin unless told otherwise."""

    def __init__(self, cluster: KubernetesStandIn) -> None:
        self.cluster = cluster

    def __call__(self, method: str, path: str, body: Any = None, *, token: str | None = None) -> Answer:
        content = json.dumps(body).encode() if body is not None else b""
        who = self.cluster.admin if token is None else token
        return self.cluster.answer(Asked(method, path, {}, who, MERGE, content))

    def must(self, method: str, path: str, body: Any = None, *, token: str | None = None) -> Any:
        answer = self(method, path, body, token=token)
        assert answer.status < 300, answer.body
        return answer.body


@pytest.fixture
def ask() -> Hand:
    cluster = KubernetesStandIn()
    cluster.namespace("hive")
    return Hand(cluster)


def secret() -> dict[str, Any]:
    return {"metadata": {"name": "s"}, "type": "Opaque", "data": {}}


def test_rights_come_from_the_stored_roles(ask: Hand, canary: Any) -> None:
    """A verb, a resource and a name that a Role grants may be used, any other is 403 in the server's words; the review
    says the same."""
    token = canary("token")
    ask.cluster.tokens.accept(token, BOT)
    rule = {"apiGroups": [""], "resources": ["secrets"], "resourceNames": ["s"], "verbs": ["get", "patch"]}
    ask.cluster.rules.grant(BOT, [rule], namespace="hive")
    ask.must("POST", SECRETS, secret())
    assert ask("GET", f"{SECRETS}/s", token=token).status == 200
    refused = ask("GET", SECRETS, token=token)
    assert refused.body["message"] == (
        f'secrets is forbidden: User "{BOT}" cannot list resource "secrets" in API group "" in the namespace "hive"'
    )
    assert ask("GET", f"{SECRETS}/other", token=token).status == 403
    assert ask("DELETE", f"{SECRETS}/s", token=token).status == 403
    for verb, name, wanted in (("get", "s", True), ("get", "t", False), ("delete", "s", False)):
        attributes = {"verb": verb, "resource": "secrets", "namespace": "hive", "name": name}
        told = ask.must("POST", ACCESS, {"spec": {"resourceAttributes": attributes}}, token=token)
        assert told["status"]["allowed"] is wanted


def test_one_verb_less(ask: Hand, canary: Any) -> None:
    """`deny` takes one verb from everybody but the admin, also in the review, until `heal`."""
    token = canary("token")
    ask.cluster.tokens.accept(token, BOT)
    ask.cluster.rules.grant(BOT, [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}])
    ask.must("POST", SECRETS, secret())
    ask.cluster.deny("patch", "secrets")
    question = {"spec": {"resourceAttributes": {"verb": "patch", "resource": "secrets", "namespace": "hive"}}}
    assert ask("PATCH", f"{SECRETS}/s", {}, token=token).status == 403
    assert ask.must("POST", ACCESS, question, token=token)["status"]["allowed"] is False
    assert ask("GET", f"{SECRETS}/s", token=token).status == 200
    assert ask("PATCH", f"{SECRETS}/s", {}).status == 200
    ask.cluster.heal()
    assert ask("PATCH", f"{SECRETS}/s", {}, token=token).status == 200


def test_tokens_come_and_go(ask: Hand, canary: Any) -> None:
    """A token is somebody from `accept` to `revoke`; the cluster keeps and tells none."""
    token = canary("token")
    canary.watch("the cluster", lambda: repr((ask.cluster.log, vars(ask.cluster.tokens))))
    assert ask("GET", "/version", token=token).status == 401
    ask.cluster.tokens.accept(token, BOT)
    review = ask.must("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", {}, token=token)
    assert review["status"]["userInfo"]["username"] == BOT
    ask.cluster.tokens.revoke(token)
    assert ask("GET", "/version", token=token).body["reason"] == "Unauthorized"
    assert ask("GET", "/version", token="").status == 200
    assert ask("GET", "/apis", token="").status == 403


def test_an_account_is_given_tokens(canary: Any) -> None:
    """TokenRequest gives a token that is the account's until it ends."""
    now = [1_800_000_000.0]
    ask = Hand(KubernetesStandIn(now=lambda: now[0]))
    ask.cluster.namespace("hive")
    path = "/api/v1/namespaces/hive/serviceaccounts/default/token"
    token = canary.add("token", ask.must("POST", path, {"spec": {"expirationSeconds": 600}})["status"]["token"])
    assert ask("GET", "/version", token=token).status == 200
    now[0] += 601
    assert ask("GET", "/version", token=token).status == 401
    assert ask("POST", path.replace("default", "nobody"), {}).status == 404
