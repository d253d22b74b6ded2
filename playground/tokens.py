"""Service-account tokens as clusters issue them, made up and signed with a key nobody keeps (upstream.md, seed 000)."""

from __future__ import annotations

import secrets
import uuid

import jwt


def legacy(namespace: str, account: str) -> str:
    """A legacy secret token: no `iat`, no `exp`; only the secret's name and uid tell one from the next."""
    prefix = "kubernetes.io/serviceaccount/"
    claims: dict[str, object] = {
        "iss": "kubernetes/serviceaccount",
        "sub": f"system:serviceaccount:{namespace}:{account}",
        prefix + "namespace": namespace,
        prefix + "service-account.name": account,
        prefix + "service-account.uid": str(uuid.uuid4()),
        prefix + "secret.name": f"{account}-token-{secrets.token_hex(3)[:5]}",
    }
    return signed(claims)


def bound(namespace: str, account: str, *, issuer: str, issued: float, expires: float) -> str:
    """A token of the TokenRequest API. Times are seconds since the epoch."""
    claims = {
        "iss": issuer,
        "aud": [issuer],
        "sub": f"system:serviceaccount:{namespace}:{account}",
        "iat": int(issued),
        "nbf": int(issued),
        "exp": int(expires),
        "jti": str(uuid.uuid4()),
        "kubernetes.io": {"namespace": namespace, "serviceaccount": {"name": account, "uid": str(uuid.uuid4())}},
    }
    return signed(claims)


def signed(claims: dict[str, object]) -> str:
    """A JWT over these claims, signed with a key made for it and forgotten."""
    return jwt.encode(claims, secrets.token_hex(64), algorithm="HS512")
