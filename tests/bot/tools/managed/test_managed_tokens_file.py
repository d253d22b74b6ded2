"""The managedTokens file on disk: bounded, read anew when it changes, refused by line and never by content."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.core.errors import Refused
from bot.tools.managed_tokens_file import LONGEST, ManagedTokensFile, inventory

FILE = """
keytabPath: /opt/keytabs
kerberosPrincipalPattern: "{{.Account}}@EXAMPLE.COM"
experiments:
  dune:
    emails: [dune@example.com]
    roles:
      production: &role
        account: dunepro
        destinationNodes: [n1.example.com]
      analysis:
        <<: *role
        account: duneana
"""


def test_the_file_is_read_anew(tmp_path: Path) -> None:
    """A change is seen at the next look; aliases and merge keys are read as YAML means them."""
    path = tmp_path / "managedTokens.yml"
    path.write_text(FILE)
    file = ManagedTokensFile(path)
    assert [service.account for service in file.read().services] == ["dunepro", "duneana"]
    assert file.read() is file.read()
    path.write_text(FILE.replace("duneana", "duneanalysis"))
    assert file.read().services[1].account == "duneanalysis"


def test_json_is_yaml() -> None:
    """Upstream's jsonnet makes JSON; it is read as well."""
    content = b'{"keytabPath": "/k", "kerberosPrincipalPattern": "x@Y", "experiments": {"a": {"roles": {"b": {"account": "c"}}}}}'
    assert [service.name for service in inventory(content).services] == ["a_b"]


BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{one}: &{one} [{', '.join(['*' + before] * 9)}]\n" for before, one in zip("abcdefghi", "bcdefghij", strict=True)
)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (BOMB.encode(), "multiply"),
        (b"a: 1\nb: [\n", "line 3"),
        (b"a: 1\na: 2\n", "twice"),
        (b"a: !!python/object/apply:os.system [id]\n", "tag"),
        (b"[" * 500, "nested"),
        (b"\xff\xfe\x00", "UTF-8"),
        (b"when: 2026-02-30\n", "quotes"),
        (b"#" * (LONGEST + 1), "too long"),
        (b"a: 1\n---\nb: 2\n", "one YAML document"),
    ],
)
def test_what_cannot_be_read(content: bytes, told: str) -> None:
    """Refused in words of ours, soon, and whatever it is."""
    with pytest.raises(Refused, match=told) as problem:
        inventory(content)
    assert problem.value.now
    assert problem.value.__cause__ is None


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    """It is told by its path."""
    with pytest.raises(Refused, match=r"nowhere\.yml cannot be read"):
        ManagedTokensFile(tmp_path / "nowhere.yml").read()
