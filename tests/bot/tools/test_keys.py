"""The bot's own keys."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from bot.core.errors import Refused
from bot.core.secret import Secret
from bot.settings import FromEnv, SecretSource, Settings, Store
from bot.tools import keys
from tests.conftest import Canary


def nothing(_: SecretSource) -> Secret:
    raise AssertionError


def test_a_key_is_made_once_and_is_private(tmp_path: Path) -> None:
    """The second start reads what the first one made; nobody else may read it."""
    settings = Settings(data_dir=tmp_path / "data")
    sealed = keys.cipher(settings, nothing).encrypt(b"x")
    assert keys.cipher(settings, nothing).decrypt(sealed) == b"x"
    assert stat.S_IMODE((tmp_path / "data" / "encryption.key").stat().st_mode) == 0o600


def test_two_first_starts_agree(tmp_path: Path) -> None:
    """Of eight starts at the same instant all end with the same key, and no draft is left."""
    settings = Settings(data_dir=tmp_path / "data")
    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(lambda _: keys.fingerprint_key(settings, nothing).reveal(), range(8)))
    assert len(found) == 1
    assert [p.name for p in (tmp_path / "data").iterdir()] == ["fingerprint.key"]


def test_several_keys_rotate(tmp_path: Path) -> None:
    """What an old key sealed is read while the new one stands first."""
    old, new = Fernet.generate_key().decode(), Fernet.generate_key().decode()
    sources = (FromEnv(env="NEW"), FromEnv(env="OLD"))
    settings = Settings(data_dir=tmp_path, store=Store(encryption_keys=sources))
    known = {"NEW": new, "OLD": old}
    cipher = keys.cipher(settings, lambda s: Secret(known[s.env]) if isinstance(s, FromEnv) else nothing(s))
    assert cipher.decrypt(Fernet(old).encrypt(b"x")) == b"x"
    assert Fernet(new).decrypt(cipher.encrypt(b"y")) == b"y"


def test_a_key_that_is_none_is_refused_without_showing_it(tmp_path: Path, canary: Canary) -> None:
    """The sentence names the setting."""
    word = canary("key")
    settings = Settings(data_dir=tmp_path, store=Store(encryption_keys=(FromEnv(env="K"),)))
    with pytest.raises(Refused, match="encryption_keys") as told:
        keys.cipher(settings, lambda _: Secret(word))
    assert word not in str(told.value)
    assert told.value.__cause__ is None


def test_postgresql_needs_keys_that_replicas_share(tmp_path: Path) -> None:
    """A key made on one replica would not open what another sealed."""
    settings = Settings(data_dir=tmp_path, store=Store(url="postgresql+psycopg://db.example.com/hivekeeper"))
    with pytest.raises(Refused, match="PostgreSQL"):
        keys.fingerprint_key(settings, nothing)


def test_the_password_reaches_only_the_driver(canary: Canary) -> None:
    """The password is put into the driver's arguments, and is in no address."""
    word = canary("password")
    settings = Settings(store=Store(url="postgresql+psycopg://db.example.com/h", password=FromEnv(env="P")))
    put = keys.unlock(settings, lambda _: Secret(word))
    arguments: dict[str, object] = {}
    assert put is not None
    put(arguments)
    assert arguments == {"password": word}
    assert keys.unlock(Settings(), nothing) is None
