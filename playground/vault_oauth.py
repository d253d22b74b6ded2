"""What a played Vault has for grid tokens, as htvault-config sets it up: Kerberos logins per issuer and role, sign-ins
by OIDC, and refresh tokens for which it gets access tokens.

    oauth = VaultOauth(vault, who=Acceptor(keytab).who)
    oauth.issuers["dune"] = {"production"}
    oauth.refresh["dune/dunepro:production"] = "…"
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field

from playground import vault_kerberos
from playground.vault import VaultStandIn
from playground.vault_answers import Answer, Asked, denied, error, found, missing, nothing

CREDS = "secret/oauth/creds/"
KERBEROS = re.compile(r"auth/kerberos-([^/_]+)_([^/]+)/login")
OIDC = re.compile(r"auth/oidc-([^/]+)/oidc/(auth_url|poll)")
CREATE = "auth/token/create"
UNITS = {"s": 1, "m": 60, "h": 3600}


@dataclass
class SignIn:
    """One sign-in by OIDC that was begun. `credkey`: as whom somebody has signed in, None before."""

    issuer: str
    role: str
    nonce: str = field(repr=False)
    code: str
    credkey: str | None = None
    denied: bool = False


class VaultOauth:
    """`who`: Authorization header -> principal. `lease`: seconds of a login's token; `longest`: of an exchanged one."""

    def __init__(self, vault: VaultStandIn, who: Callable[[str], str]) -> None:
        self.vault = vault
        self.who = who
        self.lease = 2_500_000.0
        self.longest = 28 * 86_400.0
        self.issuers: dict[str, set[str]] = {}  # name -> roles
        self.principals: set[str] | None = None  # who may log in; None: everybody whom Kerberos knows
        self.refresh: dict[str, str] = {}  # "<issuer>/<credkey>:<role>" -> refresh token
        self.dead: set[str] = set()  # refresh tokens that the issuer no longer takes
        self.sign_ins: dict[str, SignIn] = {}  # by state
        self.page = "https://issuer.example.com/device"  # where people sign in
        self.interval = 5  # seconds between two questions whether somebody has
        self.hurry = False  # the next question about a sign-in is told to slow down
        self.logins: list[str] = []  # the principals, in order
        self.extra_policies: tuple[str, ...] = ()
        vault.more.append(self._answer)
        vault.tokens.policies["oauth"] = {
            CREDS + "*": ("create", "read", "update", "delete"), CREATE: ("update", "create")
        }  # fmt: skip

    def approve(self, code: str, credkey: str) -> None:
        """Somebody signs in in the browser."""
        self._by_code(code).credkey = credkey

    def deny(self, code: str) -> None:
        self._by_code(code).denied = True

    def _by_code(self, code: str) -> SignIn:
        return next(one for one in self.sign_ins.values() if one.code == code)

    def _answer(self, asked: Asked) -> Answer | None:
        if asked.path.startswith(CREDS):
            return self._creds(asked, asked.path.removeprefix(CREDS))
        if asked.path == CREATE and asked.writes:
            return self._exchange(asked)
        if asked.writes and (login := KERBEROS.fullmatch(asked.path)):
            return self._login(asked, login[1], login[2])
        if asked.writes and (oidc := OIDC.fullmatch(asked.path)):
            return self._begin(asked, oidc[1]) if oidc[2] == "auth_url" else self._poll(asked)
        return None

    def _login(self, asked: Asked, issuer: str, role: str) -> Answer | None:
        if role not in self.issuers.get(issuer, ()):
            return None  # as any path that nothing is mounted at

        def let_in(principal: str) -> Answer | None:
            if self.principals is not None and principal not in self.principals:
                return None
            self.logins.append(principal)
            return self._issue(self.lease, {"username": principal})

        return vault_kerberos.login(asked, self.who, let_in)

    def _issue(self, life: float, about: dict[str, str] | None = None) -> Answer:
        tokens, policies = self.vault.tokens, ("oauth", *self.extra_policies)
        text = tokens.issue(policies, ttl=life)
        auth = {"client_token": text, "accessor": tokens.tokens[text].accessor, "policies": list(policies),
                "token_policies": list(policies), "metadata": about, "lease_duration": int(life), "renewable": False,
                "token_type": "service", "orphan": about is not None}  # fmt: skip
        return found(None, auth=auth)

    def _exchange(self, asked: Asked) -> Answer:
        token = self.vault.tokens.valid(asked.token)
        if token is None or not self.vault.tokens.may(asked.token, asked.path, "update"):
            return denied()
        ttl = str(asked.body.get("ttl", ""))
        if not re.fullmatch(r"\d+[smh]", ttl):
            return error(400, "error parsing ttl")
        return self._issue(min(int(ttl[:-1]) * UNITS[ttl[-1]], self.longest))

    def _creds(self, asked: Asked, name: str) -> Answer:
        if not self.vault.tokens.may(asked.token, asked.path, self.vault.capability(asked)):
            return denied()
        if asked.writes:
            return self._stored(asked, name)
        if asked.method == "DELETE":
            self.refresh.pop(name, None)
            return nothing()
        if name not in self.refresh:
            return missing()
        if self.refresh[name] in self.dead:
            return error(400, "token expired")
        return found({"access_token": secrets.token_urlsafe(32), "server": name.partition("/")[0], "type": "Bearer"})

    def _stored(self, asked: Asked, name: str) -> Answer:
        if not asked.body.get("server") or not asked.body.get("refresh_token"):
            return error(400, "missing server or refresh token")
        self.refresh[name] = str(asked.body["refresh_token"])
        return nothing()

    def _begin(self, asked: Asked, issuer: str) -> Answer | None:
        role = str(asked.body.get("role") or "default")
        if issuer not in self.issuers:
            return None
        if role not in self.issuers[issuer]:
            return error(400, f'role "{role}" could not be found')
        state = secrets.token_urlsafe(16)
        code = f"{secrets.token_hex(2)}-{secrets.token_hex(2)}".upper()
        self.sign_ins[state] = SignIn(issuer, role, str(asked.body.get("client_nonce")), code)
        told = {"auth_url": f"{self.page}?user_code={code}", "poll_interval": str(self.interval), "user_code": code}
        return found({**told, "state": state})

    def _poll(self, asked: Asked) -> Answer:
        one = self.sign_ins.get(str(asked.body.get("state")))
        if one is None or one.nonce != asked.body.get("client_nonce"):
            return error(400, "expired or missing OAuth state")
        if self.hurry:
            self.hurry = False
            return error(400, "slow_down")
        if one.denied:
            return error(400, "access_denied")
        if one.credkey is None:
            return error(400, "authorization_pending")
        self.sign_ins = {state: other for state, other in self.sign_ins.items() if other is not one}
        about = {"credkey": one.credkey, "oauth2_refresh_token": "rt-" + secrets.token_urlsafe(24)}
        return self._issue(self.lease, about)
