"""Signing in to a realm by device flow (RFC 8628): a person approves in the browser, the bot gets an offline token."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from bot.core.errors import Refused, Told, Transient
from bot.core.handing_in import Invitation
from bot.core.secret import Secret
from bot.identity import Realm
from bot.sources import is_loopback
from bot.tools import sso_told
from bot.tools.address import is_http
from bot.tools.http_answer import Answer
from bot.tools.sso_wire import Endpoints

GRANT = "urn:ietf:params:oauth:grant-type:device_code"
SCOPE = "openid offline_access"
OFFLINE = "offline_access"
CODE = re.compile(r"[A-Za-z0-9-]{4,24}")
LONGEST_LINK = 1900  # OpenID addresses carry state and nonce
EVERY = 5.0  # seconds, where the realm does not say (RFC 8628, 3.2)
SLOWER = 10.0  # seconds until the next question, when it was too early
ANEW = "Begin the sign-in anew."
ENDED: Mapping[str, str] = {
    "access_denied": "The sign-in was turned down in the browser.",
    "expired_token": "The sign-in took too long: its code has ended.",
    "invalid_grant": "{sso} does not know this sign-in any more.",
}


class DeviceFlow:
    """The ways "sso/<realm>" of `bot.tools.sign_ins`. Nothing is kept: any replica may ask whether it is done."""

    def __init__(self, realms: Mapping[str, Realm], *, clock: Callable[[], float] = time.time) -> None:
        self._realms = {name: realm for name, realm in realms.items() if realm.device_flow}
        self._clock = clock

    def names(self) -> tuple[str, ...]:
        return tuple(self._realms)

    def start(self, name: str) -> Invitation:
        at = Endpoints(name, self._realms[name])
        began = self._clock()
        answer = at.post(at.realm.device_url, {"client_id": at.realm.client_id, "scope": SCOPE})
        document = sso_told.spoken(answer)
        if answer.status != 200 or document is None:
            raise _unwanted(at, answer)
        device = at.token(document, "device_code")
        link, code = link_of(document), str(document.get("user_code") or "")
        if device is None or link is None or not CODE.fullmatch(code):
            raise Refused(f"{at.called} began a sign-in without a code or a link.", f"Check {at.setting}.issuer.")
        lasts, every = _seconds(document, "expires_in", 600.0), _seconds(document, "interval", EVERY)
        return Invitation(link, code, device, expires_at=began + lasts, every=every)

    def poll(self, name: str, device: Secret) -> Secret | None:
        at = Endpoints(name, self._realms[name])
        form = {"grant_type": GRANT, "client_id": at.realm.client_id, "device_code": device.reveal()}
        answer = at.post(at.realm.token_url, form)
        document = sso_told.spoken(answer) or {}
        if answer.status == 200:
            return _offline(at, answer, document)
        error = document.get("error") if answer.status in (400, 401, 403) else None
        if error == "authorization_pending":
            return None
        if error == "slow_down":
            raise Transient(f"{at.called} is asked too often for the sign-in.", "It is asked again.", after=SLOWER)
        if isinstance(error, str) and error in ENDED and not _barred(document):
            raise Refused(ENDED[error].format(sso=at.called), ANEW)
        raise _unwanted(at, answer)


def _offline(at: Endpoints, answer: Answer, document: Mapping[str, Any]) -> Secret:
    token = at.token(document, "refresh_token")
    if at.token(document, "access_token") is None:
        raise at.failure(answer, "end the sign-in")
    endless = document.get("refresh_expires_in") == 0 or OFFLINE in str(document.get("scope", "")).split()
    if token is None or not endless:
        now = f"Ask those who run it to give the client of {at.setting} the scope {OFFLINE}."
        raise Refused(f"{at.called} let the person sign in, but gave no offline token.", now)
    return token


def _unwanted(at: Endpoints, answer: Answer) -> Told:
    if answer.status in (400, 401, 403) and _barred(sso_told.spoken(answer) or {}):
        what = f"{at.called} does not let the client of the settings begin sign-ins by device flow."
        return Refused(what, f"Ask those who run it to allow it, or set {at.setting}.device_flow to false.")
    return at.failure(answer, "do the sign-in")


def _barred(document: Mapping[str, Any]) -> bool:
    """Is it the client that may not? Keycloak says so with invalid_grant."""
    error, description = document.get("error"), str(document.get("error_description") or "").casefold()
    return error in ("invalid_client", "unauthorized_client") or (
        error == "invalid_grant" and "client not allowed" in description
    )


def link_of(document: Mapping[str, Any]) -> str | None:
    """Where the person signs in, with the code in it if the realm offers that; only a link that is safe to show."""
    for name in ("verification_uri_complete", "verification_uri"):
        link = document.get(name)
        if isinstance(link, str) and _safe(link):
            return link
    return None


def _safe(link: str) -> bool:
    clean = link.isascii() and link.isprintable() and len(link) <= LONGEST_LINK and not set(link) & set(' <>|"`\\')
    if not clean or not is_http(link):
        return False
    parts = urlsplit(link)
    return "@" not in parts.netloc and (parts.scheme == "https" or is_loopback(parts.hostname or ""))


def _seconds(document: Mapping[str, Any], name: str, default: float) -> float:
    value = document.get(name)
    fits = isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < 86_400
    return float(value) if fits and value is not None else default
