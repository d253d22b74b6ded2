"""Credentials documents: nothing is lost, nothing is told."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.core.errors import Refused, Told
from bot.core.registry import Login
from bot.core.secret import Secret
from bot.tools.docker_configs import DockerConfigs
from bot.tools.fingerprints import KeyedFingerprints

TOOL = DockerConfigs(KeyedFingerprints(Secret("a key for the tests, long enough")))
MARK = "gobbledygook"
FEW = settings(max_examples=60)

hosts = st.sampled_from(
    ["quay.io", "https://quay.io", "registry.example.com:5000", "https://index.docker.io/v1/", "docker.io",
     "quay.io/org", "*.dkr.ecr.us-east-1.amazonaws.com", "cloud.openshift.com", "no host at all", "", "a" * 400]
)  # fmt: skip
words = st.text(max_size=6).map(lambda text: f"{MARK}{text}")


def b64(text: str) -> str:
    return base64.b64encode(text.encode("utf-8", "surrogatepass")).decode()


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


def secret(document: Any) -> Secret:
    return Secret(json.dumps(document, indent=1))


def content(document: Secret) -> Any:
    return json.loads(document.reveal())


def entry(user: str, password: str, **more: Any) -> dict[str, Any]:
    return {"username": user, "password": password, "auth": b64(f"{user}:{password}"), **more}


def registry(key: str) -> str:
    """A key of `hosts` as the registry it names."""
    return key.removeprefix("https://").removesuffix("/v1/").removeprefix("index.")


def auths(**entries: Any) -> Secret:
    return secret({"auths": entries})


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


def test_spellings_of_base64() -> None:
    """With padding or without, with line ends or without: the same login. Another alphabet is none."""
    text = b64("user:pass?>words")
    assert text.endswith("=")
    for spelled in (text, text.rstrip("="), text[:5] + "\n" + text[5:] + "\r\n"):
        login = TOOL.login(auths(**{"quay.io": {"auth": spelled}}), "quay.io")
        assert login is not None
        assert (login.user, login.password.reveal()) == ("user", "pass?>words")
    assert "/" in b64("u:???") or "+" in b64("u:???")
    assert "not base64" in TOOL.entries(auths(**{"quay.io": {"auth": b64("u:???").replace("/", "_")}}))[0].trouble


@pytest.mark.parametrize(
    ("key", "wanted"),
    [
        ("https://index.docker.io/v1/", "docker.io"), ("https://index.docker.io/v1/", "docker.io/library/nginx"),
        ("index.docker.io", "docker.io"), ("docker.io", "docker.io/library/nginx"), ("quay.io", "quay.io/org/app"),
        ("https://quay.io", "quay.io"), ("http://quay.io/v2/", "quay.io"), ("quay.io/org", "quay.io/org/app"),
        ("*.dkr.ecr.us-east-1.amazonaws.com", "123456789012.dkr.ecr.us-east-1.amazonaws.com"),
        ("registry.example.com:5000", "registry.example.com:5000"),
    ],
)  # fmt: skip
def test_hosts_that_fit(key: str, wanted: str) -> None:
    """A login is found as Kubernetes finds it: scheme and API version do not count, paths and patterns narrow."""
    assert TOOL.login(auths(**{key: entry("a", "b")}), wanted) is not None


@pytest.mark.parametrize(
    ("key", "wanted"),
    [
        ("quay.io/org", "quay.io"), ("quay.io/org", "quay.io/other/app"), ("quay.io", "quay.io:443"),
        ("*.amazonaws.com", "123456789012.dkr.ecr.us-east-1.amazonaws.com"), ("quay.io", "xquay.io"),
        ("quay.io", "quay.io.example.com"), ("quay.io.example.com", "quay.io"),
        ("https://index.docker.io/v1/", "quay.io"), ("registry.example.com:5000", "registry.example.com"),
    ],
)  # fmt: skip
def test_hosts_that_do_not_fit(key: str, wanted: str) -> None:
    """A login goes nowhere else."""
    assert TOOL.login(auths(**{key: entry("a", "b")}), wanted) is None


def test_the_special_entry_wins() -> None:
    """Of two that fit, the one for a part of the registry is first, as for nodes; one that is broken is passed over."""
    both = {"quay.io": entry("all", "b"), "quay.io/org": entry("org", "b")}
    login = TOOL.login(auths(**both), "quay.io/org/app")
    assert login is not None
    assert login.user == "org"
    login = TOOL.login(auths(**{**both, "quay.io/org": {}}), "quay.io/org/app")
    assert login is not None
    assert login.user == "all"


def test_every_spelling_of_the_host_gets_the_login() -> None:
    """A stale login under another spelling would be tried too; an identity token would win over the password."""
    old = auths(
        **{"quay.io": {"identitytoken": "t", "email": "e"}, "https://quay.io": entry("a", "b"), "quay.io/org": {}}
    )
    changed = content(TOOL.put(old, "quay.io", Login("c", Secret("d"))))["auths"]
    assert changed == {"quay.io": entry("c", "d", email="e"), "https://quay.io": entry("c", "d"), "quay.io/org": {}}


def test_a_new_document() -> None:
    """Without a document put makes one as kubectl does; Docker Hub gets the key that all know."""
    made = TOOL.put(None, "registry.example.com", Login("AWS", Secret("pass")))
    assert content(made) == {"auths": {"registry.example.com": entry("AWS", "pass")}}
    assert list(content(TOOL.put(None, "docker.io", Login("a", Secret("b"))))["auths"]) == [
        "https://index.docker.io/v1/"
    ]


def test_entries_tell_old_from_new() -> None:
    """The fingerprint is that of the login, however it is spelled in the entry; the e-mail is only said to be there."""
    first, second, third = TOOL.entries(
        auths(
            **{
                "a.example.com": {"auth": b64("u:p"), "email": "e"},
                "b.example.com": {"username": "u", "password": "p"},
                "c.example.com": {"auth": b64("u:q")},
            }
        )
    )
    assert first.fingerprint == second.fingerprint != third.fingerprint
    assert (first.has_email, second.has_email) == (True, False)
    assert {first.trouble, second.trouble, third.trouble} == {""}


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        ({}, "no user name and password"), ([], "not an object"), ({"auth": 5}, "its auth is not text"),
        ({"auth": "!"}, "not base64"), ({"auth": b64("none")}, "user:password"), ({"auth": b64(":p")}, "no user name"),
        ({"auth": b64("u:")}, "no password"), ({"auth": base64.b64encode(b"u:\xff").decode()}, "not UTF-8"),
        ({"username": "u"}, "no password"), ({"username": 1, "password": "p"}, "its username is not text"),
    ],
)  # fmt: skip
def test_entries_that_cannot_be_used(broken: Any, words: str) -> None:
    """Each fault has its own words, in the entry and among the problems, and a login from it is refused."""
    document = auths(**{"quay.io": broken})
    assert words in TOOL.entries(document)[0].trouble
    assert [words in problem and "quay.io" in problem for problem in TOOL.problems(document)] == [True]
    with pytest.raises(Refused, match=words):
        TOOL.login(document, "quay.io")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is empty"), ("{", "not valid JSON"), ("[]", "not an object"), ('{"auths": []}', "`auths`"), ("{}", "no `auths`"),
        ('{"auths": {}, "auths": {}}', "key twice"), ('{"auths": {"quay.io": {"auth": "YTpi", "auth": "YTpi"}}}', "key twice"),
        ('{"auths": {"quay.io": {"auth": "YTpi"}, "quay.io": {"auth": "YTpi"}}}', "stands there twice"),
        ('{"auths": {"x": {"auth": "YTpi"}}}', "cannot be a registry's"), ('{"auths": {"a@quay.io": {"auth": "YTpi"}}}', "cannot be"),
        ('{"auths": {"quay.io": {"auth": "YTpi", "username": "a", "password": "c"}}}', "two logins"),
        ("\udcff", "not UTF-8"), (" " * 1_048_577, "1 MiB"), ('{"a": NaN}', "not valid JSON"), ('{"a": 1e999}', "not valid JSON"),
        ("[" * 100_000, "not valid JSON"), ('{"a":' * 40 + "1" + "}" * 40, "nested"), ("\ufeff{}", "not valid JSON"),
    ],
    ids=str.split("empty cut list auths-list none twice field-twice entry-twice name login-in-host torn utf8 long nan huge deep nested bom"),
)  # fmt: skip
def test_problems_of_documents(text: str, words: str) -> None:
    """What is wrong with a document is said in a sentence."""
    assert any(words in problem and problem.endswith(".") for problem in TOOL.problems(Secret(text)))


def test_a_good_document_has_no_problems() -> None:
    """A pull secret as Red Hat hands it out, and one of ECR, are good."""
    good = {
        "cloud.openshift.com": {"auth": b64("openshift-release-dev+x:made-up"), "email": "a@example.com"},
        "registry.redhat.io": {"auth": b64("1|uhc-pool-x:made.up.jwt")},
        "123456789012.dkr.ecr.us-east-1.amazonaws.com": entry("AWS", "x" * 2000),
        "https://index.docker.io/v1/": entry("a", "b"), "*.example.com": entry("a", "b"), "localhost:5000": entry("a", "b"),
    }  # fmt: skip
    assert TOOL.problems(auths(**good)) == ()


def test_an_entry_that_spoils_the_document() -> None:
    """Kubelets give up a pull secret for one entry that they cannot decode, and not for one that is only empty."""
    for entry_, spoils in (({"auth": "!"}, True), ("text", True), ({"password": 1}, True), (None, False), ({}, False)):
        (problem,) = TOOL.problems(auths(**{"quay.io": entry_}))
        assert ("nodes cannot read the whole document" in problem) is spoils, problem


def test_which_of_two_counts_is_not_for_the_bot_to_say() -> None:
    """A document with a key twice is read as nodes read it, but never rewritten."""
    twice = Secret('{"auths": {"quay.io": {"auth": "YTpi"}, "quay.io": {"auth": "YTpj"}}}')
    login = TOOL.login(twice, "quay.io")
    assert login is not None
    assert login.password.reveal() == "c"
    for verb in (
        lambda: TOOL.put(twice, "quay.io", Login("a", Secret("b"))),
        lambda: TOOL.merge(twice, auths()),
        lambda: TOOL.merge(auths(), twice),
    ):
        with pytest.raises(Refused, match="key twice"):
            verb()


def test_a_document_of_a_mebibyte() -> None:
    """As long as Kubernetes takes it, a document is read and merged; when it would become longer that is refused."""
    big = auths(**{f"r{number}.example.com": entry("user", "x" * 10_000) for number in range(43)})
    merged = TOOL.merge(big, auths(**{"quay.io": entry("a", "b")}))
    assert len(TOOL.entries(merged)) == 44
    with pytest.raises(Refused, match="would become longer"):
        TOOL.merge(big, auths(**{"quay.io": entry("a", "x" * 100_000)}))


def test_an_entry_that_is_none_is_not_merged() -> None:
    """A new document cannot turn an entry into something else."""
    with pytest.raises(Refused, match=r"quay\.io is not an object"):
        TOOL.merge(auths(**{"quay.io": entry("a", "b")}), auths(**{"quay.io": "text"}))


def test_auth_as_it_stands_there(canary: Any) -> None:
    """The auth of exactly one entry, not decoded; none for another spelling, and a refusal for what is no text."""
    auth = canary("auth")
    document = Secret(
        json.dumps({"auths": {"a.example.com": {"auth": auth}, "b.example.com": {}, "c.example.com": {"auth": 1}}})
    )
    found = TOOL.auth(document, "a.example.com")
    assert found is not None
    assert found.reveal() == auth
    assert TOOL.auth(document, "https://a.example.com") is None
    assert TOOL.auth(document, "b.example.com") is None
    with pytest.raises(Refused):
        TOOL.auth(document, "c.example.com")
