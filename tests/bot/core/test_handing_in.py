"""What a person typed becomes a secret, or is refused without a word of it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.errors import Refused
from bot.core.handing_in import LONGEST, typed

VISIBLE = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=50)


@given(secret=VISIBLE, before=st.sampled_from(["", " ", "\n", "\t "]), after=st.sampled_from(["", " ", "\r\n"]))
def test_space_around_it_is_no_part_of_it(secret: str, before: str, after: str) -> None:
    """Whatever a terminal or a browser adds when it is pasted."""
    assert typed(before + secret + after).reveal() == secret


@pytest.mark.parametrize("text", [None, 7, [], "", " \n\t"])
def test_nothing_is_refused(text: Any) -> None:
    """Also what is no text at all."""
    with pytest.raises(Refused, match="Nothing was handed in"):
        typed(text)


@given(
    secret=VISIBLE, hidden=st.sampled_from(["\n", "\r", "\0", "\x1b", "\u200b", "\u202e", "\ufeff", "\u2028", "\x7f"])
)
def test_what_cannot_be_seen_is_refused(secret: str, hidden: str) -> None:
    """A token in two lines, or with a mark in it, is not what was meant; the sentence holds nothing of it."""
    with pytest.raises(Refused) as refused:
        typed(f"made-up-{secret}{hidden}{secret}-made-up")
    assert "made-up" not in str(refused.value)


def test_the_limit_is_what_slack_takes() -> None:
    """One character more is refused, with the number."""
    assert len(typed("x" * LONGEST).reveal()) == LONGEST
    with pytest.raises(Refused, match="3000"):
        typed("x" * (LONGEST + 1))
