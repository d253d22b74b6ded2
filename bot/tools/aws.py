"""Amazon's side of image pulls: who we are there, and a login for its registries (upstream.md, seed 004)."""

from __future__ import annotations

import base64
import re
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from bot.cloud import AssumeRole, AwsAccess
from bot.core.aws import Caller, RegistryToken
from bot.core.errors import Refused, Told
from bot.core.registry import HOST, Login
from bot.core.secret import Secret
from bot.tools.aws_access import Access, Resolve
from bot.tools.aws_told import Failure, refusal
from bot.tools.kept import Kept

ARN = re.compile(r"arn:aws[a-z-]{0,12}:(?:iam|sts)::[0-9]{12}:[A-Za-z0-9_+=,.@/:-]{1,600}")
ACCOUNT = re.compile(r"[0-9]{12}")
SPARE = 60  # seconds: what ends sooner has ended, and clocks may differ by so much


class AwsAccounts:
    """`bot.core.aws.Aws`. Tokens are kept in memory only, by access and region. `now`: seconds since the epoch."""

    def __init__(
        self, settings: Mapping[str, AwsAccess], resolve: Resolve, now: Callable[[], float] = time.time
    ) -> None:
        self._now = now
        self._accesses: dict[str, Access] = {}
        self._tokens: Kept[RegistryToken] = Kept()
        for name in settings:
            self._open(name, settings, resolve)

    def names(self) -> tuple[str, ...]:
        return tuple(self._accesses)

    def who(self, access: str, region: str) -> Caller:
        way = self._access(access)
        answer = way.ask("who", region)
        account, arn = str(answer.get("Account")), str(answer.get("Arn"))
        if not ACCOUNT.fullmatch(account) or not ARN.fullmatch(arn):
            raise refusal(Failure("misshapen"), way.doing("who", region))
        return Caller(account=account, arn=arn)

    def token(self, access: str, region: str, *, until: float = 0) -> RegistryToken:
        way = self._access(access)

        def lasts(token: RegistryToken) -> bool:
            return token.expires_at >= max(until, self._now() + SPARE)

        token = self._tokens.get((access, region), lasts, lambda: self._mint(way, region))
        if token.expires_at < until - SPARE:
            raise Refused(
                f"No token of AWS lasts so long: a new one of access {access} ends in "
                f"{(token.expires_at - self._now()) / 3600:.1f} h.",
                "Ask for a shorter validity.",
            )
        return token

    def _mint(self, way: Access, region: str) -> RegistryToken:
        answer = way.ask("token", region)
        doing = way.doing("token", region)
        token = _token(answer)
        if token is None:
            raise refusal(Failure("misshapen"), doing)
        problem: Told | None = way.ended(answer, token.expires_at, doing)
        if problem:
            raise problem
        return token

    def _access(self, name: str) -> Access:
        if name not in self._accesses:
            known = ", ".join(self._accesses) or "none"
            raise Refused(f"There is no AWS access {name[:60]!r} in the settings; there are: {known}.",
                          "Add it under aws, or name one of those.")  # fmt: skip
        return self._accesses[name]

    def _open(self, name: str, settings: Mapping[str, AwsAccess], resolve: Resolve) -> Access:
        """With what it takes its role on from, which it shares with all who do the same."""
        if name not in self._accesses:
            given = settings[name]
            source = self._open(given.auth.source, settings, resolve) if isinstance(given.auth, AssumeRole) else None
            self._accesses[name] = Access(name, given, resolve, self._now, source)
        return self._accesses[name]


def _token(answer: dict[str, Any]) -> RegistryToken | None:
    """None for an answer that holds none."""
    data = answer.get("authorizationData")
    given = data[0] if isinstance(data, list) and data and isinstance(data[0], dict) else {}
    login, ends = _login(given.get("authorizationToken")), given.get("expiresAt")
    scheme, _, registry = str(given.get("proxyEndpoint")).partition("://")
    if login is None or not isinstance(ends, datetime) or scheme != "https" or not HOST.fullmatch(registry):
        return None
    return RegistryToken(login=login, expires_at=ends.timestamp(), registry=registry)


def _login(encoded: object) -> Login | None:
    try:
        user, colon, password = base64.b64decode(str(encoded), validate=True).decode("ascii").partition(":")
    except ValueError:
        return None
    return Login(user=user, password=Secret(password)) if user == "AWS" and colon and password else None
