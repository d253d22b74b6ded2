"""Credentials documents are put together: nothing is lost, nothing is told."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from bot.core.errors import Refused, Told
from bot.core.registry import Login
from bot.core.secret import Secret
from tests.bot.tools.credentials import TOOL, auths, b64, content, entry, secret

MARK = "gobbledygook"
FEW = settings(max_examples=settings.default.max_examples * 3 // 5)

hosts = st.sampled_from(
    ["quay.io", "https://quay.io", "registry.example.com:5000", "https://index.docker.io/v1/", "docker.io",
     "quay.io/org", "*.dkr.ecr.us-east-1.amazonaws.com", "cloud.openshift.com", "no host at all", "", "a" * 400]
)  # fmt: skip
words = st.text(max_size=6).map(lambda text: f"{MARK}{text}")


auth = st.one_of(
    st.builds(lambda user, password: b64(f"{user}:{password}"), words, words),
    st.builds(lambda user, password: b64(f"{user}:{password}").rstrip("="), words, words),
    words,
    words.map(b64),
)
odd = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | words,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(words, inner, max_size=2),
    max_leaves=4,
)
fields = st.fixed_dictionaries(
    {},
    optional={
        "auth": auth | odd, "username": words | odd, "password": words | odd, "email": words | odd,
        "identitytoken": words, "x": odd,
    },
)  # fmt: skip
sound = st.fixed_dictionaries({}, optional={"auth": auth, "username": words, "password": words, "email": words})


def documents(entry: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    entries = st.dictionaries(hosts | words, entry, max_size=4)
    return st.fixed_dictionaries({}, optional={"auths": entries, "credHelpers": odd, "more": odd})


old_documents, new_documents = documents(fields | odd), documents(fields | st.none())


def registry(key: str) -> str:
    """A key of `hosts` as the registry it names."""
    return key.removeprefix("https://").removesuffix("/v1/").removeprefix("index.")


@FEW
@given(old_documents, new_documents)
def test_nothing_of_old_disappears(old: dict[str, Any], new: dict[str, Any]) -> None:
    """After a merge every entry, field and other key of old is there; what new gives, and nothing else, is as in new."""
    merged = content(TOOL.merge(secret(old), secret(new)))
    before, given_ = old.get("auths") or {}, {k: v for k, v in (new.get("auths") or {}).items() if v is not None}
    assert {k: v for k, v in merged.items() if k != "auths"} == {k: v for k, v in old.items() if k != "auths"}
    assert set(merged.get("auths") or {}) == set(before) | set(given_)
    for key, value in before.items():
        if key not in given_:
            assert merged["auths"][key] == value
        elif isinstance(value, dict):
            assert set(value) <= set(merged["auths"][key])
    for key, value in given_.items():
        for name, inner in value.items():
            assert inner is None or merged["auths"][key][name] == inner


@FEW
@given(old_documents, new_documents)
def test_merging_twice_is_merging_once(old: dict[str, Any], new: dict[str, Any]) -> None:
    """The second merge of the same document gives back, byte for byte, what the first one made."""
    once = TOOL.merge(secret(old), secret(new))
    assert TOOL.merge(once, secret(new)) is once


@FEW
@given(new_documents, st.integers(0, 4))
def test_equal_content_is_the_old_document(document: dict[str, Any], indent: int) -> None:
    """However it is spaced, a document with the same entries changes nothing: old comes back byte for byte."""
    old = Secret(json.dumps(document, indent=indent))
    assert TOOL.merge(old, secret(document)) is old
    assert TOOL.merge(old, secret({"auths": document.get("auths")})) is old


@FEW
@given(old_documents, hosts, words, words)
def test_put_keeps_all_others(old: dict[str, Any], host: str, user: str, password: str) -> None:
    """Only entries of that registry change, and its login is then found, whatever stood there."""
    user = user.replace(":", "")
    try:
        changed = TOOL.put(secret(old), host, Login(user, Secret(password)))
    except Refused:
        assert host in ("no host at all", "", "a" * 400)
        return
    before, after = old.get("auths") or {}, content(changed)["auths"]
    touched = {key for key in after if key not in before or after[key] != before[key]}
    assert {registry(key) for key in touched} <= {registry(host)}
    assert set(before) <= set(after)
    found = TOOL.login(secret({"auths": {key: after[key] for key in touched or after}}), registry(host))
    assert found is not None
    assert (found.user, found.password.reveal()) == (user, password)
    assert TOOL.put(changed, host, Login(user, Secret(password))) is changed


@FEW
@given(
    st.one_of(
        old_documents.map(json.dumps),
        words,
        odd.map(json.dumps),
        st.text(max_size=20),
        st.binary(max_size=20).map(lambda raw: raw.decode(errors="surrogateescape")),
    ),
    hosts,
)
def test_nothing_is_told_and_nothing_else_raised(text: str, host: str) -> None:
    """Whatever the document, each verb answers or raises one of our errors; no error, problem or entry has a value."""
    document, other = Secret(text), auths(**{"quay.io": entry("a", "b")})
    told = list(TOOL.problems(document))
    verbs = [
        lambda: told.extend(repr(found) for found in TOOL.entries(document) if MARK not in found.host),
        lambda: TOOL.login(document, host),
        lambda: TOOL.put(document, host, Login("user", Secret("password"))),
        lambda: TOOL.put(other, host, Login(text, Secret(text))),
        lambda: TOOL.merge(document, other),
        lambda: TOOL.merge(other, document),
    ]  # fmt: skip
    for verb in verbs:
        try:
            verb()
        except Told as problem:
            told.append(f"{problem} {problem.__cause__!r} {problem.__context__!r}")
    assert not any(MARK in line for line in told), told


def test_a_null_deletes_nothing() -> None:
    """Nulls for an entry, a field or all of `auths` leave what is there (upstream.md: merge patch would drop it)."""
    old = auths(**{"quay.io": entry("a", "b", email="c@example.com"), "cloud.openshift.com": entry("d", "e")})
    for new in (
        {"auths": None},
        {"auths": {"quay.io": None}},
        {"auths": {"quay.io": {"email": None, "auth": None}}},
        {},
    ):
        assert TOOL.merge(old, secret(new)) is old


def test_merge_keeps_the_email_and_the_order() -> None:
    """Fields are merged one by one, new registries come last, other keys of the new document are not taken."""
    old = secret(
        {"credsStore": "x", "auths": {"b.example.com": {"auth": b64("a:b"), "email": "e"}, "a.example.com": {}}}
    )
    new = secret(
        {
            "credHelpers": {"a": "b"},
            "auths": {"c.example.com": {"auth": b64("c:d")}, "b.example.com": {"auth": b64("a:new")}},
        }
    )
    merged = content(TOOL.merge(old, new))
    assert list(merged.items()) == [("credsStore", "x"), ("auths", {
        "b.example.com": {"auth": b64("a:new"), "email": "e"}, "a.example.com": {}, "c.example.com": {"auth": b64("c:d")},
    })]  # fmt: skip
    assert list(merged["auths"]) == ["b.example.com", "a.example.com", "c.example.com"]


def test_a_new_login_leaves_no_old_one_beside_it() -> None:
    """An entry with both spellings of a login gets both, though the new document has one of them."""
    old = auths(**{"quay.io": entry("a", "old")})
    for new in ({"auth": b64("a:new")}, {"username": "a", "password": "new"}, {"password": "new"}):
        assert content(TOOL.merge(old, auths(**{"quay.io": new})))["auths"]["quay.io"] == entry("a", "new")
