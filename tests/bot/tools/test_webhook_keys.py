"""Who may post a webhook: any of the keys, wholly, and nothing else."""

from __future__ import annotations

import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.errors import Refused
from bot.core.secret import Secret
from bot.tools.webhook_keys import bearer_check, pagerduty_check
from tests.conftest import Canary

BODY = b'{"event": {}}'


def signature(key: str, body: bytes = BODY) -> str:
    return "v1=" + hmac.new(key.encode(), body, hashlib.sha256).hexdigest()


def test_each_of_the_keys_opens(canary: Canary) -> None:
    """While one key replaces another, both are good; a newline at a key's end does not count."""
    old, new = canary("old"), canary("new")
    fits = bearer_check((Secret(old), Secret(new + "\n")))
    assert fits(old)
    assert fits(new)


def test_no_part_of_a_key_opens(canary: Canary) -> None:
    """Beginnings, ends, other letters, more letters and nothing at all are refused."""
    key = canary("key")
    fits = bearer_check((Secret(key),))
    parts = [key[:n] for n in range(len(key))] + [key[1:], key + "x", key.upper(), f" {key}", key[::-1]]
    assert not any(fits(part) for part in parts)


@given(st.text())
def test_any_text_is_answered(token: str) -> None:
    """A token of any characters is refused, without an error."""
    assert bearer_check((Secret("k" * 20),))(token) is (token == "k" * 20)


@pytest.mark.parametrize("key", ["", "short", "  " + "x" * 15 + "  "])
def test_a_key_that_can_be_guessed_is_refused(key: str) -> None:
    """Keys of fewer than 16 characters are no keys, and the sentence does not repeat them."""
    for check in (bearer_check, pagerduty_check):
        with pytest.raises(Refused, match="shorter than 16") as told:
            check((Secret("x" * 20), Secret(key)))
        assert "xxx" not in str(told.value)


def test_one_good_signature_of_several_is_enough(canary: Canary) -> None:
    """While PagerDuty's secret is replaced it signs with both, and we may know either."""
    old, new = canary("old"), canary("new")
    fits = pagerduty_check((Secret(new),))
    assert fits(BODY, f"{signature(old)},{signature(new)}")
    assert fits(BODY, f"{signature(new)} , v2=later")
    assert not fits(BODY, signature(old))
    assert pagerduty_check((Secret(old), Secret(new)))(BODY, signature(new))


def test_a_signature_is_for_one_body(canary: Canary) -> None:
    """One other byte, and it does not fit any more."""
    key = canary("key")
    assert not pagerduty_check((Secret(key),))(BODY + b" ", signature(key))


@given(st.text())
def test_any_header_is_answered(header: str) -> None:
    """No text in the header is an error, and none fits by chance."""
    assert pagerduty_check((Secret("k" * 20),))(BODY, header) is False


def test_a_header_of_thousands_of_signatures_costs_little(canary: Canary) -> None:
    """Only the first few are looked at: a good one behind ten bad ones is not found."""
    key = canary("key")
    bad = "v1=" + "0" * 64
    assert not pagerduty_check((Secret(key),))(BODY, ",".join([bad] * 10 + [signature(key)]))
