"""Kerberos logins of a played Vault: true SPNEGO by GSSAPI, with the keytab of the server's host principal."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from playground.vault_answers import Answer, Asked, error


class NotLetIn(Exception):
    """The header is none, or no ticket for this server."""


class Acceptor:
    """`keytab`: of host/<name of the server>. Needs the extra `grid`."""

    def __init__(self, keytab: Path) -> None:
        self._keytab = keytab

    def who(self, header: str) -> str:
        """The principal that an Authorization header speaks for. Raises NotLetIn."""
        gssapi: Any = import_module("gssapi")
        scheme, _, token = header.partition(" ")
        if scheme != "Negotiate":
            raise NotLetIn
        try:
            credentials = gssapi.Credentials(usage="accept", store={"keytab": f"FILE:{self._keytab}"})
            context = gssapi.SecurityContext(usage="accept", creds=credentials)
            context.step(base64.b64decode(token, validate=True))
        except (gssapi.exceptions.GSSError, binascii.Error, ValueError):
            raise NotLetIn from None
        if not context.complete:
            raise NotLetIn
        return str(context.initiator_name)


def login(asked: Asked, who: Callable[[str], str], let_in: Callable[[str], Answer | None]) -> Answer:
    """The answer of a login in the words of Vault's Kerberos plugin. `let_in`: principal -> what it gets, None for one
    that may not."""
    if not asked.authorization:
        return Answer(401, {"errors": ["missing authorization"]}, headers={"WWW-Authenticate": "Negotiate"})
    try:
        answer = let_in(who(asked.authorization))
    except NotLetIn:
        return error(401, "authentication failed")
    return answer or error(403, "permission denied")
