"""Answers that are none of Kubernetes, and what its API refuses: in our words, and nothing foreign in them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.errors import Drifted, Refused, Told, Transient
from bot.core.kubernetes import CONFIG_MAP, POD, Access
from bot.tools.http_answer import Answer
from bot.tools.kubernetes import KubernetesClusters
from bot.tools.kubernetes_told import Doing, refusal
from playground import broken
from tests.bot.tools.clusters.servers import (
    FOREIGN,
    answering,
    status,
    told_by,
)

DOING = Doing("get", "secrets", "cf-dev", "x")
Opened = Callable[..., KubernetesClusters]

GARBAGE = [b"", FOREIGN.encode(), b"<html>" + FOREIGN.encode(), b"[]", b"{", b"null", b'{"kind": "Pod"}', b"\xff",
           b"[" * 100_000, b'{"kind": "ConfigMap", "metadata": {"name": "other", "namespace": "cf-dev"}}',
           b'{"kind": "ConfigMap", "metadata": 7}', b'{"items": {}}', b'{"items": [7]}', b'{"gitVersion": "<b>"}',
           b'{"status": {"allowed": "yes"}}']  # fmt: skip


@pytest.mark.parametrize("garbage", GARBAGE, ids=range(len(GARBAGE)))
def test_garbage_is_not_believed(garbage: bytes, opened: Opened, token: str) -> None:
    """200 with something else than Kubernetes' answers is Transient, whatever was asked."""
    access = Access(verb="get", resource="secrets", namespace="cf-dev")
    with answering(broken.answer(200, garbage)) as server:
        clusters = opened(server.url)
        for call in (
            lambda: clusters.version("dev"),
            lambda: clusters.find("dev", CONFIG_MAP, "one", "cf-dev"),
            lambda: clusters.all("dev", CONFIG_MAP, "cf-dev"),
            lambda: clusters.secret("dev", "cf-dev", "ecr-secret"),
            lambda: clusters.allowed("dev", access),
        ):
            said = told_by(call, Transient, token)
            assert "What answers as cluster dev at 127.0.0.1 does not speak like Kubernetes" in said


SECRETS = [{}, {"type": 7}, {"data": {"a": "not base64!"}}, {"metadata": {"creationTimestamp": "yesterday"}},
           {"metadata": {"creationTimestamp": "2026-01-01T00:00:00"}}, {"metadata": {"resourceVersion": 7}}]  # fmt: skip


@pytest.mark.parametrize("wrong", SECRETS[1:])
def test_a_secret_that_is_none(wrong: dict[str, Any], opened: Opened, token: str) -> None:
    """A Secret whose parts are not what they should be is not half believed."""
    metadata = {"name": "ecr-secret", "namespace": "cf-dev", "resourceVersion": "1",
                "creationTimestamp": "2026-01-01T00:00:00Z", **wrong.get("metadata", {})}  # fmt: skip
    body = {"kind": "Secret", "type": "Opaque", "data": {}, **wrong, "metadata": metadata}
    with answering(broken.answer(200, json.dumps(body).encode())) as server:
        said = told_by(lambda: opened(server.url).secret("dev", "cf-dev", "ecr-secret"), Transient, token)
        assert "does not speak like Kubernetes" in said


def test_a_proxys_404_is_not_an_absence(opened: Opened, token: str) -> None:
    """Only the API can say that something is not there."""
    with answering(broken.answer(404, b"<html>404 page not found")) as server:
        said = told_by(lambda: opened(server.url).find("dev", POD, "web", "cf-dev"), Transient, token)
        assert "does not speak like Kubernetes" in said
    with answering(broken.answer(404, b"404 page not found\n")) as server:
        assert opened(server.url).find("dev", POD, "web", "cf-dev") is None


def test_an_endless_answer(opened: Opened, token: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """More than the limit is not read."""
    monkeypatch.setattr("bot.tools.kubernetes_wire.ENOUGH", 1000)
    with answering(broken.answer(200, b" " * 100_000)) as server:
        said = told_by(lambda: opened(server.url).version("dev"), Transient, token)
        assert "answered with more than the bot reads" in said


USER = 'secrets "x" is forbidden: User "system:serviceaccount:hive:bot" cannot get resource "secrets" in API group ""'
STATUSES: dict[str, tuple[bytes, type[Told], str]] = {
    "401": (status(401, "Unauthorized"), Refused, "does not accept the bot's login (401)"),
    "403 by RBAC": (status(403, "Forbidden", USER), Refused,
                    "does not let system:serviceaccount:hive:bot get secrets/x in namespace cf-dev (403)"),
    "403 by another rule": (status(403, "Forbidden"), Refused, "by a rule of its own"),
    "403 in a namespace that ends": (status(403, "Forbidden", causes=[{"reason": "NamespaceTerminating"}]), Refused,
                                     "is just removing namespace cf-dev"),
    "403 of a proxy": (broken.answer(403, FOREIGN.encode()), Transient, "does not speak like Kubernetes"),
    "400": (status(400, "BadRequest"), Refused, "would not be valid (400)"),
    "405": (status(405, "MethodNotAllowed"), Refused, "did not understand the request to get secrets/x"),
    "409": (status(409, "Conflict"), Drifted, "Somebody else changed secrets/x in namespace cf-dev"),
    "410": (status(410, "Expired"), Transient, "did not hold its list of secrets long enough (410)"),
    "413": (status(413, "RequestEntityTooLarge"), Refused, "it is too big (413)"),
    "422": (status(422, "Invalid", causes=[{"field": "type"}, {"field": f"<{FOREIGN}>"}]), Refused,
            "would not be valid (422): type."),
    "429": (status(429, "TooManyRequests", FOREIGN, "Retry-After: 7"), Transient, "is asked too often"),
    "500": (status(500, "InternalError"), Transient, "failed inside when asked to get secrets/x in namespace cf-dev (500)"),
    "502 of a proxy": (broken.answer(502, FOREIGN.encode()), Transient, "could not get secrets/x"),
    "503": (status(503, "ServiceUnavailable"), Transient, "just now (503)"),
    "504": (status(504, "Timeout"), Transient, "just now (504)"),
}  # fmt: skip


@pytest.mark.parametrize(("content", "kind", "words"), STATUSES.values(), ids=STATUSES.keys())
def test_each_status_has_its_sentence(content: bytes, kind: type[Told], words: str, opened: Opened, token: str) -> None:
    """In our words, with the number; of the API's text only what is a name by its form."""
    with answering(content) as server:
        clusters = opened(server.url)
        said = told_by(lambda: clusters.secret("dev", "cf-dev", "x"), kind, token)
        assert words in said


def test_a_busy_cluster_says_when(opened: Opened, token: str) -> None:
    """Retry-After goes to the engine."""
    with answering(status(429, "TooManyRequests", FOREIGN, "Retry-After: 7")) as server, \
         pytest.raises(Transient) as caught:  # fmt: skip
        opened(server.url).secret("dev", "cf-dev", "x")
    assert caught.value.after == 7


HOSTILE = [f'User "{FOREIGN} {FOREIGN}" cannot get resource "secrets"', f'User "<{FOREIGN}>" cannot get resource "x"',
           f'User "a" cannot {FOREIGN.upper()} resource "secrets"', f'User "a" cannot get resource "{FOREIGN} x"']  # fmt: skip


@pytest.mark.parametrize("message", HOSTILE)
def test_a_hostile_denial_is_not_repeated(message: str, opened: Opened, token: str) -> None:
    """A text that only looks like a denial's is not shown."""
    with answering(status(403, "Forbidden", message)) as server:
        told_by(lambda: opened(server.url).secret("dev", "cf-dev", "x"), Refused, token)


TEXTS = st.text(max_size=8).map(lambda text: f"{FOREIGN} {text}") | st.sampled_from(
    ["Conflict", "AlreadyExists", "namespaces", "secrets", "NamespaceTerminating", "Status", FOREIGN, ""]
)
VALUES = st.recursive(
    TEXTS | st.none() | st.integers(),
    lambda v: st.lists(v, max_size=3) | st.dictionaries(TEXTS, v, max_size=2),
    max_leaves=5,
)
CAUSES = st.lists(st.dictionaries(st.sampled_from(["reason", "field", "message"]), VALUES) | VALUES, max_size=3)
DETAILS = st.dictionaries(st.sampled_from(["kind", "name"]), VALUES) | st.builds(
    lambda causes: {"causes": causes}, CAUSES
)
BODIES = st.dictionaries(st.sampled_from(["kind", "reason", "message", "details"]), VALUES) | st.builds(
    lambda reason, message, details: {"kind": "Status", "reason": reason, "message": message, "details": details},
    VALUES, VALUES, DETAILS,
)  # fmt: skip


@given(st.integers(300, 599), BODIES)
def test_whatever_comes_is_told_in_our_words(number: int, body: dict[str, Any]) -> None:
    """For any status and any body there is a sentence and a cure, and nothing of the body is in them."""
    told = refusal(Answer("answered", status=number, body=json.dumps(body).encode()), DOING, "Cluster dev")
    assert told.what.endswith(".")
    assert told.now
    assert FOREIGN not in str(told)
