"""Sealing a secret for the store, such as the code by which the bot asks whether somebody has signed in."""

from __future__ import annotations

from collections.abc import Callable

from cryptography.fernet import InvalidToken, MultiFernet

from bot.core.errors import Refused
from bot.core.secret import Secret


class FernetSeal:
    """`bot.core.handing_in.Seal` with the store's own keys, read when first used."""

    def __init__(self, cipher: Callable[[], MultiFernet]) -> None:
        self._cipher = cipher

    def close(self, secret: Secret) -> str:
        return self._cipher().encrypt(secret.reveal().encode()).decode()

    def open(self, sealed: str) -> Secret:
        try:
            return Secret(self._cipher().decrypt(sealed.encode()).decode())
        except InvalidToken:
            raise Refused("A sign-in in the store cannot be opened.", "Check store.encryption_keys.") from None
