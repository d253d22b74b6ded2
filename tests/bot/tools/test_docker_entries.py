"""What of a credentials document counts, for which host, and what is wrong with it."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from bot.core.errors import Refused
from bot.core.registry import Login
from bot.core.secret import Secret
from tests.bot.tools.credentials import TOOL, auths, b64, content, entry


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
