"""What servers ask for in `WWW-Authenticate`."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from bot.tools.challenges import Challenge, challenges

names = st.text("abcdefgh-", min_size=1, max_size=6)
values = st.text('ab \\",=é\t', max_size=12)
asked = st.lists(st.builds(Challenge, names, st.dictionaries(names, values, max_size=3)), max_size=3)


def quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def test_what_registries_say() -> None:
    """ECR's Basic, and a Bearer with commas inside a quoted scope."""
    assert challenges('Basic realm="https://a/",service="ecr.amazonaws.com"') == (
        Challenge("basic", {"realm": "https://a/", "service": "ecr.amazonaws.com"}),
    )
    header = 'Bearer realm="https://a/token", Service=registry,scope="repository:a/b:pull,push", Negotiate'
    bearer = {"realm": "https://a/token", "service": "registry", "scope": "repository:a/b:pull,push"}
    assert challenges(header) == (Challenge("bearer", bearer), Challenge("negotiate"))
    assert challenges("") == ()


@settings(max_examples=settings.default.max_examples * 3 // 5)
@given(asked)
def test_written_and_read_again(wanted: list[Challenge]) -> None:
    """Any challenges are read as they were meant, whatever stands between quotes."""
    header = ", ".join(
        f"{each.scheme.title()} " + ", ".join(f"{name}={quoted(value)}" for name, value in each.parameters.items())
        for each in wanted
    )
    assert list(challenges(header)) == wanted


@settings(max_examples=settings.default.max_examples * 3 // 5)
@given(st.text(max_size=60))
def test_any_header(header: str) -> None:
    """Nothing that a server writes breaks the reading."""
    assert all(each.scheme for each in challenges(header))
