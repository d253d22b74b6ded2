"""The claims of a JWT, not verified: Vault is trusted to hold it, the cluster proves it (upstream.md, seed 000)."""

from __future__ import annotations

import string
from collections.abc import Mapping
from typing import Any

import jwt

from bot.core.errors import Refused
from bot.core.secret import Secret

LIMIT = 16_384  # characters; a service-account token has about a thousand
ALPHABET = frozenset(string.ascii_letters + string.digits + "-_.")
UNVERIFIED = {
    "verify_signature": False,
    **dict.fromkeys(("verify_exp", "verify_nbf", "verify_iat", "verify_aud", "verify_iss"), False),
    **dict.fromkeys(("verify_sub", "verify_jti"), False),
}
NOW = "Look at what writes it there, then ask again."


class JwtClaims:
    """Implements `bot.core.ports.Tokens`."""

    def claims(self, token: Secret) -> Mapping[str, Any]:
        """The claims. Refused, without a word of the value, when it is not a JWT."""
        text = token.reveal()
        _check_shape(text)
        try:
            claims: dict[str, Any] = jwt.decode(text, options=UNVERIFIED)  # type: ignore[arg-type]  # a plain dict will do
        except (jwt.PyJWTError, ValueError, TypeError, RecursionError):
            raise Refused("The value has three parts, but they are not those of a JWT.", NOW) from None
        return claims


def _check_shape(text: str) -> None:
    if not text:
        raise Refused("The value is empty.", NOW)
    if len(text) > LIMIT:
        raise Refused(f"The value is longer than {LIMIT} characters.", NOW)
    if text != text.strip():
        raise Refused("The value has white space around it.", NOW)
    if text.count(".") != 2 or not ALPHABET.issuperset(text):
        raise Refused("The value is not a JWT.", NOW)
