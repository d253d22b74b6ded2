"""Foreign text can be shown, and can do nothing."""

from __future__ import annotations

import html
import re
import unicodedata

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bot.edges import text as texts

HOSTILE = st.lists(
    st.sampled_from(
        ["<!channel>", "<!here|x>", "<@U123>", "<https://evil.example.com|ok>", "*b*", "_i_", "~s~", "`c`", "```", ">",
         "\n> q", "&lt;!channel&gt;", "\u202e", "\u2066", "\x00", "\x1b[31m", "\ud800", "👩‍👩‍👧", "🇩🇪", "e\u0301", "a_b", "\u2028",
         "\u200b", " ", "x" * 40]
    ) | st.text(max_size=8),
    max_size=30,
).map("".join)  # fmt: skip
LIMITS = st.integers(12, 200)
INVISIBLE = re.compile("[\x00-\x1f\x7f-\x9f\u200b\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")


@settings(deadline=None)
@given(HOSTILE, LIMITS)
def test_nothing_passes_its_limit_or_stays_invisible(text: str, limit: int) -> None:
    """Every kind of text keeps its limit in UTF-16 units, is one line, and holds no control or direction mark."""
    for made in (texts.plain, texts.mrkdwn, texts.code, texts.notice, texts.clean):
        shown = made(text, limit)
        assert len(shown.encode("utf-16-le")) // 2 <= limit
        assert not INVISIBLE.search(shown)
        assert len(shown.splitlines()) <= 1


@settings(deadline=None)
@given(HOSTILE, LIMITS)
def test_no_kind_of_text_holds_an_angle_bracket(text: str, limit: int) -> None:
    """Without a raw < there is no mention, no link and no <!channel>; what is escaped stays whole at the cut."""
    for made in (texts.plain, texts.mrkdwn, texts.code, texts.notice):
        assert "<" not in made(text, limit)
        assert ">" not in made(text, limit)
    for made in (texts.mrkdwn, texts.code, texts.notice):
        assert not re.search(r"&(?!amp;|lt;|gt;)", made(text, limit))


@settings(deadline=None)
@given(HOSTILE, LIMITS)
@example(text="<" + "a" * 20 + "_i_", limit=26)  # escaped, it is cut at the underscore inside the word
def test_marked_text_formats_nothing(text: str, limit: int) -> None:
    """No star, tilde or backtick is left, an underscore only inside a word, and no quotation begins."""
    shown = texts.mrkdwn(text, limit)
    assert not re.search(r"[*~`]", shown)
    assert not re.search(r"(?<![A-Za-z0-9_])_|_(?![A-Za-z0-9_])", shown)
    assert not shown.startswith("&gt;")


@settings(deadline=None)
@given(HOSTILE, LIMITS)
def test_code_stays_inside_its_ticks(text: str, limit: int) -> None:
    """Two backticks, one at each end, or nothing at all."""
    shown = texts.code(text, limit)
    assert shown == "" or (shown[0] == shown[-1] == "`" and shown.count("`") == 2)


@settings(deadline=None)
@given(st.text(st.characters(categories=["L", "N"], max_codepoint=0x17F), max_size=60))
def test_ordinary_words_stay_as_they_are(text: str) -> None:
    """Letters and digits within the limit come out unchanged."""
    assert texts.plain(text, 100) == texts.mrkdwn(text, 100) == texts.notice(text, 100) == text


def test_names_that_people_copy_stay_copyable() -> None:
    """A path with underscores in its words is the same in Slack as in Vault."""
    path = "sd-uhc/sandbox (hive_frontend__token)"
    assert texts.mrkdwn(path, 100) == path
    assert texts.code(path, 100) == f"`{path}`"
    assert html.unescape(texts.notice("a & b <c>", 100)) == "a & b <c>"


@pytest.mark.parametrize("whole", ["👩‍👩‍👧", "🇩🇪", "e\u0301\u0302", "👍🏽", "❤️"])
def test_what_people_see_as_one_character_is_not_torn(whole: str) -> None:
    """Whatever the limit, the cut text is a row of whole characters and the mark of the cut."""
    for limit in range(12, 60):
        shown = texts.cut(whole * 40, limit)
        assert shown.endswith("…")
        assert shown[:-1] == whole * ((len(shown) - 1) // len(whole))


def test_a_pile_of_combining_marks_is_still_cut() -> None:
    """Text without any place to cut does not pass the limit either."""
    assert texts.size(texts.cut("a" + "\u0301" * 10_000, 50)) <= 50


def test_a_cut_is_marked_even_if_what_is_left_out_could_not_be_seen() -> None:
    """A text that begins with thousands of invisible characters does not look empty."""
    assert texts.clean("\x00" * 100_000 + "real", 50) == "…"


@pytest.mark.parametrize(
    ("user", "shown"),
    [
        ("U123ABC", "<@U123ABC>"),
        ("W9", "<@W9>"),
        ("U123ABC> <!channel", "U123ABC&gt; &lt;!channel"),
        ("U12\n3", "U12 3"),
        ("cli:ann", "ann (command line)"),
        ("cli:<!here>", "&lt;!here&gt; (command line)"),
        ("schedule:nightly", "the schedule nightly"),
        ("u123", "u123"),
    ],
)
def test_only_a_user_id_becomes_a_mention(user: str, shown: str) -> None:
    """Everybody else is plain text."""
    assert texts.person(user) == shown


@pytest.mark.parametrize(
    ("who", "shown"), [("U1", "<@U1>"), ("S1A", "<!subteam^S1A>"), ("channel", ""), ("S1|x", ""), ("C1", "")]
)
def test_only_users_and_groups_are_mentioned(who: str, shown: str) -> None:
    """Anything else mentions nobody."""
    assert texts.mention(who) == shown


@settings(deadline=None)
@given(st.floats() | st.none())
def test_any_time_can_be_shown(at: float | None) -> None:
    """A time is Slack's date with a fallback in words, or the words that it is not known."""
    shown = texts.when(at)
    assert shown == "at an unknown time" or re.fullmatch(
        r"<!date\^\d+\^\{date_short_pretty\} \{time\}\|\d{4}-\d\d-\d\d \d\d:\d\d UTC>", shown
    )


def test_a_time_is_right() -> None:
    """Seconds since the epoch, in UTC."""
    assert texts.utc(1_000_000_000.9) == "2001-09-09 01:46 UTC"


@settings(deadline=None)
@given(st.text())
def test_size_counts_as_slack_at_its_strictest(text: str) -> None:
    """UTF-16 units, which is never less than the number of characters."""
    clean = "".join(c for c in text if unicodedata.category(c) != "Cs")
    assert texts.size(clean) == len(clean.encode("utf-16-le")) // 2
