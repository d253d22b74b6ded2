"""Secrets as JSON: every byte of a neighbour stays, and what a backup keeps is what comes back."""

from __future__ import annotations

import base64
import contextlib
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from bot.core.errors import Transient
from bot.core.kubernetes import SecretObject
from bot.core.secret import Secret
from bot.tools import kubernetes_secrets as secrets

WORDS = st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1, max_size=6)
STRINGS = st.dictionaries(WORDS, st.text(max_size=6), max_size=4)
DATA = st.dictionaries(WORDS, st.binary(max_size=12), max_size=4)
DOCUMENTS = st.builds(
    lambda data, labels, notes, kind: {
        "kind": "Secret",
        "apiVersion": "v1",
        "type": kind,
        "data": {key: base64.b64encode(value).decode() for key, value in data.items()},
        "metadata": {
            "name": "s", "namespace": "n", "resourceVersion": "7", "uid": "u",
            "creationTimestamp": "2026-01-02T03:04:05Z", "labels": labels, "annotations": notes,
            "ownerReferences": [{"name": "o"}],
        },
    },
    DATA, STRINGS, STRINGS, st.sampled_from(["Opaque", "kubernetes.io/dockerconfigjson"]),
)  # fmt: skip


@given(DOCUMENTS)
def test_any_bytes_are_read_and_written_again(document: dict[str, Any]) -> None:
    """Also those that are no text."""
    read = secrets.read(document, "Cluster c")
    assert secrets.made(read)["data"] == document["data"]
    assert (read.type, read.resource_version, read.created_at) == (document["type"], "7", 1767323045.0)


@given(DOCUMENTS, st.dictionaries(WORDS, st.text(max_size=6), max_size=3), STRINGS, STRINGS)
def test_neighbours_stay(document: dict[str, Any], new: dict[str, str], labels: Any, notes: Any) -> None:
    """What is wanted is there, and all that is not wanted is as it was, whatever it is."""
    wanted = SecretObject("n", "s", document["type"], {k: Secret(v) for k, v in new.items()}, "", 0, labels, notes)
    now = secrets.merged(document, wanted, keep=True)
    assert {key: now["data"][key] for key in document["data"] if key not in new} == {
        key: value for key, value in document["data"].items() if key not in new
    }
    assert {key: base64.b64decode(now["data"][key]).decode() for key in new} == new
    assert now["metadata"]["labels"] == {**document["metadata"]["labels"], **labels}
    assert now["metadata"]["annotations"] == {**document["metadata"]["annotations"], **notes}
    for key in ("ownerReferences", "uid", "resourceVersion"):
        assert now["metadata"][key] == document["metadata"][key]


@given(DOCUMENTS, DOCUMENTS)
def test_a_backup_gives_everything_back(before: dict[str, Any], after: dict[str, Any]) -> None:
    """Data, type, labels and annotations are as before, whatever was written between; or it is made anew so."""
    kept = secrets.checked_backup(secrets.backup(before, "r-1"), of="s")
    assert (kept["metadata"]["name"], secrets.kept_for(kept, "s", "r-1")) == ("s-before-hivekeeper", True)
    anew = secrets.restored(kept)
    over = secrets.in_place(after, anew)
    assert (over is None) == (after["type"] != before["type"])
    for back in (anew, over or anew):
        assert (back["data"], back["type"]) == (before["data"], before["type"])
        assert (back["metadata"]["name"], back["metadata"]["namespace"]) == ("s", "n")
        assert back["metadata"]["labels"] == before["metadata"]["labels"]
        assert back["metadata"]["annotations"] == before["metadata"]["annotations"]
    assert not set(kept["metadata"]["labels"]) & set(before["metadata"]["labels"])


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=6,
)
PARTS = st.dictionaries(
    st.sampled_from(["kind", "type", "data", "metadata"]),
    st.sampled_from(["Secret"]) | JSON | st.dictionaries(st.sampled_from(["name", "namespace", "resourceVersion", "creationTimestamp", "labels"]), JSON),
)  # fmt: skip


@given(PARTS)
def test_anything_else_is_told(document: dict[str, Any]) -> None:
    """Whatever comes in the place of a Secret, there is no other error than ours."""
    with contextlib.suppress(Transient):
        secrets.read(document, "Cluster c")


def test_values_are_not_shown() -> None:
    """Neither of a Secret nor of a request that writes one."""
    assert "hidden" not in repr(SecretObject("n", "s", "Opaque", {"a": Secret("hidden")}, "", 0))
