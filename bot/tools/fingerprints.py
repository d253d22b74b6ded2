"""Keyed fingerprints: enough to tell old from new, useless to whoever does not hold the key."""

from __future__ import annotations

import hashlib
import hmac

from bot.core.errors import Refused
from bot.core.secret import Secret

DIGITS = 8
KEY_BYTES = 16
PURPOSE = b"hivekeeper fingerprint 1\0"  # one key may serve other purposes; its outputs must not be mixed up


class KeyedFingerprints:
    """Implements `bot.core.ports.Fingerprints`. Refused when the key is shorter than 16 bytes."""

    def __init__(self, key: Secret) -> None:
        if len(_bytes(key)) < KEY_BYTES:
            raise Refused(
                "The key of the fingerprints is too short.",
                f"Use at least {KEY_BYTES} random bytes for store.fingerprint_key.",
            )
        self._key = key

    def of(self, secret: Secret) -> str:
        return hmac.new(_bytes(self._key), PURPOSE + _bytes(secret), hashlib.sha256).hexdigest()[:DIGITS]

    def same(self, one: Secret, other: Secret) -> bool:
        return hmac.compare_digest(_bytes(one), _bytes(other))


def _bytes(secret: Secret) -> bytes:
    return secret.reveal().encode("utf-8", "surrogatepass")
