"""Claims are read from tokens, and nothing of what is no token is ever repeated."""

import base64
import secrets
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.errors import Refused
from bot.core.secret import Secret
from bot.tools.tokens import LIMIT, JwtClaims
from playground import tokens


def encoded(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def assembled(payload: str, header: str = '{"alg":"HS512","typ":"JWT"}') -> str:
    return f"{encoded(header)}.{encoded(payload)}.{encoded(secrets.token_hex(16))}"


def test_claims_of_a_legacy_token() -> None:
    """A legacy service-account token gives its flat claims."""
    claims = JwtClaims().claims(Secret(tokens.legacy("hive", "hive-frontend")))
    assert claims["sub"] == "system:serviceaccount:hive:hive-frontend"
    assert claims["kubernetes.io/serviceaccount/namespace"] == "hive"


def test_claims_of_an_expired_token_are_readable() -> None:
    """Reading is not judging: also an expired token, or one for another audience, gives its claims."""
    then = time.time() - 9000
    token = tokens.bound("hive", "hive-frontend", issuer="https://issuer.example.com", issued=then, expires=then + 60)
    assert JwtClaims().claims(Secret(token))["exp"] == int(then + 60)


GOOD = tokens.legacy("hive", "hive-frontend")
HOSTILE = {
    "empty": ("", "is empty"),
    "huge": ("a" * (LIMIT + 1), "longer than"),
    "newline": (GOOD + "\n", "white space"),
    "inner space": (GOOD.replace(".", ". "), "not a JWT"),
    "two parts": (GOOD.rpartition(".")[0], "not a JWT"),
    "five parts": ("a.b.c.d.e", "not a JWT"),
    "standard base64": (GOOD.replace(".", "+.", 1), "not a JWT"),
    "garbage header": (f"{encoded('nonsense')}.{encoded('{}')}.x", "not those of a JWT"),
    "list payload": (assembled("[1, 2]"), "not those of a JWT"),
    "broken payload": (assembled('{"sub": '), "not those of a JWT"),
    "deep payload": (assembled('{"a":' * 2000), "not those of a JWT"),
    "endless number": (assembled('{"exp": ' + "9" * 8000 + "}"), "not those of a JWT"),
    "password": ("correct-horse-battery", "not a JWT"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_no_token_is_refused(name: str) -> None:
    """Each is refused with a reason of ours, without a cause, and without any part of the value."""
    value, reason = HOSTILE[name]
    with pytest.raises(Refused, match=reason) as caught:
        JwtClaims().claims(Secret(value))
    assert caught.value.__cause__ is None
    assert all(part not in str(caught.value) for part in value.split(".") if len(part) > 3)


@given(
    st.text(max_size=60)
    | st.from_regex(r"[A-Za-z0-9_-]{0,30}\.[A-Za-z0-9_-]{0,30}\.[A-Za-z0-9_-]{0,30}", fullmatch=True)
)
def test_any_text_is_read_or_refused(value: str) -> None:
    """No text makes it fail in any other way than by refusing."""
    try:
        assert isinstance(JwtClaims().claims(Secret(value)), dict)
    except Refused as refusal:
        assert refusal.now
