"""What a kubelet finds in pull secrets, and what container runtimes say."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from playground.cluster_pull_texts import ELSEWHERE, RUNTIMES, SAID, UNHEARD, parts, told
from playground.cluster_pulls import logins

ECR = "123456789012.dkr.ecr.eu-west-1.amazonaws.com"
TYPE = "kubernetes.io/dockerconfigjson"


def secret(document: Any, kind: str = TYPE, key: str = ".dockerconfigjson") -> dict[str, Any]:
    return {"type": kind, "data": {key: base64.b64encode(json.dumps(document).encode()).decode()}}


@pytest.mark.parametrize(
    ("place", "fits"),
    [
        ("quay.io", True), ("https://quay.io", True), ("https://quay.io/v1/", True), ("quay.io/team", True),
        ("*.io", True), ("quay.io/other", False), ("docker.io", False), ("quay.io:443", False), ("quay.io/te", False),
    ],
)  # fmt: skip
def test_entries_that_fit_an_image(place: str, fits: bool) -> None:
    """With or without a scheme, by the beginning of the path, with a star; nothing else."""
    entry = {"auth": base64.b64encode(b"me:pass:word").decode()}
    found = list(logins(secret({"auths": {place: entry}}), "quay.io", "team/app"))
    assert found == ([("me", "pass:word")] if fits else [])


def test_what_is_no_pull_secret() -> None:
    """None, another type, no JSON, entries that are none: no logins and no error; the old type has its own shape."""
    entry = {"username": "me", "password": "pw"}
    document = {"auths": {"quay.io": entry}}
    for broken in (
        None,
        secret(document, "Opaque"),
        secret([]),
        secret({"auths": []}),
        secret({"auths": {"quay.io": 1}}),
    ):
        assert list(logins(broken, "quay.io", "a")) == []
    assert list(logins({"type": TYPE, "data": {".dockerconfigjson": "%"}}, "quay.io", "a")) == []
    old = secret({"quay.io": entry}, "kubernetes.io/dockercfg", ".dockercfg")
    assert list(logins(old, "quay.io", "a")) == [("me", "pw")]


@pytest.mark.parametrize(
    ("runtime", "outcome", "words"),
    [
        ("cri-o", "expired", "denied: Your authorization token has expired"),
        ("cri-o", "unauthorized", "unauthorized: authentication required"),
        ("cri-o-old", "denied", "rpc error: code = Unknown desc = reading manifest v1 in"),
        ("containerd", "unauthorized", "no basic auth credentials"),
        ("containerd", "no_tag", "v1: not found"),
        ("containerd", "expired", "403 Forbidden"),
        ("docker", "unauthorized", "no basic auth credentials"),
        ("docker", "no_tag", "manifest unknown"),
        ("cri-o", "dns", "no such host"),
        ("docker", "timeout", "i/o timeout"),
        ("cri-o", "tls", "x509"),
        ("containerd", "rate_limited", "429 Too Many Requests"),
        ("cri-o", "no_platform", 'architecture "amd64"'),
        ("cri-o", "denied: our own words", "our own words"),
    ],
)
def test_words_of_the_runtimes(runtime: str, outcome: str, words: str) -> None:
    """Each runtime words each outcome as it does in clusters."""
    assert words in told(runtime, f"{ECR}/team/app:v1", outcome)


def test_a_denial_names_who_what_and_where() -> None:
    """At ECR: the principal, the action and the repository's ARN, of the registry's account and region."""
    text = told("cri-o", f"{ECR}/team/app:v1", "denied", "arn:aws:iam::1:user/me")
    arn = "arn:aws:ecr:eu-west-1:123456789012:repository/team/app"
    assert f"User: arn:aws:iam::1:user/me is not authorized to perform: ecr:BatchGetImage on resource: {arn}" in text
    assert text.count(arn) == 2
    assert ELSEWHERE["denied"] in told("cri-o", "quay.io/team/app:v1", "denied")


@given(
    st.sampled_from(RUNTIMES), st.sampled_from([*SAID, *UNHEARD, "no_platform", "something new"]), st.text(max_size=20)
)
def test_there_is_always_a_text(runtime: str, outcome: str, image: str) -> None:
    """Whatever the image is called."""
    assert told(runtime, image, outcome)


def test_names_of_images() -> None:
    """Host, repository and tag or digest, with what may be left out."""
    digest = "sha256:" + "a" * 64
    assert parts("nginx") == ("docker.io", "library/nginx", "latest")
    assert parts("localhost:5000/a/b:1") == ("localhost:5000", "a/b", "1")
    assert parts(f"quay.io/a/b:1@{digest}") == ("quay.io", "a/b", digest)
    assert parts("Not An Image") is None
