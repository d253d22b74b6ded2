"""One entry of a credentials document, read the way nodes do: `auth` wins over `username` and `password`."""

from __future__ import annotations

import base64
import binascii
import hmac
from dataclasses import dataclass
from typing import Any

from bot.core.errors import Refused
from bot.core.registry import Login
from bot.core.secret import Secret

TEXTS = ("auth", "username", "password", "email")
NOT_TEXT = "its auth is not UTF-8 text"
OTHER_LOGINS = ("identitytoken", "registrytoken")  # what the entry may hold in place of a password


@dataclass(frozen=True)
class Read:
    """`login` None: none that can be used, `trouble` says why. `torn`: `auth` and user and password disagree.
    `spoils`: kubelets give up the whole document for this entry."""

    login: Login | None = None
    trouble: str = ""
    torn: bool = False
    spoils: bool = False
    spelling: Secret | None = None  # what its fingerprint is of


def read(entry: Any) -> Read:
    """What a node makes of an entry."""
    if entry is None:
        return Read(trouble="it is null")
    if not isinstance(entry, dict):
        return Read(trouble="it is not an object", spoils=True)
    for key in TEXTS:
        if not isinstance(entry.get(key), str | None):
            return Read(trouble=f"its {key} is not text", spoils=True)
    auth, user, password = (entry.get(key) or "" for key in TEXTS[:3])
    if not auth:
        return _plain(user, password)
    decoded = _decoded(auth)
    if isinstance(decoded, str):
        return Read(trouble=decoded, spelling=Secret(auth), spoils=decoded != NOT_TEXT)
    torn = bool(user or password) and not _same(":".join(decoded), f"{user}:{password}")
    return Read(_login(*decoded), _lacking(*decoded), torn, spelling=Secret(auth))


def encoded(user: str, password: str) -> str:
    """`auth` for this login. Refused when it could not be read back."""
    if not user or ":" in user or not password:
        raise Refused("A login needs a user name without a colon, and a password.", "Look at where it comes from.")
    try:
        return base64.b64encode(f"{user}:{password}".encode()).decode()
    except UnicodeEncodeError:
        problem = Refused("The login is not UTF-8 text.", "Look at where it comes from.")
    raise problem


def with_login(entry: Any, login: Login) -> dict[str, Any]:
    """The entry with this login in place of whatever login it had. Its other keys stay, but for an e-mail that is not
    text: nodes do not read an entry with one."""
    before = entry if isinstance(entry, dict) else {}
    spoilt = () if isinstance(before.get("email"), str | None) else ("email",)
    kept = {key: value for key, value in before.items() if key not in (*OTHER_LOGINS, *spoilt)}
    password = login.password.reveal()
    return {**kept, "username": login.user, "password": password, "auth": encoded(login.user, password)}


def _plain(user: str, password: str) -> Read:
    if not user and not password:
        return Read(trouble="it holds no user name and password")
    try:
        spelling = Secret(base64.b64encode(f"{user}:{password}".encode()).decode())
    except UnicodeEncodeError:
        return Read(trouble="its login is not UTF-8 text")
    colon = "its user name has a colon" if ":" in user else ""
    return Read(None if colon else _login(user, password), colon or _lacking(user, password), spelling=spelling)


def _decoded(auth: str) -> tuple[str, str] | str:
    """User and password, or why there are none. Base64 with or without padding and line ends, as Go reads it."""
    packed = auth.replace("\r", "").replace("\n", "").strip()
    padding = "" if packed.endswith("=") else "=" * (-len(packed) % 4)
    try:
        user, colon, password = base64.b64decode(packed + padding, validate=True).decode().partition(":")
    except UnicodeDecodeError:
        return NOT_TEXT
    except (binascii.Error, ValueError):
        return "its auth is not base64"
    return (user, password) if colon else "its auth is not base64 of user:password"


def _login(user: str, password: str) -> Login | None:
    return Login(user, Secret(password)) if user and password else None


def _lacking(user: str, password: str) -> str:
    if not user:
        return "it has no user name"
    return "" if password else "it has no password"


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode("utf-8", "surrogatepass"), other.encode("utf-8", "surrogatepass"))
