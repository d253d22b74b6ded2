"""Kerberos in miniature, so that the demo needs no KDC and no package gssapi: keytabs and tickets of its own, made and
judged with one key. Of gssapi there is what the bot asks for; `install` puts it where the bot's process finds it.

    realm = Realm("EXAMPLE.COM")
    realm.keytab(folder / "dunepro.keytab", "dunepro@EXAMPLE.COM")
    realm.who("Negotiate …")            # at the other end: whose ticket it is
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import os
import secrets
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from playground.vault_kerberos import NotLetIn

MAGIC = b"\x05\x02"  # as each keytab begins
LIFE = 24 * 3600.0  # seconds of a ticket
SKEW = 300.0  # seconds that a login is good for
NO_KEY, NO_TICKET = 0x96C73A00 + 181, 0x96C73A00 + 195  # of MIT Kerberos: no such key, no such cache
MODULE = """\
import sys
sys.path.append({root!r})
from playground.grid_kerberos import OID, Credentials, MechType, Name, NameType, SecurityContext
"""


class Realm:
    """Makes keytabs, and knows whose tickets it is shown."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._key = secrets.token_hex(32)

    def keytab(self, path: Path, principal: str) -> None:
        """Only its owner may read it."""
        with open(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "wb") as file:
            file.write(MAGIC + json.dumps({"principal": principal, "key": self._key}).encode())

    def who(self, header: str) -> str:
        """The principal that an Authorization header speaks for. Raises NotLetIn."""
        try:
            scheme, _, token = header.partition(" ")
            shown, mark = base64.b64decode(token, validate=True).rsplit(b"\n", 1)
            told = json.loads(shown)
            good = hmac.compare_digest(mark, _mark(self._key, shown)) and abs(time.time() - told["at"]) < SKEW
        except (binascii.Error, ValueError, KeyError, TypeError):
            raise NotLetIn from None
        if scheme != "Negotiate" or not good:
            raise NotLetIn
        return str(told["principal"])


def install(folder: Path) -> None:
    """Put a module `gssapi` into this folder, for the PYTHONPATH of a process."""
    folder.mkdir()
    (folder / "gssapi.py").write_text(MODULE.format(root=str(Path(__file__).resolve().parent.parent)))


def _mark(key: str, shown: bytes) -> bytes:
    return hmac.new(key.encode(), shown, hashlib.sha256).hexdigest().encode()


# --- what gssapi is to the bot ---------------------------------------------------------------------------------

_caches: dict[str, dict[str, Any]] = {}  # in memory: name -> principal, key and end of a ticket


class KerberosError(Exception):
    """As gssapi's errors: `min_code` says what it is."""

    def __init__(self, min_code: int) -> None:
        super().__init__(min_code)
        self.min_code = min_code


class NameType:
    kerberos_principal = "principal"
    hostbased_service = "service"


class MechType:
    kerberos = "kerberos"


class OID:
    @staticmethod
    def from_int_seq(numbers: str) -> str:
        return numbers


class Name(str):
    def __new__(cls, text: str, kind: str) -> Name:  # noqa: ARG004 - both kinds are only text here
        return super().__new__(cls, text)


class Credentials:
    """From a keytab if `store` names one, and then in the cache; else from there."""

    def __init__(self, name: Name, usage: str, mechs: list[str], store: Mapping[str, str]) -> None:  # noqa: ARG002 - as gssapi's
        if "client_keytab" in store:
            _caches[store["ccache"]] = _ticket(Path(store["client_keytab"].removeprefix("FILE:")), name)
        if store["ccache"] not in _caches:
            raise KerberosError(NO_TICKET)
        self.ticket = _caches[store["ccache"]]
        self.name = self.ticket["principal"]

    @property
    def lifetime(self) -> int:
        return max(int(self.ticket["ends"] - time.time()), 0)

    def store(self, store: Mapping[str, str], usage: str, overwrite: bool) -> None:  # noqa: ARG002 - as gssapi's
        """A copy in a file, for programs; what the demo's programs look at is whether there is one."""
        shown = {"principal": self.name, "ends": self.ticket["ends"]}
        with open(os.open(store["ccache"].removeprefix("FILE:"), os.O_CREAT | os.O_WRONLY, 0o600), "w") as file:
            json.dump(shown, file)


class SecurityContext:
    def __init__(self, usage: str, name: Name, creds: Credentials, mech: str) -> None:  # noqa: ARG002 - as gssapi's
        self._there, self._ticket = name, creds.ticket

    def step(self) -> bytes:
        """What stands, in base64, behind `Negotiate`."""
        shown = json.dumps({"principal": self._ticket["principal"], "for": self._there, "at": time.time()}).encode()
        return shown + b"\n" + _mark(self._ticket["key"], shown)


def _ticket(keytab: Path, principal: str) -> dict[str, Any]:
    held = json.loads(keytab.read_bytes().removeprefix(MAGIC))
    if principal not in (held["principal"], held["principal"].rpartition("@")[0]):
        raise KerberosError(NO_KEY)
    return {**held, "ends": time.time() + LIFE}
