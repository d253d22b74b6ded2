"""Tokens of a played realm: real JWTs, signed with a real key (RS256); claims as Keycloak writes them (upstream.md)."""

from __future__ import annotations

import functools
import json
import uuid
from dataclasses import dataclass
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

LENIENT = dict.fromkeys(("verify_exp", "verify_nbf", "verify_iat", "verify_aud"), False)  # times by our own clock


@functools.cache
def key(issuer: str) -> rsa.RSAPrivateKey:  # noqa: ARG001 - each has another
    """Each issuer's own, for as long as the process lives: making one takes a tenth of a second."""
    return rsa.generate_private_key(public_exponent=65_537, key_size=2048)


@dataclass(frozen=True)
class Mint:
    """Signs for one issuer."""

    issuer: str

    def offline(self, *, subject: str, client: str, session: str, now: float) -> str:
        """No `exp`: it lives as long as its session."""
        return self._signed(self._claims("Offline", subject, client, session, now) | {"aud": self.issuer})

    def ordinary(self, *, subject: str, client: str, session: str, now: float, seconds: float) -> str:
        """A refresh token that ends with its session."""
        claims = self._claims("Refresh", subject, client, session, now)
        return self._signed(claims | {"aud": self.issuer, "exp": int(now + seconds), "scope": "openid"})

    def access(self, *, subject: str, client: str, session: str, now: float, seconds: float, name: str) -> str:
        claims = self._claims("Bearer", subject, client, session, now)
        return self._signed(claims | {"exp": int(now + seconds), "preferred_username": name})

    def read(self, token: str) -> dict[str, Any] | None:
        """The claims, if this issuer signed it."""
        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                key(self.issuer).public_key(),
                algorithms=["RS256"],
                issuer=self.issuer,
                options=LENIENT,  # type: ignore[arg-type]  # a plain dict will do
            )
        except jwt.PyJWTError:
            return None
        return claims

    def jwks(self) -> dict[str, Any]:
        public = json.loads(RSAAlgorithm.to_jwk(key(self.issuer).public_key()))
        return {"keys": [{**public, "kid": self._kid, "use": "sig", "alg": "RS256"}]}

    def _claims(self, kind: str, subject: str, client: str, session: str, now: float) -> dict[str, Any]:
        return {
            "iat": int(now),
            "jti": str(uuid.uuid4()),
            "iss": self.issuer,
            "sub": subject,
            "typ": kind,
            "azp": client,
            "session_state": session,
            "sid": session,
            "scope": "openid offline_access",
        }

    def _signed(self, claims: dict[str, Any]) -> str:
        return jwt.encode(claims, key(self.issuer), algorithm="RS256", headers={"kid": self._kid})

    @property
    def _kid(self) -> str:
        return str(uuid.uuid5(uuid.NAMESPACE_URL, self.issuer))
