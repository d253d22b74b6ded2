"""FERRY, which knows the UIDs of accounts. One question: `getUserInfo?username=`.

It answers business errors with 200 and an envelope that says failure (upstream.md), so status and envelope both count.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bot.core.errors import Refused, Told, Transient
from bot.core.grid import Account
from bot.core.secret import Secret
from bot.managed import Ferry
from bot.sources import SecretSource
from bot.tools.calls import Service
from bot.tools.http_answer import Answer

NAME = re.compile(r"[a-z0-9_][a-z0-9_.-]{0,31}")
DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
LARGEST_UID = 2**31 - 1
NOBODY = "hivekeeper-check"  # a name that no account has; asking for it shows whether we may ask
CREDENTIALS = "Check ferry.cert and ferry.key (or ferry.token), and that FERRY's administrators let this identity in."
UNKNOWN = "username not found"
TURNED_DOWN = ("tls", "cut")  # how a server ends a connection whose client certificate it does not take


class FerryAccounts:
    """`bot.core.grid.Ferry`. Thread-safe: each question has a connection of its own."""

    def __init__(self, settings: Ferry, resolve: Callable[[SecretSource], Secret]) -> None:
        self._settings, self._resolve = settings, resolve
        self._service = Service("FERRY", "ferry", settings.timeout, settings.ca_file)

    def configured(self) -> bool:
        return True

    def account(self, name: str) -> Account | None:
        """Refused when FERRY does not let us ask, Transient when it gives no answer that can be relied on."""
        asked = name.strip().lower()
        if not NAME.fullmatch(asked):
            raise Refused(
                f"{name[:40]!r} is not a name that FERRY could know.", "Correct it in the managedTokens file."
            )
        answer = self._answer(asked)
        return _account(asked, _output(answer, asked, self._service))

    def _answer(self, name: str) -> Answer:
        url = f"{self._settings.address.rstrip('/')}/getUserInfo"
        content: dict[str, Any] = {"params": {"username": name}}
        if self._settings.cert and self._settings.key:
            _check_pair(self._settings.cert, self._settings.key)
            content["cert"] = (str(self._settings.cert), str(self._settings.key))
        answer = self._service.ask("GET", url, headers=self._headers(), **content)
        if answer.how == "answered":
            return answer
        told = self._service.unheard(answer)
        if "cert" in content and answer.how in TURNED_DOWN:
            now = f"{told.now} FERRY may also have turned down the client certificate (ferry.cert, ferry.key)."
            raise type(told)(told.what, now)
        raise told

    def _headers(self) -> dict[str, str]:
        accepts = {"Accept": "application/json"}
        if self._settings.token is None:
            return accepts
        return {**accepts, "Authorization": f"Bearer {self._resolve(self._settings.token).reveal()}"}


def check(settings: Ferry, resolve: Callable[[SecretSource], Secret]) -> str:
    """Does FERRY answer us? Refused or Transient when not."""
    until = _ends(settings.cert) if settings.cert else ""
    FerryAccounts(settings, resolve).account(NOBODY)
    return "it answers questions about accounts" + (
        f"; the client certificate is good until {until}." if until else "."
    )


def _ends(cert: Path) -> str:
    """The day (UTC) when the certificate ends, "" when that cannot be read. Refused when it is over."""
    from cryptography import x509

    try:
        ends = x509.load_pem_x509_certificate(cert.read_bytes()).not_valid_after_utc
    except (OSError, ValueError):
        return ""  # `_check_pair` tells
    if ends < datetime.now(UTC):
        raise Refused(f"FERRY's client certificate ended on {ends:%Y-%m-%d}.", f"Put a new one at {cert}.")
    return f"{ends:%Y-%m-%d}"


def _check_pair(cert: Path, key: Path) -> None:
    """A client would tell of a bad file as if the connection had broken, or ask for a passphrase at the terminal; a
    server hangs up on a certificate that is over."""
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_cert_chain(cert, key, password="")
    except ssl.SSLError:
        raise Refused(
            f"FERRY's client certificate {cert} and the key {key} do not go together, or are no PEM.",
            "Put the pair there; the key without a passphrase.",
        ) from None
    except (OSError, ValueError):
        raise Refused(
            f"FERRY's client certificate {cert} or its key {key} cannot be read.", "Check the paths and permissions."
        ) from None
    _ends(cert)


def _output(answer: Answer, name: str, service: Service) -> Mapping[str, Any] | None:
    """What FERRY says of the account, None when it does not know it."""
    envelope = answer.object or {}
    errors = _errors(envelope)
    if answer.status in (401, 403) or any("not authorized" in error for error in errors):
        raise Refused("FERRY does not let the bot ask about accounts.", CREDENTIALS)
    if answer.status != 200:
        raise service.refusal(answer, f"say anything of the account {name}")
    if envelope.get("ferry_status") == "failure":
        if any(UNKNOWN in error for error in errors):
            return None
        raise _failure(name, errors)
    output = envelope.get("ferry_output")
    if envelope.get("ferry_status") != "success" or not isinstance(output, dict):
        raise Transient(f"What FERRY says of the account {name} is not in its usual form.", "Is ferry.address right?")
    return output


def _errors(envelope: Mapping[str, Any]) -> list[str]:
    told = envelope.get("ferry_error")
    return [str(each).lower() for each in (told if isinstance(told, list) else [told]) if each]


def _failure(name: str, errors: list[str]) -> Told:
    if any("database" in error for error in errors):
        return Transient(f"FERRY could not look up the account {name}: its database failed.", "It is tried again.")
    return Refused(f"FERRY refused the question about the account {name}.", "Ask FERRY's administrators why.")


def _account(name: str, output: Mapping[str, Any] | None) -> Account | None:
    """Only a plain `true` makes an account active; a UID of 0 or none is None."""
    if output is None:
        return None
    expires = DAY.match(str(output.get("expirationdate") or ""))
    return Account(
        name=name, uid=_uid(output.get("uid")), active=output.get("status") is True,
        banned=output.get("banned") not in (None, False), expires_on=expires[0] if expires else "",
    )  # fmt: skip


def _uid(told: object) -> int | None:
    if isinstance(told, str) and told.isascii() and told.isdigit() and len(told) < 12:
        told = int(told)
    return told if isinstance(told, int) and not isinstance(told, bool) and 0 < told <= LARGEST_UID else None
