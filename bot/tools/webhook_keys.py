"""Checks of who posts a webhook, built where keys may be revealed; `bot.app` hands them to the edges.

All keys are compared, each in constant time, so that the time taken tells neither which key fits nor how far one does.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable

from bot.core.errors import Refused
from bot.core.secret import Secret

SHORTEST = 16  # characters; a shorter one could be guessed over the network
SIGNATURE = re.compile(r"v1=[0-9a-f]{64}")
SIGNATURES = 10  # PagerDuty sends one for each of its secrets


def bearer_check(keys: tuple[Secret, ...]) -> Callable[[str], bool]:
    """Is this token one of the keys? Refused when a key is too short."""
    known = [hashlib.sha256(key).digest() for key in _plain(keys, "bearer token of a webhook")]

    def fits(token: str) -> bool:
        given = hashlib.sha256(token.encode(errors="surrogatepass")).digest()
        return _any([hmac.compare_digest(given, each) for each in known])

    return fits


def pagerduty_check(keys: tuple[Secret, ...]) -> Callable[[bytes, str], bool]:
    """Is this body signed with one of the secrets? The header lists signatures, separated by commas
    (developer.pagerduty.com, "Verifying Signatures"). Refused when a secret is too short."""
    known = _plain(keys, "signing secret of PagerDuty's webhook")

    def fits(body: bytes, header: str) -> bool:
        given = [s for part in header.split(",", SIGNATURES)[:SIGNATURES] if SIGNATURE.fullmatch(s := part.strip())]
        made = ["v1=" + hmac.new(key, body, hashlib.sha256).hexdigest() for key in known]
        return _any([hmac.compare_digest(one, other) for one in given for other in made])

    return fits


def _any(fits: list[bool]) -> bool:
    """Is one of them true? The list is whole by then, so nothing is left out early."""
    return sum(fits) > 0


def _plain(keys: tuple[Secret, ...], what: str) -> list[bytes]:
    found = [key.reveal().strip().encode() for key in keys]
    if any(len(key) < SHORTEST for key in found):
        raise Refused(f"A {what} is shorter than {SHORTEST} characters.", "Put a longer one in its place, and there.")
    return found
