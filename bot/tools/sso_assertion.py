"""The signed login of a service account (private_key_jwt, RFC 7523): each is good for once and for a minute."""

from __future__ import annotations

import uuid
from typing import Any

import jwt

from bot.core.errors import Refused
from bot.core.secret import Secret
from bot.identity import PrivateKeyJwt

TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
SECONDS = 60  # from its making to its end


def form(account: PrivateKeyJwt, key: Secret, *, audience: str, now: float, place: str) -> dict[str, str]:
    """The fields that go with the grant. `place`: where the settings name the key, for the error when it is none."""
    return {"client_assertion_type": TYPE, "client_assertion": _signed(account, key, audience, now, place)}


def _signed(account: PrivateKeyJwt, key: Secret, audience: str, now: float, place: str) -> str:
    claims: dict[str, Any] = {
        "iss": account.client_id,
        "sub": account.client_id,
        "aud": audience,
        "iat": int(now),
        "exp": int(now) + SECONDS,
        "jti": str(uuid.uuid4()),
    }
    headers = {"kid": account.kid} if account.kid else None
    try:
        return jwt.encode(claims, key.reveal(), algorithm=account.algorithm, headers=headers)
    except Exception:
        # Everything: what is wrong with a key shows in many kinds of errors, some with the key in their texts.
        raise Refused(
            f"The key that {place} names does not sign with {account.algorithm}.",
            "Name a private key in PEM of that kind, without a passphrase.",
        ) from None
