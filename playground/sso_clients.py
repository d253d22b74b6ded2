"""Clients of a played realm and how they prove who they are: not at all, by secret, or by a signed JWT (RFC 7523).

In Keycloak's words (upstream.md, "private_key_jwt").
"""

from __future__ import annotations

import base64
import binascii
import hmac
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jwt

from playground.sso_sessions import No

ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ASYMMETRIC = (*(f"{kind}{bits}" for kind in ("RS", "PS", "ES") for bits in (256, 384, 512)), "EdDSA")
NOT_THE_CLIENT = "Invalid client or Invalid client credentials"
LENIENT = dict.fromkeys(
    ("verify_exp", "verify_nbf", "verify_iat", "verify_aud", "verify_iss", "verify_sub", "verify_jti"), False
)
SKEW = 15.0  # seconds that a JWT may be early


@dataclass
class Client:
    """Public without `secret` and `key` (PEM of a public key); those with one have a service account. `kid`: of the
    key, None: any. `device`: may it begin sign-ins by device flow?"""

    id: str
    secret: str | None = None
    key: str | None = None
    kid: str | None = None
    enabled: bool = True
    device: bool = True

    @property
    def public(self) -> bool:
        return self.secret is None and self.key is None


class Clients:
    """`old_words`: an unknown client is refused as older servers did. `audiences()`: how a JWT may call the realm."""

    def __init__(self, now: Callable[[], float], audiences: Callable[[], tuple[str, ...]]) -> None:
        self._now, self._audiences = now, audiences
        self.old_words = False
        self.known: dict[str, Client] = {}
        self._used: set[str] = set()
        self._lock = threading.Lock()

    def add(self, client: Client) -> Client:
        self.known[client.id] = client
        return client

    def authenticated(self, form: Mapping[str, str], authorization: str) -> Client:
        """Whose request it is. Raises No."""
        if "client_assertion" in form or "client_assertion_type" in form:
            return self._signed(form)
        user, password = _basic(authorization)
        name = user or form.get("client_id", "")
        if not name:
            raise _invalid("Missing client_id parameter")
        client = self._enabled(name)
        secret = password if user else form.get("client_secret", "")
        if not client.public and not hmac.compare_digest((client.secret or "\0").encode(), secret.encode()):
            raise No(401, "unauthorized_client", NOT_THE_CLIENT)
        return client

    def _enabled(self, name: str) -> Client:
        client = self.known.get(name)
        if client is None or not client.enabled:
            raise No(401, "unauthorized_client" if self.old_words else "invalid_client", NOT_THE_CLIENT)
        return client

    def _signed(self, form: Mapping[str, str]) -> Client:
        if not form.get("client_assertion_type"):
            raise _invalid("Parameter client_assertion_type is missing")
        if form["client_assertion_type"] != ASSERTION:
            raise _invalid(f"Parameter client_assertion_type has another value than '{ASSERTION}'")
        assertion = form.get("client_assertion", "")
        if not assertion:
            raise _invalid("client_assertion parameter missing")
        header, claims = _unverified(assertion)
        if not claims.get("sub"):
            raise _invalid("Token sub claim is required")
        if form.get("client_id", claims["sub"]) != claims["sub"]:
            raise _invalid("client_id parameter does not match sub claim")
        client = self._enabled(str(claims["sub"]))
        _check_signature(client, assertion, header)
        self._check_claims(claims)
        return client

    def _check_claims(self, claims: dict[str, Any]) -> None:
        if claims.get("iss") != claims["sub"]:
            raise _invalid("Client authentication with signed JWT failed: Issuer mismatch")
        named = claims.get("aud")
        if not set(named if isinstance(named, list) else [named]) & set(self._audiences()):
            raise _invalid("Invalid token audience")
        if not isinstance(claims.get("exp"), int | float):
            raise _invalid("Token exp claim is required")
        early = max(float(claims.get(name) or 0) for name in ("iat", "nbf")) > self._now() + SKEW
        if claims["exp"] <= self._now() or early:
            raise _invalid("Token is not active")
        if not claims.get("jti"):
            raise _invalid("Token jti claim is required")
        with self._lock:
            if claims["jti"] in self._used:
                raise _invalid("Token reuse detected")
            self._used.add(claims["jti"])


def _check_signature(client: Client, assertion: str, header: dict[str, Any]) -> None:
    if header.get("alg") not in ASYMMETRIC:
        raise _invalid("Invalid signature algorithm")
    if client.key is None or (client.kid is not None and header.get("kid") != client.kid):
        raise _invalid("Unable to load public key")
    try:
        jwt.decode(assertion, client.key, algorithms=[header["alg"]], options=LENIENT)  # type: ignore[arg-type]  # a plain dict will do
    except (jwt.PyJWTError, ValueError, TypeError):
        failed = "Client authentication with signed JWT failed: Signature on JWT token failed validation"
        raise _invalid(failed) from None


def _unverified(assertion: str) -> tuple[dict[str, Any], dict[str, Any]]:
    try:
        options = {**LENIENT, "verify_signature": False}
        claims: dict[str, Any] = jwt.decode(assertion, options=options)  # type: ignore[arg-type]  # as above
        return jwt.get_unverified_header(assertion), claims
    except jwt.PyJWTError:
        raise _invalid("Client authentication with signed JWT failed: Failed to parse JWT") from None


def _basic(authorization: str) -> tuple[str, str]:
    if not authorization.startswith("Basic "):
        return "", ""
    try:
        user, _, password = base64.b64decode(authorization[6:], validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return user, password


def _invalid(description: str) -> No:
    return No(400, "invalid_client", description)
