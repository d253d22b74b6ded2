"""Sealing for the store: opened with our keys only, also with an older one; nothing of the secret shows."""

from __future__ import annotations

from typing import Any

import pytest
from cryptography.fernet import Fernet, MultiFernet

from bot.core.errors import Refused
from bot.core.secret import Secret
from bot.tools.seal import FernetSeal


def seal(*keys: bytes) -> FernetSeal:
    return FernetSeal(lambda: MultiFernet([Fernet(key) for key in keys]))


def test_what_is_sealed_comes_back(canary: Any) -> None:
    """Whole; sealed, nothing of it is to be seen."""
    key, secret = Fernet.generate_key(), canary("device")
    sealed = seal(key).close(Secret(secret))
    assert secret not in sealed
    assert seal(key).open(sealed).reveal() == secret


def test_an_older_key_still_opens_it() -> None:
    """Keys are replaced while a sign-in waits."""
    old, new = Fernet.generate_key(), Fernet.generate_key()
    assert seal(new, old).open(seal(old).close(Secret("made-up"))).reveal() == "made-up"


@pytest.mark.parametrize("sealed", ["", "made-up", "ä"])
def test_what_we_did_not_seal_is_refused(sealed: str) -> None:
    """In words, whatever it is."""
    with pytest.raises(Refused, match="cannot be opened"):
        seal(Fernet.generate_key()).open(sealed)


def test_another_key_does_not_open_it() -> None:
    """Nor does it say why."""
    sealed = seal(Fernet.generate_key()).close(Secret("made-up"))
    with pytest.raises(Refused, match="encryption_keys"):
        seal(Fernet.generate_key()).open(sealed)
