"""Patches and selectors as the API server applies them."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from playground.kubernetes_answers import Failure
from playground.kubernetes_kinds import CONFIG_MAP, EVENT, POD
from playground.kubernetes_patches import merge, strategic
from playground.kubernetes_selectors import fields, labels, named

NAMES = st.sampled_from(["a", "b", "containers", "name"])
PLAIN = st.recursive(
    st.booleans() | st.integers(0, 9) | st.text("xy", max_size=2),
    lambda inner: st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=8,
)
DOCUMENTS = st.dictionaries(NAMES, PLAIN, max_size=4)


@given(DOCUMENTS, DOCUMENTS)
def test_merging_twice_is_merging_once(old: dict[str, Any], change: dict[str, Any]) -> None:
    """What a change says holds after it; a second time changes nothing; nothing given is altered in place."""
    kept, given = copy.deepcopy(old), copy.deepcopy(change)
    for apply in (merge, strategic):
        once = apply(old, change)
        assert apply(once, change) == once
        assert set(once) == set(old) | set(change)
    assert (old, change) == (kept, given)


@given(DOCUMENTS, DOCUMENTS)
def test_null_removes(old: dict[str, Any], change: dict[str, Any]) -> None:
    """A null takes a field away, whatever was there, and others stay."""
    gone = merge(old, dict.fromkeys(change))
    assert gone == {name: value for name, value in old.items() if name not in change}


def test_lists_by_their_key() -> None:
    """Containers are merged by name, deleted on demand, and other lists are replaced."""
    old = {"containers": [{"name": "a", "image": "1", "args": ["x", "y"]}, {"name": "b", "image": "1"}]}
    change = {"containers": [{"name": "a", "args": ["z"]}, {"name": "b", "$patch": "delete"}, {"name": "c"}]}
    assert strategic(old, change) == {"containers": [{"name": "a", "image": "1", "args": ["z"]}, {"name": "c"}]}
    assert strategic({"a": {"b": 1}}, {"a": {"$patch": "replace", "c": 2}}) == {"a": {"c": 2}}


@pytest.mark.parametrize(
    ("selector", "found"),
    [
        ("", True), ("app=web", True), ("app==web,tier!=back", True), ("app!=web", False), ("app in (web, api)", True),
        ("app notin (web)", False), ("none notin (web)", True), ("app", True), ("!app", False), ("!none", True),
        ("example.com/x=", True), ("app in (api),tier", False),
    ],
)  # fmt: skip
def test_label_selectors(selector: str, found: bool) -> None:
    """Each form of a requirement, alone and together."""
    assert labels(selector)({"app": "web", "tier": "front", "example.com/x": ""}) is found


@pytest.mark.parametrize("selector", ["a===", "a in (", "=b", "a b"])
def test_label_selectors_that_are_none(selector: str) -> None:
    """They are a bad request."""
    with pytest.raises(Failure):
        labels(selector)


def test_field_selectors() -> None:
    """By name for all kinds; by what they are about for Events; other fields are a bad request."""
    event = {"metadata": {"name": "e"}, "involvedObject": {"kind": "Pod", "name": "p"}, "type": "Warning"}
    assert fields("involvedObject.kind=Pod,involvedObject.name=p,type!=Normal", EVENT)(event)
    assert not fields("involvedObject.name=q", EVENT)(event)
    assert fields("status.phase!=Running", POD)({"metadata": {"name": "p"}})
    for selector, kind in (("nope=x", CONFIG_MAP), ("nope", POD)):
        with pytest.raises(Failure):
            fields(selector, kind)
    assert named("status.phase=Running,metadata.name=p") == "p"
    assert named("metadata.name!=p") == ""
