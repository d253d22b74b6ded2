"""What htgettoken asks of Vault, asked by the bot over HTTP: logins, exchanges, looks, services' refresh tokens.

A site is one service's corner of Vault. Each question is sent once and follows no redirect; of the answers only tokens
and times are taken.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlsplit

from bot.core.errors import Refused
from bot.core.grid import Service
from bot.core.secret import Secret
from bot.managed import VaultTokens
from bot.sources import is_loopback
from bot.tools import calls, vault_tokens_told
from bot.tools.http_answer import Answer
from bot.tools.vault_told import Doing, Reply

PORT = 8200
LONGEST = 8192  # characters of a token
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
SERVER = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9][A-Za-z0-9._-]*)(:[0-9]{1,5})?")
PREFIX = re.compile(r"(/(?!\.{1,2}(/|$))[A-Za-z0-9._~-]+)*")
CREDKEY = re.compile(
    r"(?=.{1,256}\Z)[A-Za-z0-9][A-Za-z0-9._@-]*(?:/[A-Za-z0-9][A-Za-z0-9._@-]*)*"
)  # a principal has slashes
REGISTERING = "sshregister"  # a policy that htgettoken never keeps in a token


@dataclass(frozen=True)
class Granted:
    """A token as Vault gave it. `life`: seconds, 0 for one without an end."""

    token: Secret = field(repr=False)
    life: float
    policies: tuple[str, ...] = ()
    told: Mapping[str, Any] = field(default_factory=dict, repr=False)  # the login's metadata


@dataclass(frozen=True)
class Site:
    """`address` has no slash at its end. The rest are the parts of the paths, as htgettoken has them."""

    settings: VaultTokens
    service: str
    address: str
    issuer: str
    role: str
    credkey: str

    @property
    def host(self) -> str:
        return urlsplit(self.address).hostname or ""

    @property
    def kerberos(self) -> str:
        return f"auth/kerberos-{self.issuer}_{self.role}"

    @property
    def oidc(self) -> str:
        return f"auth/oidc-{self.issuer}/oidc"

    @property
    def creds(self) -> str:
        return f"secret/oauth/creds/{self.issuer}/{self.credkey}:{self.role}"

    def log_in(self, negotiate: Secret) -> Granted:
        """By Kerberos; `negotiate` stands in the header."""
        doing = Doing(f"log {self.service} in by Kerberos", f"({self.kerberos}/login)", "update")
        headers = {"Authorization": f"Negotiate {negotiate.reveal()}"}
        answer = self._send("POST", f"{self.kerberos}/login", headers=headers, json={})
        if answer.status != 200:
            raise vault_tokens_told.login(_reply(answer), doing, self.kerberos, self.service)
        return self._granted(answer, doing)

    def takes_logins(self) -> None:
        """Is there a Kerberos login for the service? Asked without a ticket, which it answers with 401, as HTTP has it.
        Refused or Transient when not; nobody is logged in."""
        doing = Doing(f"take Kerberos logins of {self.service}", f"({self.kerberos}/login)", "update")
        answer = self._send("POST", f"{self.kerberos}/login", json={})
        if answer.status in (400, 403, 404):
            raise vault_tokens_told.no_login(self.kerberos, answer.status)
        if answer.status != 401:
            raise vault_tokens_told.refusal(_reply(answer), doing)

    def exchange(self, granted: Granted, life: float) -> Granted:
        """For one that lives no longer than `life`, as htgettoken does; the same one if it does not."""
        kept = tuple(policy for policy in granted.policies if not policy.startswith(REGISTERING))
        if 0 < granted.life <= life and kept == granted.policies:
            return granted
        doing = Doing(f"exchange the token of {self.service}", "(auth/token/create)", "update")
        body: dict[str, Any] = {"ttl": f"{int(life)}s", "renewable": "false"}
        if kept != granted.policies:
            body["policies"] = list(kept)
        answer = self._send("POST", "auth/token/create", granted.token, json=body)
        if answer.status != 200:
            raise vault_tokens_told.refusal(_reply(answer), doing)
        return self._granted(answer, doing)

    def life(self, token: Secret) -> float | None:
        """Seconds that a token has left, 0 for one without an end; None when Vault does not know it (any more)."""
        doing = Doing(f"look up the token of {self.service}", "(auth/token/lookup-self)")
        answer = self._send("GET", "auth/token/lookup-self", token)
        if answer.status == 403:
            return None
        if answer.status != 200:
            raise vault_tokens_told.refusal(_reply(answer), doing)
        return _seconds(_part(answer, "data"), "ttl", doing)

    def signed_in(self, token: Secret) -> bool:
        """Does Vault get access tokens for the service with this token? False when it does not accept the token;
        Refused, "needs somebody to sign in", when it has no refresh token for the service that still works."""
        doing = Doing(f"get an access token of {self.service}", self.creds)
        answer = self._send("GET", self.creds, token, params={"minimum_seconds": "60"})
        if answer.status == 403:
            return False
        if answer.status in (400, 404):
            raise vault_tokens_told.somebody(self.service, answer.status)
        if answer.status != 200:
            raise vault_tokens_told.refusal(_reply(answer), doing)
        access = (_part(answer, "data") or {}).get("access_token")
        if not isinstance(access, str) or not access:
            raise vault_tokens_told.misshapen(doing)
        return True

    def begin(self, nonce: str) -> Mapping[str, Any]:
        """Begin a sign-in by OIDC; what Vault says of it."""
        doing = Doing(f"begin a sign-in for {self.service}", f"({self.oidc}/auth_url)", "update")
        back = f"{self.address}/v1/{self.oidc}/callback"
        body = {"role": self.role, "client_nonce": nonce, "redirect_uri": back}
        answer = self._send("POST", f"{self.oidc}/auth_url", json=body)
        if answer.status != 200:
            raise vault_tokens_told.sign_in(_reply(answer), doing, self.oidc)
        told = _part(answer, "data")
        if told is None:
            raise vault_tokens_told.misshapen(doing)
        return told

    def ask(self, body: Mapping[str, Any]) -> Granted | None:
        """What the sign-in gave; None while the person has not finished."""
        doing = Doing(f"end the sign-in for {self.service}", f"({self.oidc}/poll)", "update")
        answer = self._send("POST", f"{self.oidc}/poll", json=dict(body))
        if answer.status == 200:
            return self._granted(answer, doing)
        if vault_tokens_told.pending(_reply(answer)):
            return None
        raise vault_tokens_told.sign_in(_reply(answer), doing, self.oidc)

    def store(self, token: Secret, refresh: Secret) -> None:
        """Put a refresh token where Vault gets the service's access tokens with it."""
        doing = Doing(f"store the refresh token of {self.service}", self.creds, "update")
        body = {"server": self.issuer, "refresh_token": refresh.reveal()}
        answer = self._send("POST", self.creds, token, json=body)
        if answer.status not in (200, 204):
            raise vault_tokens_told.refusal(_reply(answer), doing)

    def revoke(self, token: Secret) -> None:
        """Vault is to forget this token."""
        doing = Doing(f"revoke a token of {self.service}", "(auth/token/revoke-self)", "update")
        answer = self._send("POST", "auth/token/revoke-self", token, json={})
        if answer.status not in (200, 204):
            raise vault_tokens_told.refusal(_reply(answer), doing)

    def _send(
        self,
        method: str,
        path: str,
        token: Secret | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        **body: Any,
    ) -> Answer:
        known = {} if token is None else {"X-Vault-Token": token.reveal()}
        sent = {"Accept": "application/json", "X-Vault-Request": "true", **known, **(headers or {})}
        settings = self.settings
        there = calls.Service(f"Vault at {self.host}", "vault_tokens", settings.timeout, settings.ca_file)
        return there.send(method, f"{self.address}/v1/{quote(path, safe='/:@')}", headers=sent, **body)

    def _granted(self, answer: Answer, doing: Doing) -> Granted:
        told = _part(answer, "auth")
        if told is None:
            raise vault_tokens_told.misshapen(doing)
        policies, about = told.get("policies"), told.get("metadata")
        return Granted(
            token(told.get("client_token"), doing),
            _seconds(told, "lease_duration", doing),
            tuple(each for each in policies if isinstance(each, str)) if isinstance(policies, list) else (),
            about if isinstance(about, dict) else {},
        )


def site(settings: VaultTokens, service: Service) -> Site:
    """Where a service's tokens come from. Refused when the settings and the managedTokens file do not say, or say what
    no path or address may be."""
    issuer = settings.issuer.replace("{experiment}", service.experiment)
    credkey = service.credkey or service.principal.partition("@")[0]
    for name, shape in ((issuer, NAME), (service.role, NAME), (credkey, CREDKEY)):
        if not shape.fullmatch(name):
            raise Refused(
                f"The service {service.name} has an experiment, role or credkey that cannot stand in a path of Vault.",
                "Letters, digits, dots, dashes and underscores can: correct the managedTokens file.",
            )
    return Site(settings, service.name, _address(settings, service), issuer, service.role, credkey)


def token(value: object, doing: Doing) -> Secret:
    """A token of an answer. Transient when something else stands there."""
    if not isinstance(value, str) or not 8 <= len(value) <= LONGEST or not value.isascii() or not value.isprintable():
        raise vault_tokens_told.misshapen(doing)
    if " " in value:
        raise vault_tokens_told.misshapen(doing)
    return Secret(value)


def _address(settings: VaultTokens, service: Service) -> str:
    """As htgettoken takes it: https and port 8200 unless it says otherwise. Never in clear over the net."""
    given = (service.vault_server or settings.address or "").rstrip("/")
    if not given:
        raise Refused(
            f"It is not said which Vault gives the tokens of {service.name}.",
            "Set vault_tokens.address, or vaultServer in the managedTokens file.",
        )
    wrong = Refused(f"The Vault server of {service.name} is not an https address.", "Correct vaultServer.")
    try:
        parts = urlsplit(given if "://" in given else f"https://{given}")
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise wrong from None
    plain = SERVER.fullmatch(parts.netloc) and PREFIX.fullmatch(parts.path) and not parts.query and not parts.fragment
    if not plain or port == 0 or not (parts.scheme == "https" or (parts.scheme == "http" and is_loopback(host))):
        raise wrong
    name = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{name}:{port or PORT}{parts.path}"


def _reply(answer: Answer) -> Reply:
    return Reply(answer.status, answer.object, answer.after)


def _part(answer: Answer, key: str) -> dict[str, Any] | None:
    found = (answer.object or {}).get(key)
    return found if isinstance(found, dict) else None


def _seconds(told: Mapping[str, Any] | None, key: str, doing: Doing) -> float:
    value = (told or {}).get(key)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e10:
        raise vault_tokens_told.misshapen(doing)
    return float(value)
