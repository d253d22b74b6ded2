"""Vault's tokens, logins and policies in memory."""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from playground.vault_answers import Answer, Asked, denied, error, found, nothing

Policy = Mapping[str, tuple[str, ...]]  # path (`*` at the end, `+` for one segment) -> capabilities
ROOT: Policy = {"*": ("create", "read", "update", "delete", "list", "sudo")}
RIGHTS = "sys/capabilities-self"
SELF = ("auth/token/lookup-self", "auth/token/renew-self", "auth/token/revoke-self")


@dataclass
class Token:
    """`ttl` 0: for ever. Times in seconds of the stand-in's clock."""

    policies: tuple[str, ...]
    ttl: float = 0
    renewable: bool = False
    max_ttl: float = 0
    issued: float = 0
    ends: float = 0
    accessor: str = field(default_factory=lambda: secrets.token_hex(12))


@dataclass(frozen=True)
class Login:
    """What must be sent to `auth/<mount>/login`, exactly, and what one gets for it."""

    mount: str
    method: str
    sent: Mapping[str, str] = field(repr=False)
    policies: tuple[str, ...] = ("root",)
    ttl: float = 3600
    renewable: bool = True
    max_ttl: float = 0


class Tokens:
    def __init__(self, now: Callable[[], float]) -> None:
        self.now = now
        self.policies: dict[str, Policy] = {"root": ROOT}
        self.tokens: dict[str, Token] = {}
        self.logins: list[Login] = []
        self.logged_in = 0

    def issue(self, policies: tuple[str, ...], *, ttl: float = 0, renewable: bool = False, max_ttl: float = 0,
              text: str | None = None) -> str:  # fmt: skip
        text = text or "hvs." + secrets.token_urlsafe(24)
        now = self.now()
        self.tokens[text] = Token(policies, ttl, renewable, max_ttl, now, now + ttl if ttl else 0)
        return text

    def valid(self, text: str) -> Token | None:
        token = self.tokens.get(text)
        if token and token.ends and self.now() >= token.ends:
            del self.tokens[text]
            return None
        return token

    def may(self, text: str, path: str, capability: str) -> bool:
        token = self.valid(text)
        if token is None:
            return False
        return path in SELF or capability in self.capabilities(token, path)

    def capabilities(self, token: Token, path: str) -> frozenset[str]:
        """What all the token's policies together grant at the pattern that fits best; `deny` there beats all."""
        policies = [self.policies.get(name, {}) for name in token.policies]
        fitting = {pattern for policy in policies for pattern in policy if matches(pattern, path)}
        best = max(fitting, key=lambda p: (not p.endswith("*"), "+" not in p, len(p)), default="")
        granted = {capability for policy in policies for capability in policy.get(best, ())}
        return frozenset() if "deny" in granted else frozenset(granted)

    def anything_below(self, text: str, mount: str) -> bool:
        """May the token do anything at all below this mount? Then Vault tells it about the mount."""
        token = self.valid(text)
        if token is None:
            return False
        paths = [p for name in token.policies for p, granted in self.policies.get(name, {}).items() if granted]
        return any(matches(p, mount + "/") or p.startswith(mount + "/") for p in paths)

    def answer(self, asked: Asked) -> Answer | None:
        """The answer of `auth/…` and of `sys/capabilities-self`; None when this path is none of it."""
        if asked.path == RIGHTS and asked.writes:
            return self._rights(asked)
        if asked.path in SELF:
            return self._self(asked)
        if asked.path.startswith("auth/") and asked.path.endswith("/login") and asked.writes:
            return self._login(asked)
        return None

    def _self(self, asked: Asked) -> Answer:
        token = self.valid(asked.token)
        if token is None:
            return denied()
        if asked.path.endswith("lookup-self"):
            return found(self._described(asked.token, token))
        if asked.path.endswith("revoke-self"):
            del self.tokens[asked.token]
            return nothing()
        if not token.renewable:
            return error(400, "lease is not renewable")
        end = self.now() + token.ttl
        token.ends = min(end, token.issued + token.max_ttl) if token.max_ttl else end
        return found(None, auth=self._granted(asked.token, token))

    def _rights(self, asked: Asked) -> Answer:
        token = self.valid(asked.token)
        if token is None:
            return denied()
        paths = [str(path) for path in asked.body.get("paths") or ()]
        if not paths:
            return error(400, "paths must be supplied")
        told: dict[str, Any] = {
            path: ["root"] if "root" in token.policies else sorted(self.capabilities(token, path)) or ["deny"]
            for path in paths
        }
        return found(told | ({"capabilities": told[paths[0]]} if len(paths) == 1 else {}))

    def _login(self, asked: Asked) -> Answer:
        mount = asked.path.removeprefix("auth/").removesuffix("/login")
        offered = [login for login in self.logins if login.mount == mount]
        if not offered:
            return error(404, f'no handler for route "{asked.path}". route entry not found.')
        for login in offered:
            if dict(asked.body) == dict(login.sent):
                self.logged_in += 1
                text = self.issue(login.policies, ttl=login.ttl, renewable=login.renewable, max_ttl=login.max_ttl)
                return found(None, auth=self._granted(text, self.tokens[text]))
        return self._turned_away(offered, asked)

    def _turned_away(self, offered: list[Login], asked: Asked) -> Answer:
        role = asked.body.get("role")
        known = any(login.sent.get("role") == role for login in offered)
        if offered[0].method == "approle":
            return error(400, "invalid role or secret ID")
        if not known:
            return error(400, f'invalid role name "{role}"')
        return (
            denied() if offered[0].method == "kubernetes" else error(400, "error validating token: invalid signature")
        )

    def _granted(self, text: str, token: Token) -> dict[str, Any]:
        left = int(token.ends - self.now()) if token.ends else 0
        return {"client_token": text, "accessor": token.accessor, "policies": list(token.policies),
                "token_policies": list(token.policies), "metadata": {}, "lease_duration": left,
                "renewable": token.renewable, "entity_id": str(uuid.UUID(int=0)), "token_type": "service",
                "orphan": True, "num_uses": 0}  # fmt: skip

    def _described(self, text: str, token: Token) -> dict[str, Any]:
        left = int(token.ends - self.now()) if token.ends else 0
        return {"accessor": token.accessor, "id": text, "policies": list(token.policies), "renewable": token.renewable,
                "ttl": left, "creation_ttl": int(token.ttl), "explicit_max_ttl": int(token.max_ttl),
                "creation_time": int(token.issued), "display_name": "token", "num_uses": 0, "orphan": True,
                "path": "auth/token/create", "type": "service", "meta": None}  # fmt: skip


def matches(pattern: str, path: str) -> bool:
    """Vault's policy globs: `*` only at the end, `+` stands for one segment."""
    open_end = pattern.endswith("*")
    wanted, given = pattern.removesuffix("*").split("/"), path.split("/")
    if len(given) < len(wanted) or (not open_end and len(given) != len(wanted)):
        return False
    *heads, last = wanted
    if not all(w in ("+", g) for w, g in zip(heads, given, strict=False)):
        return False
    rest = "/".join(given[len(heads):])  # fmt: skip
    return rest.startswith(last) if open_end else last in ("+", rest)
