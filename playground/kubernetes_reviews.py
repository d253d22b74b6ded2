"""The questions about oneself, and the tokens that a service account is given."""

from __future__ import annotations

import time
from typing import Any

from playground import tokens
from playground.kubernetes_answers import Answer, Failure, invalid
from playground.kubernetes_kinds import ACCESS, REVIEWS, Kind
from playground.kubernetes_rules import ACCOUNT, Access, Rules, Tokens, User
from playground.kubernetes_store import spelled

ISSUER = "https://kubernetes.default.svc"
NEITHER = 'Invalid value: "null": exactly one of nonResourceAttributes or resourceAttributes must be specified'
REVIEW = Kind(ACCESS, "selfsubjectaccessreviews", "SelfSubjectAccessReview", namespaced=False)


def may_i(rules: Rules, user: User, body: dict[str, Any]) -> Answer:
    """SelfSubjectAccessReview"""
    spec = body.get("spec") or {}
    attributes = spec.get("resourceAttributes")
    if not attributes:
        raise Failure(invalid(REVIEW, "", ("FieldValueInvalid", NEITHER, "spec.resourceAttributes")))
    sub = attributes.get("subresource")
    resource = attributes.get("resource", "") + (f"/{sub}" if sub else "")
    access = Access(attributes.get("verb", ""), attributes.get("group", ""), resource,
                    attributes.get("namespace", ""), attributes.get("name", ""))  # fmt: skip
    told = {"allowed": rules.may(user, access)}
    return Answer(201, {"kind": REVIEW.kind, "apiVersion": REVIEW.api, "metadata": {"creationTimestamp": None},
                        "spec": spec, "status": told})  # fmt: skip


def who_am_i(user: User) -> Answer:
    """SelfSubjectReview, since 1.28"""
    told = {"userInfo": {"username": user.name, "groups": list(user.groups)}}
    metadata = {"creationTimestamp": spelled(time.time())}
    kind = {"kind": "SelfSubjectReview", "apiVersion": f"{REVIEWS}/v1"}
    return Answer(201, {**kind, "metadata": metadata, "status": told})


def token(known: Tokens, namespace: str, account: str, body: dict[str, Any], now: float) -> Answer:
    """TokenRequest: a new token, which is the account's from now on."""
    seconds = int((body.get("spec") or {}).get("expirationSeconds") or 3600)
    text = tokens.bound(namespace, account, issuer=ISSUER, issued=now, expires=now + seconds)
    known.accept(text, f"{ACCOUNT}{namespace}:{account}", until=now + seconds)
    spec = {"audiences": [ISSUER], "expirationSeconds": seconds, "boundObjectRef": None}
    told = {"token": text, "expirationTimestamp": spelled(now + seconds)}
    metadata = {"name": account, "namespace": namespace, "creationTimestamp": spelled(now)}
    return Answer(201, {"kind": "TokenRequest", "apiVersion": f"{REVIEWS}/v1", "metadata": metadata, "spec": spec,
                        "status": told})  # fmt: skip
