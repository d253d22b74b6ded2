"""What runtimes say: each text of the facts has its cause, whatever the image is called, and nothing foreign goes on."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import handlers
from handlers.image_pull_posted import of_text
from handlers.image_pull_words import (
    ACTION,
    KNOWN,
    PRINCIPAL,
    RESOURCE,
    Said,
    image_in,
    of_reason,
    said,
    speaks_of_pulls,
)
from playground.cluster_pull_texts import RUNTIMES, SAID, UNHEARD, told

HOST = "818140567777.dkr.ecr.us-east-1.amazonaws.com"
IMAGE = f"{HOST}/consultingfirm/frontend:latest"
PRINCIPAL_OF_SEED = "arn:aws:iam::606639739464:user/svktek_admin"
RESOURCE_OF_SEED = "arn:aws:ecr:us-east-1:818140567777:repository/consultingfirm/frontend"
DENIED = (
    f"denied: User: {PRINCIPAL_OF_SEED} is not authorized to perform: ecr:BatchGetImage on resource: {RESOURCE_OF_SEED}"
)
BECAUSE = f"{DENIED} because no resource-based policy allows the ecr:BatchGetImage action"
OLD = f"rpc error: code = Unknown desc = reading manifest latest in {HOST}/consultingfirm/frontend: "
NEW = (
    f"unable to pull image or OCI artifact: pull image err: initializing source docker://{IMAGE}: reading manifest "
    "latest in {at}: {cause}; artifact err: get manifest: build image source: reading manifest latest in {at}: {cause}"
)
CONTAINERD = f'failed to pull and unpack image "{IMAGE}": failed to resolve reference "{IMAGE}": '
UPSTREAM = [  # causes as they stand in the facts, and others of the same kind
    ("unauthorized: authentication required", "unauthorized"),
    ("authentication required", "unauthorized"),
    ("denied: Your authorization token has expired. Reauthenticate and try again.", "expired"),
    ("Your Authorization Token has expired. Please run 'aws ecr get-login --no-include-email'", "expired"),
    (DENIED, "denied"),
    (BECAUSE, "denied"),
    ("manifest unknown", "no_tag"),
    ("manifest unknown: Requested image not found", "no_tag"),
    ("name unknown: The repository with name 'a' does not exist in the registry with id '1'", "no_repository"),
    ("toomanyrequests: Rate exceeded", "rate_limited"),
    ("toomanyrequests: You have reached your unauthenticated pull rate limit.", "rate_limited"),
    ("no basic auth credentials", "unauthorized"),
    (
        "pull access denied, repository does not exist or may require authorization: authorization failed: no basic "
        "auth credentials",
        "unauthorized",
    ),
    ("denied: requested access to the resource is denied", "unauthorized"),
    ('no image found in image index for architecture "arm64", variant "", OS "linux"', "no_platform"),
    ("no matching manifest for linux/arm64/v8 in the manifest list entries", "no_platform"),
    ('pinging container registry a: Get "https://a/v2/": dial tcp: lookup a on 10.0.0.2:53: no such host', "dns"),
    ('pinging container registry a: Get "https://a/v2/": tls: failed to verify certificate: x509: unknown', "tls"),
    ('Get "https://a/v2/": net/http: TLS handshake timeout', "timeout"),
    ('Get "https://a/v2/": dial tcp 192.0.2.1:443: i/o timeout', "timeout"),
    ('Get "https://a/v2/": dial tcp 192.0.2.1:443: connect: connection refused', "unreachable"),
    ("received unexpected HTTP status: 502 Bad Gateway", "unreachable"),
    ("toomanyrequests", "rate_limited"),
    ("Requesting bearer token: invalid status code from registry 429 (Too Many Requests)", "rate_limited"),
    ("Requesting bearer token: invalid status code from registry 401 (Unauthorized)", "unauthorized"),
    ("Requesting bearer token: invalid status code from registry 503 (Service Unavailable)", "unreachable"),
    ('Get "https://a/v2/": dial tcp: lookup a on 10.0.0.2:53: read udp 10.1.0.1:4->10.0.0.2:53: i/o timeout', "dns"),
    (
        'Get "https://a/v2/": dial tcp: lookup a on 10.0.0.2:53: dial udp 10.0.0.2:53: connect: connection refused',
        "dns",
    ),
    ('Get "https://a/v2/": dial tcp 192.0.2.1:443: connect: connection timed out', "timeout"),
    ('Get "https://a/v2/": http: server gave HTTP response to HTTPS client', "tls"),
    ('Get "https://a/v2/": proxyconnect tcp: Proxy Authentication Required', "unreachable"),
    ('Get "https://a/v2/": EOF', "unreachable"),
    ('failed to copy: httpReadSeeker: failed to do request: Get "https://a/v2/": unexpected EOF', "unreachable"),
    ("Source image rejected: A signature was required, but no signature exists", "signature"),
    ("words of tomorrow", "unknown"),
]
WORDS = ["eof", "lookup", "expired", "token", "denied", "unauthorized", "x509", "toomanyrequests", "unknown", "manifest", "not-found",
         "no-such-host", "tls", "name", "timeout", "app", "403", "forbidden"]  # fmt: skip
NAMES = st.builds("/".join, st.lists(st.sampled_from(WORDS), min_size=1, max_size=3))
AMBIGUOUS = {("containerd", "expired"), ("containerd", "denied")}  # it asks by HEAD: 403, and no word


@pytest.mark.parametrize(("cause", "expected"), UPSTREAM)
@pytest.mark.parametrize("form", ["{cause}", OLD + "{cause}", NEW, CONTAINERD + "{cause}"])
def test_each_text_has_its_cause(form: str, cause: str, expected: str) -> None:
    """Alone, in CRI-O's old and new words (which say it twice), and in containerd's."""
    text = form.replace("{at}", f"{HOST}/consultingfirm/frontend").replace("{cause}", cause)
    assert said(text).cause == expected
    assert of_reason("ImagePullBackOff", f'Back-off pulling image "{IMAGE}": ErrImagePull: {text}').cause == expected
    assert of_reason("ErrImagePull", text).cause == expected


@example("cri-o", "error", "expired", "tls")
@given(st.sampled_from(RUNTIMES), st.sampled_from([*SAID, *UNHEARD, "no_platform"]), NAMES, st.sampled_from(WORDS))
def test_the_name_of_an_image_is_no_cause(runtime: str, outcome: str, repository: str, tag: str) -> None:
    """A repository or a tag may be called like a trouble: it changes nothing of what the text means."""
    expected = said(told(runtime, f"{HOST}/team/web:v1", outcome)).cause
    assert said(told(runtime, f"{HOST}/{repository}:{tag}", outcome)).cause == expected
    if (runtime, outcome) in AMBIGUOUS:
        assert expected == "forbidden"
    elif outcome not in ("error", "no_repository"):
        assert expected == outcome


def test_who_was_denied_what() -> None:
    """The seed's own message, line breaks and all, names principal, action and repository; the longer one the policy."""
    broken = DENIED.replace("svktek_admin ", "svktek_admin \n").replace("resource: ", "resource: \n")
    assert said(broken) == Said(
        cause="denied", principal=PRINCIPAL_OF_SEED, action="ecr:BatchGetImage", resource=RESOURCE_OF_SEED
    )
    assert said(BECAUSE).policy == "resource"
    assert said(BECAUSE.replace("resource-based", "identity-based")).policy == "identity"
    assert said(f"{DENIED} with an explicit deny in a resource-based policy").policy == "deny"


@pytest.mark.parametrize(
    "principal",
    [
        "*",
        "arn:aws:iam::606639739464:user/*",
        "arn:aws:iam::606639739464:root",
        'arn:aws:iam::606639739464:user/a","Action":"*',
        "arn:aws:iam::60663973946:user/a",
        "arn:aws:iam::606639739464:user/a<!channel>",
        "arn:aws:iam::606639739464:user/" + "a" * 70,
    ],
)
def test_no_other_shape_is_taken(principal: str) -> None:
    """What is not the name of one user or role is left out; that somebody was denied is still known."""
    found = said(DENIED.replace(PRINCIPAL_OF_SEED, principal))
    assert (found.cause, found.principal) == ("denied", "")


@given(st.lists(st.sampled_from([*(cause for cause, _ in UPSTREAM), "User: ", "arn:aws:", "\n", " ", '"', ": "])
                | st.text(max_size=40), max_size=8).map("".join))  # fmt: skip
def test_nothing_foreign_goes_on(text: str) -> None:
    """Whatever the text: a cause of ours, and names of exactly their shape or none."""
    found = said(text)
    assert found.cause in {*(cause for cause, _ in KNOWN), "unknown", ""}
    for name, shape in (("principal", PRINCIPAL), ("action", ACTION), ("resource", RESOURCE)):
        assert getattr(found, name) == "" or shape.fullmatch(getattr(found, name))
    assert said(f"{text}; artifact err: {text}").cause == found.cause or not text.strip()


def test_reasons_speak_for_themselves() -> None:
    """Some reasons say it all; back-off alone says nothing, which is not the same as unknown words."""
    assert of_reason("InvalidImageName", "whatever").cause == "invalid_name"
    assert of_reason("ErrImageNeverPull", "").cause == "never_pull"
    assert of_reason("RegistryUnavailable", "").cause == "unreachable"
    assert of_reason("ImagePullBackOff", f'Back-off pulling image "{IMAGE}"') == Said()
    assert of_reason("ImagePullBackOff", "") == Said()
    assert of_reason("ErrImagePull", "something new").cause == "unknown"


def test_the_image_in_a_text() -> None:
    """Only one that is the name of an image, in quotes."""
    assert str(image_in(f'Failed to pull image "{IMAGE}": x')) == IMAGE
    assert image_in('Back-off pulling image "nginx"').host == "docker.io"  # type: ignore[union-attr]  # it is there
    assert image_in('pulling image "http://x/<!channel>"') is None
    assert image_in("no image") is None


def test_what_is_about_pulls() -> None:
    """Posted logs of pulls are recognised, others are not."""
    assert speaks_of_pulls("Warning  Failed  Error: ImagePullBackOff")
    assert speaks_of_pulls(f'Failed to pull image "{IMAGE}"')
    assert not speaks_of_pulls("git pull failed")


EXAMPLES = re.findall(
    r"```message (\w+)\n(.*?)```",
    (Path(handlers.__file__).parent / "diagnose_image_pull.md").read_text(encoding="utf-8"),
    re.DOTALL,
)


@pytest.mark.parametrize(("verdict", "text"), EXAMPLES)
def test_the_runbooks_examples(verdict: str, text: str) -> None:
    """Each message in the runbook gets the verdict that stands above it."""
    assert of_text(text).verdict.value == verdict


def test_the_runbook_has_examples() -> None:
    """Of every verdict that words alone can give, but those of the settings of a node."""
    assert {verdict for verdict, _ in EXAMPLES} == {
        "expired", "denied", "login_refused", "no_tag", "no_repository", "rate_limited", "wrong_architecture", "dns",
        "tls", "timeout", "invalid_name",
    }  # fmt: skip
