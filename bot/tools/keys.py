"""The bot's own keys: from the settings, or made once in data_dir (0600) where one process keeps a SQLite store."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cryptography.fernet import Fernet, MultiFernet

from bot.core.errors import Refused
from bot.core.secret import Secret
from bot.settings import SecretSource, Settings

Resolve = Callable[[SecretSource], Secret]
OWN_FOLDER = 0o700
OWN_FILE = 0o600


def cipher(settings: Settings, resolve: Resolve) -> MultiFernet:
    """What seals the executor's rows; the first key encrypts, all decrypt. Refused for a key that is none."""
    sources = settings.store.encryption_keys
    keys = [resolve(s) for s in sources] or [_own(settings, "encryption.key", lambda: Fernet.generate_key().decode())]
    try:
        return MultiFernet([Fernet(key.reveal().strip()) for key in keys])
    except (ValueError, TypeError):
        raise Refused(
            "A key in store.encryption_keys is not a Fernet key.",
            "Make one with: python -c 'from cryptography.fernet import Fernet; print(Fernet.generate_key().decode())'",
        ) from None


def fingerprint_key(settings: Settings, resolve: Resolve) -> Secret:
    """The key of the fingerprints."""
    source = settings.store.fingerprint_key
    return resolve(source) if source else _own(settings, "fingerprint.key", lambda: secrets.token_hex(32))


def unlock(settings: Settings, resolve: Resolve) -> Callable[[dict[str, Any]], None] | None:
    """Puts the database's password into a driver's arguments (`bot.engine.store.Unlock`); None without one."""
    source = settings.store.password
    if source is None:
        return None
    password = resolve(source)

    def put(arguments: dict[str, Any]) -> None:
        arguments["password"] = password.reveal()

    return put


def _own(settings: Settings, name: str, make: Callable[[], str]) -> Secret:
    if settings.store.url and not settings.store.url.startswith("sqlite"):
        raise Refused(
            "store.encryption_keys and store.fingerprint_key are needed with PostgreSQL, where replicas share them.",
            "Name them in the settings as references.",
        )
    path = settings.data_dir / name
    try:
        return Secret(path.read_text(encoding="ascii") if path.exists() else _made(path, make()))
    except (OSError, UnicodeDecodeError):
        raise Refused(f"The key at {path} cannot be read or made.", "Check data_dir and who may write there.") from None


def _made(path: Path, value: str) -> str:
    """Written under another name and linked into place, so that of two processes one wins and nobody reads half."""
    path.parent.mkdir(mode=OWN_FOLDER, parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, OWN_FILE), "w", encoding="ascii") as file:
        file.write(value)
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(draft, path)
    except FileExistsError:
        return path.read_text(encoding="ascii")
    finally:
        draft.unlink()
    return value
