"""Secrets that the settings name: an environment variable, a file or a field in Vault. Errors name the place only."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from bot.core.errors import Refused
from bot.core.ports import VaultReader
from bot.core.secret import Secret
from bot.settings import FromEnv, FromFile, SecretSource

LONGEST = 1_000_000  # bytes; a longer file is not a secret
KUBELETS = Path("/var/run/secrets/kubernetes.io")  # mounted into this pod alone; the modes are the kubelet's choice


def resolve(source: SecretSource, vault: VaultReader | None) -> Secret:
    """The secret that the settings name. Refused, by its place, when it is not there, empty or not text."""
    if isinstance(source, FromEnv):
        return _from_env(source)
    if isinstance(source, FromFile):
        return _from_file(source.file)
    if vault is None:
        raise Refused(
            f"The settings name {source.vault} ({source.field}) in Vault, but Vault is not configured or not open yet.",
            "Configure vault, or name an environment variable or a file.",
        )
    return vault.read(source.vault, source.field)


def exposed(source: SecretSource) -> str | None:
    """A warning, by the file's name, when others than its owner may read or change it; None if all is well."""
    if not isinstance(source, FromFile) or source.file.is_relative_to(KUBELETS):
        return None
    try:
        seen = source.file.stat()
    except OSError:
        return None  # `resolve` tells
    mode, others = seen.st_mode, stat.S_IRWXG | stat.S_IRWXO
    if seen.st_uid != os.geteuid() and seen.st_gid in (os.getegid(), *os.getgroups()):
        others &= ~stat.S_IRGRP  # Kubernetes gives a pod that is not root its secrets this way (fsGroup), and no other
    return f"{source.file} can be used by others than its owner (mode {mode & 0o777:o})." if mode & others else None


def _from_env(source: FromEnv) -> Secret:
    value = os.environb.get(os.fsencode(source.env), b"")
    if not value:
        raise Refused(f"The environment variable {source.env} is not set.", "Set it, or name another in the settings.")
    return _text(value, f"The environment variable {source.env}")


def _from_file(path: Path) -> Secret:
    content, trouble = _content(path)
    if trouble:
        raise Refused(f"The secret file {path} {trouble}.", "Check the path and its permissions.")
    return _text(content.removesuffix(b"\n").removesuffix(b"\r"), f"The secret file {path}")


def _content(path: Path) -> tuple[bytes, str]:
    """The bytes of a file, and what is wrong with it if something is."""
    try:
        with path.open("rb") as file:
            content = file.read(LONGEST + 1)
    except FileNotFoundError:
        return b"", "is not there"
    except OSError:
        return b"", "cannot be read"
    return content, "is too long for a secret" if len(content) > LONGEST else ""


def _text(content: bytes, place: str) -> Secret:
    if not content:
        raise Refused(f"{place} is empty.", "Put the secret there.")
    value = _decoded(content)
    if value is None:
        raise Refused(f"{place} is not UTF-8 text.", "Put the secret there as text.")
    return Secret(value)


def _decoded(content: bytes) -> str | None:
    """Not raised from here: a UnicodeDecodeError carries the whole content."""
    try:
        return content.decode()
    except UnicodeDecodeError:
        return None
