"""What people type is read as they mean it, or refused in words, quickly."""

from __future__ import annotations

import time
from enum import Enum
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import Field, field_validator

from bot.core.ask import AskError, echo, hint, missing, parse, spell, usage
from bot.core.ask import given as typed_so_far
from bot.core.handler import Ask, Handler, HandlerSettings
from bot.core.plan import Answer


class Open(Ask):
    what: str = Field(default="", pattern=r"^[a-z-]*$", description="A pod.", json_schema_extra={"positional": True})
    restart: bool | None = Field(default=None, description="As the settings say.")


def test_a_flag_that_may_be_left_open_is_shown_both_ways() -> None:
    """Where leaving it out is a third answer, the usage has both words for it."""
    assert hint(handler(Open)) == "[WHAT] [--restart|--no-restart]"


def test_a_word_of_the_wrong_shape_is_told_without_the_pattern() -> None:
    """What was typed and what belongs there; nobody has to read a regular expression."""
    assert refused("a/b", Open).what == "what cannot be “a/b”. A pod."


class Size(Enum):
    SMALL = "small"
    LARGE = "large"


class Everything(Ask):
    path: str = Field(description="Where.", json_schema_extra={"positional": True})
    only: Literal["hive-frontend", "aws-account-operator"] | None = Field(
        default=None, description="Which.", json_schema_extra={"positional": True}
    )
    count: int = Field(default=3, description="How many.", ge=1, le=9)
    share: float | None = Field(default=None, description="How much.")
    handover_only: bool = Field(default=False, description="No second step.")
    notify: bool = Field(default=True, description="Tell people.")
    names: tuple[str, ...] = Field(default=(), description="Whose.")
    size: Size = Field(default=Size.SMALL, description="How big.")
    reason: str = Field(default="", description="Why.")

    @field_validator("reason")
    @classmethod
    def _not_secret(cls, value: str) -> str:
        if "secret" in value:
            raise ValueError(f"{value} must not stand here")
        return value


class Nothing(Ask):
    pass


def handler(model: type[Ask] = Everything) -> Handler:
    return Handler(
        name="try-it",
        summary="Try it.",
        ask=model,
        settings=HandlerSettings,
        plan=lambda *_: Answer(command="try-it", title="Tried"),
    )


def read(text: str) -> Any:
    return parse(text, handler())


def refused(text: str, model: type[Ask] = Everything) -> AskError:
    with pytest.raises(AskError) as caught:
        parse(text, handler(model))
    return caught.value


@pytest.mark.parametrize(
    ("text", "field", "value"),
    [
        ("a/b", "path", "a/b"),
        ("path=a/b", "path", "a/b"),
        ("--path a/b", "path", "a/b"),
        ("--path=a/b", "path", "a/b"),
        ("'a b'", "path", "a b"),
        ("“a b”", "path", "a b"),
        ("a\u00a0only=hive-frontend", "path", "a"),
        ("a hive-frontend", "only", "hive-frontend"),
        ("a Hive-Frontend", "only", "hive-frontend"),
        ("a Only=hive-frontend", "only", "hive-frontend"),
        ("a count=5", "count", 5),
        ("a —count 5", "count", 5),
        ("a –count=5", "count", 5),
        ("a share=0.5", "share", 0.5),
        ("a --handover-only", "handover_only", True),
        ("a —handover–only", "handover_only", True),
        ("a handover_only=yes", "handover_only", True),
        ("a --no-handover-only", "handover_only", False),
        ("a --no-notify", "notify", False),
        ("a notify=Off", "notify", False),
        ("a names=x,y names=z", "names", ("x", "y", "z")),
        ("a --names x --names y,,", "names", ("x", "y")),
        ("a size=LARGE", "size", Size.LARGE),
        ('a reason="two words"', "reason", "two words"),
        ("a reason=‘two words’", "reason", "two words"),
        ("a reason=x=y", "reason", "x=y"),
        ("-- --odd", "path", "--odd"),
        ("--handover-only -- a=b", "path", "a=b"),
        ("a—b–c", "path", "a--b-c"),
        ("a\u200b", "path", "a"),
    ],
)
def test_every_way_of_typing_is_read(text: str, field: str, value: object) -> None:
    """Each spelling, also what phones and editors make of it, gives the value that was meant."""
    assert getattr(read(text), field) == value


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "path is missing"),
        ("a onyl=hive-frontend", "Did you mean only="),
        ("a --handover", "Did you mean --handover-only"),
        ("a -handover-only", "Did you mean --handover-only"),
        ("a handover-only", "must be hive-frontend or aws-account-operator"),
        ("a hive-frontent", "Did you mean hive-frontend?"),
        ("a only=hive-frontend more", "what to do with “more”"),
        ("a b=c", "what to do with “b”"),
        ("a count=many", "count must be a whole number, not “many”"),
        ("a count=99", "count: Input should be less than or equal to 9"),
        ("a count=1 count=2", "count is given twice"),
        ("a share=lots", "share must be a number"),
        ("a notify=perhaps", "notify must be true or false, not “perhaps”"),
        ("a size=huge", "size must be small or large"),
        ("a --count", "--count needs a value"),
        ('a "b', "quotation mark is not closed"),
        ("don’t", "quotation mark is not closed"),
        ("a\\", "backslash"),
        ("a\x00b", "cannot be seen (U+0000)"),
        ("a\u202eb", "cannot be seen (U+202E)"),
        ("a\ud800b", "cannot be seen (U+D800)"),
        ("x" * 100_000, "too long: 100,000 characters"),
    ],
)
def test_what_does_not_fit_is_refused_in_words(text: str, words: str) -> None:
    """The error says what is wrong and shows how the command is typed."""
    error = refused(text)
    assert words in error.what
    assert error.usage == usage(handler())
    assert error.usage in error.now


def test_an_error_repeats_little_of_the_input() -> None:
    """At most 40 characters of what was typed stand in an error, whoever worded it."""
    for text in ("a only=" + "k" * 300, "a b " + "k" * 300, "a reason=secret" + "k" * 300, "a count=" + "k" * 300):
        error = refused(text)
        assert "k" * 41 not in str(error)
        assert len(error.what) <= 400


def test_hostile_input_is_refused_quickly() -> None:
    """A hundred thousand quotes, brackets or dashes cost at most a second of the processor's time."""
    for piece in ("'", '"\\', "(((", "--", "=", "—", "a,", "\u202e", "\x00"):
        begun = time.thread_time()
        refused(piece * 100_000)
        assert time.thread_time() - begun < 1


def test_a_command_without_parameters_takes_none() -> None:
    """Its usage is its name, an empty text is enough, and a word too many is refused."""
    assert usage(handler(Nothing)) == "/try-it"
    assert parse("", handler(Nothing)) == Nothing()
    assert "what to do with" in refused("x", Nothing).what


def test_usage_shows_every_parameter_and_what_is_required() -> None:
    """Positional first, optional ones in brackets, choices spelled out, a flag that is on by default negated."""
    assert hint(handler()) == (
        "PATH [hive-frontend|aws-account-operator] [count=COUNT] [share=SHARE] [--handover-only] [--no-notify] "
        "[names=NAMES,…] [size=small|large] [reason=REASON]"
    )


@pytest.mark.parametrize(
    ("text", "wanted"),
    [("?", True), (" ? ", True), ("", True), ("count=2", True), ("a", False), ("path=a", False), ("a ?", False),
     ("'", False), ("nonsense=1", False)],
)  # fmt: skip
def test_a_form_is_shown_for_a_question_mark_or_a_missing_field(text: str, wanted: bool) -> None:
    """Only then: a text that is wrong gets its error instead of a form."""
    assert missing(handler(), text) is wanted


def test_what_was_typed_fills_the_form() -> None:
    """The words that could be read are there by field name; a text that cannot be read gives none."""
    assert typed_so_far(handler(), "count=2 names=a,b") == {"count": "2", "names": ["a", "b"]}
    assert typed_so_far(handler(), "'") == {}
    assert typed_so_far(handler(), "?") == {}


WORDS = st.text(st.characters(categories=["L", "N", "P", "S", "Zs"], exclude_characters="“”„‟«»‘’‚‛—–\u00ad"), min_size=1, max_size=30)  # fmt: skip
CLEAN = WORDS.map(lambda w: " ".join(w.split())).filter(lambda w: w and "secret" not in w)
ASKS = st.builds(
    Everything,
    path=CLEAN,
    only=st.sampled_from([None, "hive-frontend", "aws-account-operator"]),
    count=st.integers(1, 9),
    share=st.none() | st.floats(allow_nan=False, allow_infinity=False),
    handover_only=st.booleans(),
    notify=st.booleans(),
    names=st.lists(CLEAN.filter(lambda w: "," not in w), max_size=3).map(tuple),
    size=st.sampled_from(Size),
    reason=CLEAN | st.just(""),
)


@settings(deadline=None)
@given(ASKS)
def test_what_is_spelled_is_read_back(ask: Everything) -> None:
    """Any parameters, spelled the way the usage shows, are read as the same parameters."""
    assert parse(spell(ask, handler()), handler()) == ask


PIECES = st.sampled_from(
    ["a", "'", '"', "\\", "--", "-", "=", ",", " ", "only=", "--count", "count=", "--no-", "--no-notify", "\x00",
     "\u202e", "\u200f", "—", "“", "’", "\n", "\ud800", "🇩🇪", "x" * 5000, "1e999", "inf", "9" * 5000, "?", "*", "$(x)"]
)  # fmt: skip


@settings(max_examples=settings.default.max_examples * 3, deadline=None)
@given(st.lists(PIECES | st.text(max_size=10), max_size=12).map("".join))
def test_nothing_but_an_ask_error_is_raised(text: str) -> None:
    """Whatever is typed is read or refused; the refusal fits in a Slack message and holds nothing invisible."""
    missing(handler(), text)
    typed_so_far(handler(), text)
    try:
        parse(text, handler())
    except AskError as error:
        assert len(str(error)) < 1000
        assert not any(c in str(error) for c in "\x00\u202e\u200f\n\ud800")


@settings(deadline=None)
@given(st.text(max_size=300))
def test_an_echo_is_short_and_visible(text: str) -> None:
    """No more than forty characters, and never a control character or a direction mark."""
    assert len(echo(text)) <= 40
    assert echo(text).replace(" ", "x").isprintable()
