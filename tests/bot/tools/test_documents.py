"""A document is changed where it was asked for and nowhere else; what is not sound is refused by line only."""

import base64
import io
from collections.abc import Callable
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from bot.core.errors import Refused
from bot.core.ports import Inside
from bot.core.secret import Secret
from bot.tools import yaml_scalars
from bot.tools.documents import LIMIT, Base64Yaml
from playground import tokens

Documents = Base64Yaml()
TOKEN = tokens.legacy("hive", "hive-frontend")


def packed(text: str) -> Secret:
    return Secret(base64.b64encode(text.encode()).decode())


def opened(document: Secret) -> str:
    return base64.b64decode(document.reveal(), validate=True).decode()


def replaced(text: str, *values: tuple[Inside, str]) -> str:
    return opened(Documents.replace(packed(text), {inside: Secret(value) for inside, value in values}))


def found(text: str, *inside: str | int) -> str | None:
    secret = Documents.find(packed(text), inside)
    return None if secret is None else secret.reveal()


def loaded(text: str) -> Any:
    """What another parser (YAML 1.2) makes of it."""
    return YAML(typ="safe", pure=True).load(io.StringIO(text))


CONFIG = """\
# Settings of the sandbox. Do not sort.
self:
    token:   'kept as it is'    # not ours
    url: https://api.example.com   # trailing   spaces
"hive":
  frontend_token: old-frontend-token  # recycled by production
  aws_account_operator_token: >-
    old
    operator


zebra: yes
port: 0o17
long: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb ccc
note: |
  two
  lines

list: [a, 'b' , "c"]
clusters:
- name: one
  token: old-one
- {name: two, token: "old-two"}
"""


def test_only_the_named_places_change() -> None:
    """Comments, order, quotes, spacing, blank lines, long lines and odd numbers stay character by character."""
    after = replaced(CONFIG, (("hive", "frontend_token"), TOKEN), (("clusters", 1, "token"), "new-two"))
    expected = CONFIG.replace("old-frontend-token", TOKEN).replace('"old-two"', '"new-two"')
    assert after == expected


def test_a_block_scalar_becomes_one_line() -> None:
    """A folded value is replaced as a whole; the blank lines and the entry behind it stay."""
    after = replaced(CONFIG, (("hive", "aws_account_operator_token"), TOKEN))
    assert after == CONFIG.replace(">-\n    old\n    operator\n", f'"{TOKEN}"\n')


def test_find_reads_what_replace_wrote() -> None:
    """Whatever was put at a place is found there; putting it there again changes nothing."""
    once = replaced(CONFIG, (("clusters", 0, "token"), TOKEN))
    assert found(once, "clusters", 0, "token") == TOKEN
    assert replaced(once, (("clusters", 0, "token"), TOKEN)) == once


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("a: old", "a: {}"),
        ("a: 'old' # c", "a: '{}' # c"),
        ('a: "old"', 'a: "{}"'),
        ("a:\n- x", None),
        ("a:", "a: {}"),
        ("a: # nothing yet\nb: 1", "a: {} # nothing yet\nb: 1"),
        ("a: ~", "a: {}"),
        ("a: 12", "a: {}"),
        ("a: &anchor old\nb: *anchor", "a: &anchor {}\nb: *anchor"),
        ("a: !!str old", "a: !!str {}"),
        ("a: |  # why\n  old\n\n# after\nb: 1", 'a: "{}"  # why\n\n# after\nb: 1'),
        ("a: old\r\nb: 1\r\n", "a: {}\r\nb: 1\r\n"),
        ("\ufeffa: old", "\ufeffa: {}"),
        ("{a: old, b: 1}", "{{a: {}, b: 1}}"),
        ("--- # start\na: old\n...\n", "--- # start\na: {}\n...\n"),
        ("a: two\n  lines # c", "a: {} # c"),
    ],
)
def test_styles(before: str, after: str | None) -> None:
    """Each way of writing a value is replaced in its own way; a place that holds a list is refused."""
    if after is None:
        with pytest.raises(Refused, match="more than one value"):
            replaced(before, (("a",), TOKEN))
    else:
        assert replaced(before, (("a",), TOKEN)) == after.format(TOKEN)


@given(
    st.text(max_size=40), st.sampled_from(["a: old", "a: 'old'", 'a: "old"', "a: >\n  old\n", "a:", "{a: old, b: c}"])
)
def test_any_text_can_be_put_in(value: str, before: str) -> None:
    """Any text at all is found again as it was given, by another parser too."""
    after = replaced(before, (("a",), value))
    assert found(after, "a") == value
    assert loaded(after)["a"] == value


def test_half_a_character_is_refused() -> None:
    """Text that no file can hold (a lone surrogate) is refused in our words."""
    with pytest.raises(Refused) as caught:
        replaced("a: old", (("a",), "x\ud800"))
    assert caught.value.__cause__ is None


def test_places() -> None:
    """A list is entered by number only, a mapping's number may be written as one, and what is not there is None."""
    text = "list: [x, y]\n8080: port\n? [odd, key]\n: z\n"
    assert found(text, "list", 1) == "y"
    assert found(text, "list", "1") is None
    assert found(text, 8080) == "port"
    assert found(text, "8080") == "port"
    assert found(text, "list", 2) is None
    assert found(text, "nothing", "here") is None
    with pytest.raises(Refused, match="not in the document"):
        replaced(text, (("nothing",), TOKEN))


def test_shared_values() -> None:
    """A shared value is replaced where it is written, and so for all who share it; an alias itself is refused."""
    text = "base: &base {token: old}\nprod: *base\nalso: {<<: *base}\nlast: &t old\nend: *t\n"
    after = loaded(replaced(text, (("base", "token"), TOKEN)))
    assert after["prod"]["token"] == after["also"]["token"] == TOKEN
    for inside in (("prod", "token"), ("end",)):
        with pytest.raises(Refused, match=r"alias \(line \d\)"):
            Documents.find(packed(text), inside)


BOMB = "a0: &a0 [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12)
)
UNSOUND: dict[str, tuple[str | bytes, str]] = {
    "bomb": (BOMB, "multiply"),
    "merge bomb": (BOMB.replace("[x,x,x,x,x,x,x,x,x]", "{x: 1}") + "z: {<<: [*a11]}", "multiply"),
    "alias of itself": ("a: &a [*a]", "without an anchor"),
    "unknown alias": ("a: *b", "without an anchor"),
    "python object": ("a: !!python/object/apply:os.getcwd []", "tag"),
    "own tag": ("b: 1\na: !vault secret", r"tag .*\(line 2\)"),
    "binary": ("a: !!binary aGk=", "not text"),
    "double key": ("a: 1\nb: 2\na: 3", r"twice .*\(line 3\)"),
    "double key deep": ("a: x\nb: [{c: 1, c: 2}]", "twice"),
    "tab": ("b:\n\tc: 1", r"not valid YAML \(line 2\)"),
    "broken": ("a: [1", "not valid YAML"),
    "control character": ("a: \x07", "not valid YAML"),
    "zero": ("a: \x00", "not valid YAML"),
    "two documents": ("a: 1\n---\na: 2", "exactly one"),
    "nothing": ("", "exactly one"),
    "only a comment": ("# a: 1", "exactly one"),
    "deep": ("a: " + "[" * 5000 + "]" * 5000, "nested too deep"),
    "endlessly deep": ("[" * 1_000_000, "nested too deep"),
    "long": ("a:\n" + "- x\n" * 500_000, r"longer|too long"),
    "not UTF-8": (b"a: \xff\xfe", "UTF-8"),
    "UTF-16": ("a: 1".encode("utf-16"), "UTF-8"),
}


@pytest.mark.parametrize("name", UNSOUND)
def test_unsound_documents_are_refused(name: str) -> None:
    """Each is refused with its reason, without a cause, for looking as well as for replacing."""
    text, reason = UNSOUND[name]
    raw = text if isinstance(text, bytes) else text.encode()
    document = Secret(base64.b64encode(raw).decode())
    for attempt in (
        lambda: Documents.find(document, ("a",)),
        lambda: Documents.replace(document, {("a",): Secret(TOKEN)}),
    ):
        with pytest.raises(Refused, match=reason) as caught:
            attempt()
        assert caught.value.__cause__ is None


def test_errors_repeat_nothing(canary: Callable[[str], str]) -> None:
    """Neither keys nor values of a broken document stand in what a person is told."""
    secret = canary("value")
    for text in (
        f"{secret}: 1\n{secret}: 2",
        f"a: !{secret} 1",
        f"a: *{secret}",
        f'a: "{secret}',
        f"a: {secret}: {secret}",
    ):
        with pytest.raises(Refused) as caught:
            found(text, "a")
        assert secret not in str(caught.value)
        assert secret not in repr(caught.value)


@pytest.mark.parametrize(
    "garbage", ["!", "not base64 at all", "YTog*", "YQ===Y", "ab-/", "é", "A", "a: plain\nyaml: 1"]
)
def test_garbage_is_refused(garbage: str) -> None:
    """What is not base64 is refused in those words."""
    with pytest.raises(Refused, match=r"base64|UTF-8"):
        Documents.find(Secret(garbage), ("a",))


def test_a_huge_document_is_refused() -> None:
    """More than the limit is refused before it is looked at."""
    with pytest.raises(Refused, match="longer than"):
        Documents.find(Secret("A" * (LIMIT + 1)), ("a",))


@pytest.mark.parametrize("wrap", [0, 64, 76])
@pytest.mark.parametrize("url_safe", [False, True])
@pytest.mark.parametrize("padded", [False, True])
def test_spellings_of_base64(wrap: int, url_safe: bool, padded: bool) -> None:
    """Wrapped, URL-safe and unpadded input is read; the result has no wraps and keeps alphabet and padding."""
    text = f"a: old\nb: '???>>>~~~ÿÿÿ'\nc: {'x' * 80}\n"  # has the characters in which the alphabets differ
    encode = base64.urlsafe_b64encode if url_safe else base64.b64encode
    word = encode(text.encode()).decode()
    word = word if padded else word.rstrip("=")
    wrapped = "\n".join(word[i : i + (wrap or len(word))] for i in range(0, len(word), wrap or len(word))) + "\n"
    after = Documents.replace(Secret(wrapped), {("a",): Secret("newer-val")}).reveal()
    expected = encode(text.replace("old", "newer-val").encode()).decode()
    assert encode(text.encode()).decode().endswith("=")
    assert expected.endswith("=")
    assert any(sign in expected for sign in ("-_" if url_safe else "+/"))
    assert after == (expected if padded else expected.rstrip("="))


@pytest.mark.slow  # so much of it takes its time
def test_ten_thousand_lines() -> None:
    """A configuration of ten thousand lines is changed in one place, and in no other."""
    text = "".join(f"key{n}:\n  token: value-{n}  # {n}\n" for n in range(5000))
    after = replaced(text, (("key4321", "token"), TOKEN))
    assert after == text.replace("value-4321 ", TOKEN + " ")


def test_a_result_that_reads_differently_is_refused() -> None:
    """Where a value cannot be put without touching the rest, nothing is given back."""
    with pytest.raises(Refused, match="without changing the rest"):
        replaced("{a}", (("a",), TOKEN))


def test_both_parsers_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where PyYAML came without libyaml the result is the same."""
    wanted = (("hive", "aws_account_operator_token"), TOKEN), (("list", 2), "x: y")
    fast = replaced(CONFIG, *wanted)
    monkeypatch.setattr(yaml_scalars, "LOADER", yaml.Loader)
    assert replaced(CONFIG, *wanted) == fast
