"""What the executor keeps is sealed with keys that rotate, and holds no words of an exception."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet, MultiFernet

from bot.core.errors import Refused
from bot.engine.sealing import SealedJson


def test_a_late_key_of_the_store_is_told(tmp_path: Path) -> None:
    """Keys rotate: the newest writes, the older read, and a stranger's row is refused in words."""
    old, new = Fernet(Fernet.generate_key()), Fernet(Fernet.generate_key())
    written = SealedJson(MultiFernet([old])).serialize({"args": ("r-1",), "kwargs": {}})
    assert SealedJson(MultiFernet([new, old])).deserialize(written) == {"args": ("r-1",), "kwargs": {}}
    with pytest.raises(Refused, match="cannot be decrypted"):
        SealedJson(MultiFernet([new])).deserialize(written)


def test_sealed_json_keeps_no_words_of_an_exception(canary: Any) -> None:
    """Only the class name: a result, an error and None come back, other things are refused without their value."""
    sealed = SealedJson(Fernet(Fernet.generate_key()))
    back = sealed.deserialize(sealed.serialize(ValueError(canary("text"))))
    assert isinstance(back, RuntimeError)
    assert str(back) == "ValueError"
    assert sealed.deserialize(sealed.serialize(None)) is None
    with pytest.raises(TypeError, match="a object is not kept"):
        sealed.serialize(object())
