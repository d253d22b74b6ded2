"""How the bot proves to Vault who it is, and how long that lasts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bot.core.errors import Refused, Told
from bot.core.secret import Secret
from bot.settings import AppRoleAuth, JwtAuth, KubernetesAuth, SecretSource, TokenAuth, VaultAuth
from bot.tools.vault_told import Doing, Reply, misshapen, refusal

Resolve = Callable[[SecretSource], Secret]
Exchange = Callable[[Callable[[Any], Any], Doing], Reply]  # sends what it is given an hvac client for

LOOKUP = Doing("look up the bot's own token", "(auth/token/lookup-self)")
RENEW = Doing("renew the bot's own token", "(auth/token/renew-self)", "update")


@dataclass(frozen=True)
class Lease:
    """A token's life, in seconds of a monotonic clock. `ends` None: never, or Vault does not tell.

    `known` is false when Vault would not say anything about the token.
    """

    ends: float | None
    first: float  # the whole life it was given at first, 0 if endless
    renewable: bool
    known: bool = True
    due: float | None = None  # when to renew or log in again

    @classmethod
    def of(cls, life: float, renewable: bool, now: float, first: float | None = None) -> Lease:
        """Renewed at half its life; one that cannot be renewed is used up to nine tenths of it."""
        if life <= 0:
            return cls(None, 0, renewable)
        return cls(now + life, first or life, renewable, due=now + life * (0.5 if renewable else 0.9))

    def spent(self, now: float) -> bool:
        """Is so little left that renewing brings nothing more (the end of its longest life is near)?"""
        return self.ends is not None and self.ends - now < self.first / 4


UNKNOWN = Lease(None, 0, False, known=False)


def login(auth: VaultAuth, resolve: Resolve, client: Any, exchange: Exchange, now: float) -> Lease:
    """Log in as the settings say and give the token to the client. Raises Refused when Vault does not let us in."""
    if isinstance(auth, TokenAuth):
        client.adapter.token = resolve(auth.token).reveal()
        return look_up(exchange, now)
    doing = Doing(f"log the bot in by {auth.method}", f"(auth/{auth.mount}/login)")
    reply = exchange(_request(auth, resolve), doing)
    if not reply.ok:
        raise _refused_login(reply, doing, auth)
    granted = (reply.document or {}).get("auth")
    token = granted.get("client_token") if isinstance(granted, dict) else None
    if not isinstance(token, str) or not token:
        raise misshapen(doing)
    client.adapter.token = token
    return lease_of(granted, "lease_duration", doing, now)


def look_up(exchange: Exchange, now: float) -> Lease:
    """What Vault says about the client's token; `UNKNOWN` if it says nothing. Raises when Vault cannot answer."""
    reply = exchange(lambda client: client.auth.token.lookup_self(), LOOKUP)
    if reply.status in (401, 403):
        return UNKNOWN
    if not reply.ok:
        raise refusal(reply, LOOKUP)
    return lease_of((reply.document or {}).get("data"), "ttl", LOOKUP, now)


def renew(lease: Lease, exchange: Exchange, now: float) -> Lease | None:
    """The longer lease, or None when Vault will not prolong this token."""
    reply = exchange(lambda client: client.auth.token.renew_self(), RENEW)
    if reply.status in (400, 401, 403, 404):
        return None
    if not reply.ok:
        raise refusal(reply, RENEW)
    longer = lease_of((reply.document or {}).get("auth"), "lease_duration", RENEW, now, lease.first)
    return None if longer.spent(now) else longer


def lease_of(told: object, key: str, doing: Doing, now: float, first: float | None = None) -> Lease:
    life = told.get(key) if isinstance(told, dict) else None
    if not isinstance(told, dict) or isinstance(life, bool) or not isinstance(life, int | float):
        raise misshapen(doing)
    return Lease.of(life, told.get("renewable") is True, now, first)


def _request(auth: AppRoleAuth | KubernetesAuth | JwtAuth, resolve: Resolve) -> Callable[[Any], Any]:
    """What to send. The secrets are read again for each login: files of service accounts are rotated."""
    if isinstance(auth, AppRoleAuth):
        role, secret = resolve(auth.role_id), resolve(auth.secret_id)
        return lambda client: client.auth.approle.login(
            role.reveal(), secret.reveal(), use_token=False, mount_point=auth.mount
        )
    jwt = resolve(auth.jwt)
    if isinstance(auth, KubernetesAuth):
        return lambda client: client.auth.kubernetes.login(
            auth.role, jwt.reveal(), use_token=False, mount_point=auth.mount
        )
    return lambda client: client.auth.jwt.jwt_login(auth.role, jwt.reveal(), use_token=False, path=auth.mount)


def _refused_login(reply: Reply, doing: Doing, auth: AppRoleAuth | KubernetesAuth | JwtAuth) -> Told:
    if reply.status == 404 or reply.mentions("no handler for route"):
        return Refused(
            f"Vault has no auth method at auth/{auth.mount} ({reply.status}).",
            "Check vault.auth.mount and vault.namespace.",
        )
    if reply.status in (400, 401, 403):
        return Refused(
            f"Vault refused the bot's login by {auth.method} at auth/{auth.mount} ({reply.status}).",
            f"Check {_credentials(auth)}; it may have expired or been revoked.",
        )
    return refusal(reply, doing)


def _credentials(auth: AppRoleAuth | KubernetesAuth | JwtAuth) -> str:
    if isinstance(auth, AppRoleAuth):
        return "vault.auth.role_id and vault.auth.secret_id"
    return f"the role {auth.role} in Vault and the token that vault.auth.jwt names"
