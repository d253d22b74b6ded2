"""How the executor's own rows are written: JSON, encrypted. No pickle, so that a row can never become code."""

from __future__ import annotations

import json
from typing import Any, Protocol

from bot.core.errors import Refused


class Cipher(Protocol):
    """Authenticated encryption, such as `cryptography.fernet.MultiFernet`; the newest key encrypts."""

    def encrypt(self, msg: bytes, /) -> bytes: ...

    def decrypt(self, msg: bytes, /) -> bytes: ...


class SealedJson:
    """The executor's serializer. Exceptions keep their class name only: their text may hold anything."""

    def __init__(self, cipher: Cipher) -> None:
        self._cipher = cipher

    def name(self) -> str:
        return "hivekeeper-sealed-json-1"

    def serialize(self, data: Any) -> str:
        """TypeError, without the value in its text, for anything but JSON and exceptions."""
        return self._cipher.encrypt(json.dumps(_plain(data), allow_nan=False).encode()).decode()

    def deserialize(self, serialized_data: str) -> Any:
        """Refused when the row was not written with one of our keys."""
        try:
            document = json.loads(self._cipher.decrypt(serialized_data.encode()))
        except Exception:  # whatever the cipher raises, its text does not travel
            raise Refused("A row of the store cannot be decrypted.", "Check store.encryption_keys.") from None
        return _shaped(document)


def _plain(data: Any) -> Any:
    if isinstance(data, BaseException):
        return {"error": type(data).__name__}
    if isinstance(data, dict) and data.keys() == {"args", "kwargs"}:
        return {"args": list(data["args"]), "kwargs": data["kwargs"]}
    if data is None or isinstance(data, str | int | float | list | tuple | dict):
        return data
    raise TypeError(f"a {type(data).__name__} is not kept")


def _shaped(document: Any) -> Any:
    if isinstance(document, dict) and document.keys() == {"args", "kwargs"}:
        return {"args": tuple(document["args"]), "kwargs": document["kwargs"]}
    if isinstance(document, dict) and document.keys() == {"error"}:
        return RuntimeError(document["error"])
    return document
