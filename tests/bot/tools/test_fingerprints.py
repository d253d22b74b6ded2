"""Fingerprints tell values apart and say nothing else."""

import hashlib
import hmac
import re
import secrets

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.errors import Refused
from bot.core.secret import Secret
from bot.tools.fingerprints import KeyedFingerprints

KEY = secrets.token_hex(16)


def test_it_is_the_beginning_of_a_keyed_hash() -> None:
    """The eight digits are those of HMAC-SHA256 over the value behind its purpose."""
    value = secrets.token_hex(8)
    expected = hmac.new(KEY.encode(), b"hivekeeper fingerprint 1\0" + value.encode(), hashlib.sha256).hexdigest()[:8]
    assert KeyedFingerprints(Secret(KEY)).of(Secret(value)) == expected


@given(st.text(alphabet=st.characters(codec=None), max_size=50))
def test_any_text_has_one(value: str) -> None:
    """Every text, lone surrogates too, has eight hex digits, and the same ones each time."""
    fingerprints = KeyedFingerprints(Secret(KEY))
    mark = fingerprints.of(Secret(value))
    assert re.fullmatch(r"[0-9a-f]{8}", mark)
    assert mark == fingerprints.of(Secret(value))
    assert fingerprints.same(Secret(value), Secret(value))
    assert not fingerprints.same(Secret(value), Secret(value + "x"))


def test_the_key_decides() -> None:
    """Another key gives another fingerprint, so a fingerprint cannot be looked up in a table."""
    value = Secret(secrets.token_hex(8))
    assert KeyedFingerprints(Secret(KEY)).of(value) != KeyedFingerprints(Secret(KEY + "x")).of(value)


def test_a_short_key_is_refused() -> None:
    """A key that could be guessed is refused, and not repeated."""
    short = secrets.token_hex(4)
    with pytest.raises(Refused, match="too short") as caught:
        KeyedFingerprints(Secret(short))
    assert short not in str(caught.value)
