"""Runbooks are read from Markdown as people write it, Jekyll's and kramdown's habits included."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.runbook import named, parse

JEKYLL = """\
---
layout: default
title: armada-deploy - logins
tags: [alchemy, ROKS]
link: {{ site.data.wiki }}
since: 2024-05-01
deep: {a: {b: c}}
---

Alert
{: .label .label-purple}

## Actions

Some words about [the page](https://status.example.com/x) and `code`.

1. Look at [the endpoint](https://api.example.com/v1/). <!-- step: look -->
   - A point with `up{}`.
   - Ask [{{ site.data.teams.squad.name }}]({{site.data.teams.squad.link}}).
     1. Below a point.
1. Second, with
   a line break.

   <!-- step: second.one -->
1. Third{: .note}

   ```promql
   sum(up{})
   ```

### Results

All well:

~~~
{a="b"}   1
~~~
"""
SQUAD = {"teams": {"squad": {"name": "the squad", "link": "https://example.com/s"}}}


def test_a_jekyll_runbook() -> None:
    """Front matter, steps with markers and points, code with its sentence, links; attribute lines are gone."""
    book = parse("logins", JEKYLL, SQUAD | {"wiki": "w"})
    assert (book.title, book.front["tags"], book.front["since"]) == (
        "armada-deploy - logins",
        "alchemy, ROKS",
        "2024-05-01",
    )
    assert "deep" not in book.front
    assert book.front["link"] == "w"
    assert [(s.number, s.name, s.text, s.section) for s in book.steps] == [
        (1, "look", "Look at the endpoint.", "Actions"),
        (2, "second.one", "Second, with a line break.", "Actions"),
        (3, "", "Third", "Actions"),
    ]
    assert book.steps[0].details == ("A point with up{}.", "Ask the squad.", "Below a point.")
    assert [(c.language, c.text, c.said) for c in book.codes] == [
        ("promql", "sum(up{})\n", "Third"),
        ("", '{a="b"}   1\n', "All well:"),
    ]
    assert book.promql == ("sum(up{})",)
    assert ("the squad", "https://example.com/s") in book.links
    assert [s.title for s in book.sections] == ["", "Actions", "Results"]
    assert "label-purple" not in book.model_dump_json()
    assert book.warnings == ()


def test_variables_that_nobody_set_stay_visible() -> None:
    """An unknown variable is left as it stands in text, front matter is told when it suffers, and both are warned of."""
    book = parse("logins", JEKYLL.replace("link: {{ site.data.wiki }}\n", ""))
    assert book.steps[0].details[1] == "Ask {{ site.data.teams.squad.name }}."
    assert book.warnings == (
        "{{ site.data.teams.squad.name }} is not set.",
        "{{ site.data.teams.squad.link }} is not set.",
    )


def test_front_matter_that_is_no_yaml() -> None:
    """It is left out with a warning; the rest is read, and the first heading is the title."""
    book = parse("x", "---\ntitle: [\n---\n# Head\n\n1. Do it\n")
    assert (book.title, book.front, len(book.steps)) == ("Head", {}, 1)
    assert book.warnings == ("The front matter is not valid YAML; it was left out.",)


def test_a_text_without_anything() -> None:
    """An empty file is a runbook with its name as its title."""
    book = parse("empty", "")
    assert (book.title, book.steps, book.sections) == ("empty", (), ())


def test_a_marker_twice_is_told() -> None:
    """Two steps with one marker are a mistake that is named; the first is the one that is found."""
    book = parse("x", "1. a <!-- step: go -->\n2. b <!-- step: go -->\n")
    assert book.warnings == ("The marker go stands at more than one step.",)
    found = book.step("go")
    assert found is not None
    assert found.text == "a"
    assert book.step("gone") is None


def test_markers_in_code_are_text() -> None:
    """A marker shown as an example is none."""
    book = parse("x", "1. write `<!-- step: no -->`\n\n```\n<!-- step: never -->\n```\n")
    assert book.markers == ()


def test_a_bomb_of_aliases_stays_small() -> None:
    """YAML aliases that would grow to billions of words are not written out."""
    lines = ["a0: &a0 [x, x]"] + [f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}]" for i in range(1, 40)]
    book = parse("x", "---\n" + "\n".join(lines) + "\n---\ntext")
    assert len(book.model_dump_json()) < 10_000


def test_windows_line_ends_and_a_byte_order_mark() -> None:
    """An editor's habits change nothing."""
    assert parse("x", "\ufeff" + JEKYLL.replace("\n", "\r\n"), SQUAD | {"wiki": "w"}) == parse(
        "x", JEKYLL, SQUAD | {"wiki": "w"}
    )


@pytest.mark.parametrize(("file", "name"), [("open_cie.md", "open-cie"), ("A-b.markdown", "a-b"), ("plain", "plain")])
def test_names_of_files(file: str, name: str) -> None:
    """Underscores and dashes name the same runbook."""
    assert named(file) == name


PIECES = st.sampled_from(
    ["1. ", "- ", "   ", "---\n", "```", "```promql\n", "<!-- step: a -->", "{: .x}", "{{ a.b }}", "# ", "[", "](", ")",
     "\n", "\n\n", "> ", "|a|b|\n|-|-|\n", "x", "`", "<b>", "&#0;", "\x00", "\t", "é", "![i](", "title: *a\n"]
)  # fmt: skip


@given(st.lists(PIECES | st.text(max_size=5), max_size=60).map("".join))
def test_any_text_is_a_runbook(text: str) -> None:
    """Nothing a file holds makes reading fail; the same text gives the same value; steps keep their order."""
    book = parse("any", text, {"a": {"b": "v"}})
    assert book == parse("any", text, {"a": {"b": "v"}})
    assert set(book.markers) <= {"a"}
    assert "{{ a.b }}" not in "".join(t for s in book.sections for t in s.text)


@given(st.lists(st.from_regex(r"[a-z]{1,8}( [a-z]{1,8}){0,3}", fullmatch=True), min_size=1, max_size=8))
def test_every_item_is_found(items: list[str]) -> None:
    """A list of steps comes back as it was written, each with its marker and number."""
    text = "".join(f"1. {item} <!-- step: s{i} -->\n" for i, item in enumerate(items))
    book = parse("x", text)
    assert [(s.number, s.text, s.name) for s in book.steps] == [(i + 1, item, f"s{i}") for i, item in enumerate(items)]
